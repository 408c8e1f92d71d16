import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tgap.analysis.comparison import Comparison, compare, metrics_of
from tgap.analysis.groups import group_runs
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.metrics.intervals import interval
from tgap.metrics.legs import SCALES, numbers_with_intervals

SETTINGS = {"generator.class": "tiny_ldm", "sampler.guidance": "3.0"}
RESAMPLES = 200
SHARED = np.random.default_rng(0).normal(0, 0.01, RESAMPLES)
"""What the real test images do to every run's resamples alike."""


def replicates(legs, seed=0, resamples=RESAMPLES):
    rng = np.random.default_rng(seed)
    noise = {leg: SHARED if leg.endswith("r") else rng.normal(0, 0.01, RESAMPLES) for leg in legs}
    found = {leg: np.clip(value + noise[leg], 0, 1)[:resamples] for leg, value in legs.items()}
    for array in found.values():
        array.flags.writeable = False
    return found


def row(method="random", size=100, seed=0, tstr=0.7, trts=0.9, resamples=RESAMPLES, **changes):
    legs = {"tstr": tstr, "trts": trts, "trtr": 0.95, "tsts": 0.92}
    metrics = {**numbers_with_intervals(legs), "fter/meaningful": 1.0}
    made = RunRow(
        method=method,
        method_key=f"key of {method}",
        size=size,
        seed=seed,
        settings=SETTINGS,
        evaluation_key=f"{method} {size} {seed} {tstr} {trts}",
        metrics=metrics,
        resampled=replicates(legs, seed, resamples),
    )
    return replace(made, **changes)


def planned(method="random", size=100, seed=0, **changes):
    made = PlannedRun(
        method=method, method_key=f"key of {method}", size=size, seed=seed, settings=SETTINGS
    )
    return replace(made, **changes)


def described(pairs):
    return [(pair.first.method, pair.second.method, pair.first.size) for pair in pairs]


def test_seeds_are_averaged_with_the_interval_of_their_replicates():
    rows = [
        row(seed=s, tstr=t, trts=u) for s, t, u in ((1, 0.9, 0.6), (0, 0.6, 0.8), (2, 0.7, 0.7))
    ]
    (group,) = compare(rows).groups
    assert group.seeds == (0, 1, 2)
    fters = np.array([0.75, 1.5, 1.0])
    resampled = [r.resampled["tstr"] / r.resampled["trts"] for r in (rows[1], rows[0], rows[2])]
    expected = interval(fters, np.stack(resampled, axis=1), scale="log")
    assert astuple(group.numbers["fter"]) == pytest.approx(astuple(expected))
    assert group.numbers["fter"].estimate == pytest.approx(fters.mean())  # not the ratio of means
    assert group.fter_of_means == pytest.approx(2.2 / 2.1)
    assert group.numbers["t_gap"].estimate == pytest.approx(-0.1 / 3)
    assert group.numbers.keys() == SCALES.keys()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=8))
def test_runs_of_one_seed_are_averaged_first_and_a_shared_result_counts_once(runs):
    by_seed, seen = {}, set()
    for seed, value in sorted(runs, key=lambda run: run[0]):
        if value not in seen:
            by_seed.setdefault(seed, set()).add(value)
        seen.add(value)
    expected = [sum(values) / len(values) for values in by_seed.values()]
    (group,) = compare([row(seed=s, evaluation_key=str(v), tstr=v) for s, v in runs]).groups
    assert group.seeds == tuple(sorted(by_seed))
    assert group.numbers["tstr/auroc"].n_seeds == len(by_seed)
    assert group.numbers["tstr/auroc"].estimate == pytest.approx(sum(expected) / len(expected))


def test_of_runs_with_more_resamples_the_first_are_taken():
    few, many = row(seed=0, resamples=100), row(seed=1, tstr=0.72)
    (group,) = compare([few, many]).groups
    (same,) = compare([few, row(seed=1, tstr=0.72, resamples=100)]).groups
    assert group.numbers == same.numbers
    assert not math.isnan(group.numbers["tstr/auroc"].lo)


def test_without_replicates_there_is_a_mean_and_no_interval():
    metrics = {**row().metrics, "memorization/copied_fraction": 0.25, "external/kids/tstr/auroc": 1}
    (group,) = compare([row(resampled={}, metrics=metrics), row(seed=1, metrics=metrics)]).groups
    for name in ("tstr/auroc", "memorization/copied_fraction", "external/kids/tstr/auroc"):
        assert group.numbers[name].estimate == metrics[name]
        assert math.isnan(group.numbers[name].lo)


