import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tgap.analysis.comparison import Asked, compare
from tgap.analysis.contrasts import apart
from tgap.analysis.groups import group_runs
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.core import ConfigError
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


@settings(max_examples=50)
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
    assert math.isnan(ba.p_value)  # of one seed


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


def test_p_values_are_those_of_the_intervals_adjusted_over_all_pairs():
    rng = np.random.default_rng(4)
    rows = [
        row(method, seed=seed, tstr=mean + 0.01 * rng.normal())
        for method, mean in (("a", 0.7), ("b", 0.75), ("c", 0.71))
        for seed in range(8)
    ]
    pairs = compare([*rows, row("d")]).pairs
    assert [(p.first.method, p.comparisons) for p in pairs if math.isnan(p.p_value)] == [
        ("d", 3)
    ] * 3
    pairs = compare(rows).pairs
    raw = [
        2 * stats.t.sf(abs(its.estimate) / its.standard_error, its.degrees_of_freedom)
        for its in (pair.difference for pair in pairs)
    ]
    factors = [4 - rank for rank in stats.rankdata(raw)]
    assert sorted(factors) == [1, 2, 3]
    expected = [min(1, factor * p) for factor, p in zip(factors, raw, strict=True)]
    assert [pair.p_value for pair in pairs] == pytest.approx(expected)
    assert {pair.comparisons for pair in pairs} == {3}
    (alone,) = compare(
        [
            row(m, seed=s, tstr=t, resampled={})
            for m, t in (("a", 0.7), ("b", 0.8))
            for s in range(8)
        ]
    ).pairs
    assert math.isnan(alone.p_value)
    assert alone.difference.estimate == pytest.approx(0.1)


def planted(differs, seeds=5, seed=0, methods="ab"):
    """Methods whose TSTR varies by .025 from seed to seed; the last one is better by so much."""
    rng = np.random.default_rng(seed)
    return [
        row(m, seed=s, tstr=0.76 + differs * (m == methods[-1]) + 0.025 * rng.normal())
        for m in methods
        for s in range(seeds)
    ]


def test_a_planted_difference_is_told_at_five_seeds_and_none_is_where_there_is_none():
    told = [compare(planted(0.07, seed=k)).pairs[0].p_value <= 0.05 for k in range(40)]
    assert np.mean(told) > 0.75
    false = [
        min(p.p_value for p in compare(planted(0, seed=k, methods="abc")).pairs) for k in range(40)
    ]
    assert sum(p <= 0.05 for p in false) <= 5


def test_with_a_reference_each_method_is_compared_with_it_only():
    rows = [*planted(0.07, methods="abcde"), row("noise", None, is_control=True)]
    assert len(compare(rows).pairs) == 10
    found = compare(rows, asked=Asked(reference="b"))
    assert described(found.pairs) == [(m, "b", 100) for m in "acde"]
    assert {pair.comparisons for pair in found.pairs} == {4}
    assert found.asked.reference == "b"
    to_noise = compare(rows, asked=Asked(reference="noise")).pairs
    assert described(to_noise) == [(m, "noise", 100) for m in "abcde"]


def test_a_reference_is_named_by_a_part_of_its_label():
    rows = [row("random+dreambooth"), row("clusters+dreambooth"), row("whole+unet")]
    (first, second) = compare(rows, asked=Asked(reference="random")).pairs
    assert first.second.method == second.second.method == "random+dreambooth"
    with pytest.raises(ConfigError, match=r"several methods; name one: random\+d.*, clusters\+d"):
        compare(rows, asked=Asked(reference="dreambooth"))
    with pytest.raises(ConfigError, match="no method is called 'randon'; did you mean 'random"):
        compare(rows, asked=Asked(reference="randon"))


def test_other_metrics_are_compared_by_the_same_rule():
    rows = [
        row(m, seed=s, tstr=t + s / 100 + s * better, trts=0.9 - s / 200 - s * better)
        for m, t, better in (("a", 0.7, 0), ("b", 0.8, 0.002))
        for s in range(5)
    ]
    pairs = compare(rows, asked=Asked(of=("fter", "t-gap", "TRTS"))).pairs
    assert [pair.metric for pair in pairs] == ["fter", "t_gap", "trts/auroc"]
    assert {pair.comparisons for pair in pairs} == {3}
    fters = [
        (0.8 + 0.012 * s) / (0.9 - 0.007 * s) - (0.7 + 0.01 * s) / (0.9 - 0.005 * s)
        for s in range(5)
    ]
    assert pairs[0].difference.estimate == pytest.approx(np.mean(fters))
    assert pairs[1].difference.estimate == pytest.approx(-0.1 - 0.004 * 2)
    assert pairs[2].difference.estimate == pytest.approx(-0.002 * 2)
    raw = [
        2 * stats.t.sf(abs(its.estimate) / its.standard_error, its.degrees_of_freedom)
        for its in (pair.difference for pair in pairs)
    ]
    order = np.argsort(raw)
    steps = np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1])
    assert np.array([pair.p_value for pair in pairs])[order] == pytest.approx(np.minimum(1, steps))