def test_methods_with_one_label_are_not_averaged():
    rows = [row(method_key="aaaaaaaa"), row(method_key="bbbbbbbb", tstr=0.8)]
    found = compare(rows).groups
    assert [group.method for group in found] == ["random #aaaaaa", "random #bbbbbb"]
    assert [group.numbers["tstr/auroc"].estimate for group in found] == [0.7, 0.8]


def test_groups_keep_the_methods_order_and_sizes_ascend():
    found = compare([row("b", 500), row("b", 100), row("a", None), row("b", 20)]).groups
    assert [(g.method, g.size) for g in found] == [("b", 20), ("b", 100), ("b", 500), ("a", None)]


def test_missing_runs_are_named_and_never_averaged_away():
    rows = [row("a", seed=s, tstr=0.7 + s / 100) for s in (0, 1, 2)] + [row("b", seed=0)]
    missing = [planned("b", seed=1), planned("b", seed=2), planned("c", seed=0), planned("a")]
    a, b, c = compare(rows, missing).groups
    assert (a.seeds, a.missing) == ((0, 1, 2), ())  # seed 0 of a was finished after all
    assert (b.seeds, b.missing) == ((0,), (1, 2))
    assert (c.seeds, c.missing) == ((), (0,))
    assert math.isnan(c.numbers["tstr/auroc"].estimate)
    assert c.numbers["tstr/auroc"].n_seeds == 0
    assert math.isnan(c.fter_of_means)
    (ba, ca, cb) = compare(rows, missing).pairs
    assert (ba.seeds, ba.missing) == ((0,), (1, 2))
    assert ba.difference.estimate == 0  # at seed 0, not the difference of means
    assert (ca.seeds, ca.missing, cb.seeds) == ((), (0, 1, 2), ())
    assert math.isnan(ca.p_value)
    assert ba.comparisons == 1  # pairs without a p-value are not in the family


def test_groups_are_compared_where_only_the_method_differs():
    other = SETTINGS | {"sampler.guidance": "1.0"}
    rows = [
        row("none", None),
        row("a", 20),
        row("a", 50),
        row("b", 20),
        row("b", 20, settings=other),
    ]
    assert described(compare(rows).pairs) == [
        ("a", "none", 20),
        ("a", "none", 50),
        ("b", "none", 20),
        ("b", "a", 20),
    ]


def test_a_control_is_compared_though_it_has_no_generator_among_its_settings():
    of_control = {"sampler.guidance": "3.0"}
    rows = [row("a"), row("noise", None, settings=of_control)]
    assert described(compare(rows).pairs) == [("noise", "a", None)]
    assert compare([row("a"), row("noise", None, settings={"sampler.guidance": "1"})]).pairs == ()


def test_p_values_are_sign_flips_adjusted_over_all_pairs():
    rng = np.random.default_rng(3)
    rows = [
        row(method, seed=seed, tstr=mean + 0.01 * rng.normal())
        for method, mean in (("a", 0.7), ("b", 0.75), ("c", 0.7))
        for seed in range(9)
    ]
    pairs = compare(rows).pairs
    of = {
        (first, second): [
            a.metrics["tstr/auroc"] - b.metrics["tstr/auroc"]
            for a, b in zip(
                [r for r in rows if r.method == first],
                [r for r in rows if r.method == second],
                strict=True,
            )
        ]
        for first, second in (("b", "a"), ("c", "a"), ("c", "b"))
    }
    raw = [
        stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        for d in of.values()
    ]
    assert raw[0] == raw[2] < raw[1]
    assert [p.p_value for p in pairs] == pytest.approx([3 * raw[0], raw[1], 3 * raw[0]])
    assert {pair.comparisons for pair in pairs} == {3}
    assert [p.difference.estimate for p in pairs] == pytest.approx(
        [np.mean(d) for d in of.values()]
    )


def test_the_p_value_for_new_images_is_of_the_interval_and_adjusted_too():
    rng = np.random.default_rng(4)
    rows = [
        row(method, seed=seed, tstr=mean + 0.01 * rng.normal())
        for method, mean in (("a", 0.7), ("b", 0.75), ("c", 0.71))
        for seed in range(8)
    ]
    pairs = compare(rows).pairs
    raw = [
        2 * stats.t.sf(abs(its.estimate) / its.standard_error, its.degrees_of_freedom)
        for its in (pair.difference for pair in pairs)
    ]
    factors = [4 - rank for rank in stats.rankdata(raw)]
    assert sorted(factors) == [1, 2, 3]
    expected = [min(1, factor * p) for factor, p in zip(factors, raw, strict=True)]
    assert [pair.p_new_images for pair in pairs] == pytest.approx(expected)
    (alone,) = compare(
        [
            row(m, seed=s, tstr=t, resampled={})
            for m, t in (("a", 0.7), ("b", 0.8))
            for s in range(8)
        ]
    ).pairs
    assert alone.p_value == 2 / 2**8
    assert math.isnan(alone.p_new_images)


def test_what_two_methods_share_is_not_in_the_interval_of_their_difference():
    spread = (0.001, -0.001, 0.002, 0.0)
    rows = [row("a", seed=s, tstr=0.7 + 0.03 * s) for s in range(4)]
    rows += [row("b", seed=s, tstr=0.75 + 0.03 * s + spread[s]) for s in range(4)]
    (pair,) = compare(rows).pairs
    # Only the t interval over seeds is left: the replicates of both move together.
    half = stats.t.ppf(0.975, 3) * np.std(spread, ddof=1) / 2
    assert pair.difference.estimate == pytest.approx(0.05 + np.mean(spread))
    assert pair.difference.hi - pair.difference.estimate == pytest.approx(half)
    wide = compare(rows).groups[0].numbers["tstr/auroc"]
    assert wide.hi - wide.lo > 10 * half


def test_fter_between_sizes_is_tested_for_equivalence():
    flat = [row(size=z, seed=s, tstr=0.7 + s / 500, trts=0.9) for z in (20, 50) for s in range(4)]
    steep = [row("b", z, s, 0.6 + z / 500 + s * z / 1e6) for z in (20, 50, 90) for s in range(4)]
    same, different = compare(flat + steep + [row("none", None)]).size_effects
    assert [g.size for g in same.groups] == [20, 50]
    assert math.isnan(same.p_value)  # all differences are 0, which shows no spread
    assert [g.size for g in different.groups] == [20, 50, 90]
    assert different.p_value > 0.99
    # The pair of sizes that differs most decides: 20 and 90, by .1556.
    assert compare(steep, margin=0.15).size_effects[0].p_value > 0.99
    assert compare(steep, margin=0.16).size_effects[0].p_value < 0.05


def test_equivalence_needs_seeds_in_common_and_an_fter_that_means_something():
    once = [row(size=20), row(size=50), row(size=50, seed=1)]
    (effect,) = compare(once).size_effects
    assert (effect.seeds, effect.missing) == ((0,), (1,))
    assert math.isnan(effect.p_value)
    (apart,) = compare([row(size=20), row(size=50, seed=1)]).size_effects
    assert apart.seeds == ()
    assert math.isnan(apart.p_value)
    chance = {**row().metrics, "fter/meaningful": 0.0}
    rows = [row(size=z, seed=s, metrics=chance) for z in (20, 50) for s in range(4)]
    assert math.isnan(compare(rows).size_effects[0].p_value)


def test_metrics_for_mlflow_by_size():
    rows = [
        row("random+dreambooth", z, s, 0.7 + s / 100, 0.9 + s / 100)
        for z in (100, 500)
        for s in (0, 1)
    ]
    rows += [row("none", None, tstr=math.nan)]
    comparison = compare(rows, [planned("random+dreambooth", 500, 2)])
    found = metrics_of(comparison)
    assert list(found) == [100, 500, 0]
    number = comparison.groups[1].numbers["fter"]
    assert found[500]["fter/mean/random-dreambooth"] == number.estimate
    assert found[500]["fter/lo/random-dreambooth"] == number.lo
    assert found[500]["fter/hi/random-dreambooth"] == number.hi
    assert found[500]["seeds/random-dreambooth"] == 2
    assert found[500]["seeds_missing/random-dreambooth"] == 1
    assert found[100].keys() == found[500].keys()
    assert "tstr/auroc/mean/none" not in found[0]  # not defined
    assert "trts/auroc/mean/none" in found[0]


def test_groups_that_would_share_a_metric_name_do_not():
    other = SETTINGS | {"sampler.guidance": "1.0"}
    rows = [row("a+b"), row("a-b", tstr=0.8), row("c"), row("c", settings=other)]
    names = {name for name in metrics_of(compare(rows))[100] if name.startswith("fter/mean/")}
    assert {name.rpartition("/")[2] for name in names} == {
        "a-b",
        "a-b-2",
        "c-guidance-3.0",
        "c-guidance-1.0",
    }


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_mlflow_takes_every_name(methods):
    from tgap.tracking.run_log import _check_names

    groups = group_runs([row(method, size) for method in methods for size in (20, 50)])
    for values in metrics_of(Comparison(groups, (), ())).values():
        _check_names("metric", values)
        assert sum(name.startswith("seeds/") for name in values) == len(methods)