def test_a_metric_without_resamples_is_compared_over_seeds_on_these_images():
    accuracy = {"a": (0.6, 0.62, 0.61), "b": (0.7, 0.74, 0.72)}
    rows = [
        row(m, seed=s, metrics={**row().metrics, "tstr/accuracy": value, "mine/sharp": 2.0})
        for m, values in accuracy.items()
        for s, value in enumerate(values)
    ]
    found = compare(rows, asked=Asked(of=("accuracy",), metrics=("mine/sharp",)))
    (pair,) = found.pairs
    assert pair.metric == "tstr/accuracy"
    expected = stats.ttest_1samp([0.1, 0.12, 0.11], 0).pvalue
    assert pair.p_value == pytest.approx(expected)
    assert found.groups[0].numbers["mine/sharp"].estimate == 2
    with pytest.raises(ConfigError, match="no run has a metric 'acuracy'; did you mean 'tstr/acc"):
        compare(rows, asked=Asked(of=("acuracy",)))
    with pytest.raises(ConfigError, match="'auroc' is the end of several metrics; name one: trtr"):
        compare(rows, asked=Asked(metrics=("auroc",)))


def test_rows_that_share_no_settings_are_named_and_compared_where_asked():
    wide = SETTINGS | {"pool_size": "72000", "size_unit": "total"}
    rows = [row("random", settings=wide, seed=s, tstr=0.7 + s / 50) for s in range(3)]
    other = SETTINGS | {"pool_size": "10000", "size_unit": "label"}
    rows += [row("clusters", settings=other, seed=s, tstr=0.8 + s / 99) for s in range(3)]
    found = compare(rows)
    assert found.pairs == ()
    ((clusters, random),) = found.not_compared
    assert (clusters.method, random.method) == ("clusters", "random")
    assert apart(clusters, random) == ["pool_size", "size_unit"]
    across = compare(rows, asked=Asked(across=("pool_size", "size_unit")))
    assert described(across.pairs) == [("clusters", "random", 100)]
    assert across.not_compared == []
    with pytest.raises(ConfigError, match="no row has a setting 'pool'; did you mean 'pool_size'"):
        compare(rows, asked=Asked(across=("pool",)))


def test_a_row_without_a_partner_is_named_beside_the_nearest_one():
    other = SETTINGS | {"sampler.guidance": "1.0"}
    rows = [
        row("a", 20),
        row("a", 50),
        row("a", 20, settings=other),
        row("b", 20),
        row("none", None),
    ]
    left = [(a.method, b.method, b.size, *apart(a, b)) for a, b in compare(rows).not_compared]
    assert sorted(left) == [
        ("b", "a", 20, "sampler.guidance"),
        ("b", "a", 50, "size"),
        ("none", "a", 20, "sampler.guidance"),
    ]
    assert compare(rows[:1] + rows[3:]).not_compared == []


def test_the_unit_of_sizes_does_not_concern_a_method_that_has_none():
    rows = [row("a", settings=SETTINGS | {"size_unit": "total"})]
    rows += [row("none", None, settings=SETTINGS | {"size_unit": "label"})]
    assert described(compare(rows).pairs) == [("none", "a", None)]


def test_a_trend_over_sizes_is_the_slope_per_doubling():
    rng = np.random.default_rng(0)
    rows = [
        row(size=z, seed=s, tstr=0.6 + 0.03 * math.log2(z / 20) + 0.01 * rng.normal())
        for z in (20, 40, 160)
        for s in range(5)
    ]
    trend, *steps = compare(rows).over_sizes
    by_seed = [
        np.polyfit(
            np.log2([20, 40, 160]), [r.metrics["tstr/auroc"] for r in rows if r.seed == s], 1
        )
        for s in range(5)
    ]
    slopes = [slope for slope, _ in by_seed]
    assert trend.difference.estimate == pytest.approx(np.mean(slopes))
    assert trend.difference.lo < 0.03 < trend.difference.hi
    assert trend.p_value < 0.001
    assert [(step.first.size, step.second.size) for step in steps] == [(40, 20), (160, 40)]
    assert {one.comparisons for one in (trend, *steps)} == {3}
    (alone,) = compare([r for r in rows if r.size != 40]).over_sizes
    assert alone.weights == pytest.approx((-1 / 3, 1 / 3))


def test_a_trend_of_perfect_aurocs_is_as_wide_as_they_are():
    rows = [row(size=z, seed=s, tstr=1 - z * s / 1e7) for z in (20, 40, 80) for s in range(4)]
    rows = [replace(r, metrics={**r.metrics, "images/effective_real_test": 12.0}) for r in rows]
    trend = compare(rows).over_sizes[0].difference
    assert trend.unseen > 0
    alone = compare(rows).groups[0].numbers["tstr/auroc"]
    assert trend.hi == pytest.approx((1 - alone.lo) / 2, rel=0.01)


def test_a_seed_that_learnt_nothing_is_known_and_ordinary_spread_is_not():
    values = (0.91, 0.93, 0.5, 0.92, 0.9)
    (group,) = compare([row(seed=s, tstr=t) for s, t in enumerate(values)]).groups
    assert group.collapsed == {"tstr": {2: 0.5}}
    half = compare([row(seed=s, tstr=t) for s, t in enumerate((0.9, 0.5, 0.51))]).groups[0]
    assert half.collapsed == {"tstr": {1: 0.5, 2: 0.51}}
    assert compare([row(tstr=math.nan), row(seed=1)]).groups[0].collapsed == {}


@pytest.mark.parametrize(("mean", "spread"), [(0.95, 0.02), (0.76, 0.03), (0.6, 0.03), (0.5, 0.03)])
def test_seeds_that_scatter_have_not_collapsed(mean, spread):
    rng = np.random.default_rng(0)
    groups = [
        group_runs([row(seed=s, tstr=min(1, mean + spread * rng.normal())) for s in range(8)])[0]
        for _ in range(60)
    ]
    assert sum(bool(group.collapsed) for group in groups) <= 1


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
