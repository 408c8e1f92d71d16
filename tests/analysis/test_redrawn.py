"""Runs on several random splits of one data set: a seed's numbers are means over them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import splits as simulation
from tests.analysis.test_comparison import RESAMPLES, SETTINGS, planned, row
from tgap.analysis.comparison import compare
from tgap.analysis.redrawn import correction
from tgap.metrics.legs import SIDE_SHARES, numbers_with_intervals
from tgap.report.table import plain

SHARES = {"pool": 0.6, "real_train": 0.2, "real_test": 0.2}
TSTR = (0.72, 0.8, 0.76)
TRTS = (0.9, 0.84, 0.88)
TRTR = (0.92, 0.95, 0.96)


def drawn(made, split, shares=SHARES, of=None):
    changes = {"settings": {**made.settings, "split_seed": str(split)}}
    if of is not None:
        told = {SIDE_SHARES[side]: share for side, share in shares.items()}
        changes["metrics"] = {**made.metrics, **numbers_with_intervals(of), **told}
        changes["evaluation_key"] = f"{made.evaluation_key} {split} {of['trtr']}"
    return replace(made, **changes)


def swept(method="a", seed=0, splits=(0, 1, 2), luck=0.0, shares=SHARES, tstr=TSTR, **changes):
    """Rows of one seed, a row for each split."""
    rows = []
    for k in splits:
        legs = {"tstr": tstr[k] + luck, "trts": TRTS[k], "trtr": TRTR[k], "tsts": 0.92}
        made = row(method, seed=seed, tstr=legs["tstr"], trts=legs["trts"], **changes)
        rows.append(drawn(made, k, shares, legs))
    return rows


def told(rows, missing=()):
    return " ".join(plain(compare(rows, missing)).split())


@pytest.mark.parametrize(
    ("name", "values", "factor"),
    [("tstr/auroc", TSTR, 0.6 / 0.4), ("trtr/auroc", TRTR, 0.4 / 0.6), ("trts/auroc", TRTS, 1.5)],
)
def test_the_variance_over_splits_is_corrected_by_what_two_splits_share(name, values, factor):
    (group,) = compare(swept()).groups
    found = group.numbers[name]
    variance = np.var(values, ddof=1) * (1 / 3 + factor)
    assert group.splits == ("split_seed 0", "split_seed 1", "split_seed 2")
    assert "split_seed" not in group.settings
    assert found.estimate == pytest.approx(np.mean(values))
    assert found.standard_error**2 == pytest.approx(variance)
    assert found.degrees_of_freedom == 2


def test_the_interval_is_student_s_t_on_the_logit_scale():
    found = compare(swept()).groups[0].numbers["tstr/auroc"]
    mean = np.mean(TSTR)
    error = np.std(TSTR, ddof=1) * math.sqrt(1 / 3 + 1.5)
    half = stats.t.ppf(0.975, 2) * error / (mean * (1 - mean))
    assert found.lo == pytest.approx(1 / (1 + math.exp(half - math.log(mean / (1 - mean)))))


def test_fter_is_of_mean_aurocs_and_its_spread_of_leaving_a_split_out():
    found = compare(swept()).groups[0].numbers["fter"]
    tstr, trts = np.array(TSTR), np.array(TRTS)
    left = [np.delete(tstr, k).mean() / np.delete(trts, k).mean() for k in range(3)]
    jackknife = 2 / 3 * 3 * np.var(left)
    assert found.estimate == pytest.approx(tstr.mean() / trts.mean())
    assert found.standard_error**2 == pytest.approx(jackknife * (1 + 3 * 1.5))


def test_what_splits_add_is_widened_and_what_seeds_add_is_not():
    luck = (0.0, 0.01, -0.01)
    rows = [one for s in range(3) for one in swept(seed=s, luck=luck[s])]
    (group,) = compare(rows).groups
    expected = np.var(TSTR, ddof=1) * (1 / 3 + 1.5) + np.var(luck, ddof=1) / 3
    assert group.seeds == (0, 1, 2)
    assert group.numbers["tstr/auroc"].standard_error ** 2 == pytest.approx(expected)


def test_a_test_set_that_all_splits_have_enters_by_its_resamples():
    shares = SHARES | {"real_test": 1.0}
    rows = swept(shares=shares)
    (group,) = compare(rows).groups
    of_images = np.mean([one.resampled["tstr"] for one in rows], axis=0)
    assert len(of_images) == RESAMPLES
    expected = np.var(TSTR, ddof=1) * (1 / 3 + 1.5) + np.var(of_images, ddof=1)
    assert group.numbers["tstr/auroc"].standard_error ** 2 == pytest.approx(expected)
    without = [replace(one, resampled={}) for one in rows]
    assert math.isnan(compare(without).groups[0].numbers["tstr/auroc"].lo)
    assert not math.isnan(compare(without).groups[0].numbers["trts/auroc"].lo)
    assert "another pool, real_train too, and widened because splits share images; all have" in (
        told(rows)
    )


def test_an_official_pool_is_no_part_of_the_correction():
    found = compare(swept(shares=SHARES | {"pool": 1.0})).groups[0].numbers["tstr/auroc"]
    variance = np.var(TSTR, ddof=1) * (1 / 3 + 0.2 / 0.8)
    assert found.standard_error**2 == pytest.approx(variance)


def test_trtr_is_widened_for_images_that_do_harm_on_both_sides():
    """Of 10 splits, where a rare mislabelled image counts alike in training and in testing."""
    rng, images, splits = np.random.default_rng(0), 200, 10
    values = np.empty((4000, splits))
    for data_set in values:
        harm = rng.random(images) < 0.05
        for split in range(splits):
            drawn_images = rng.permutation(images)[: int(0.4 * images)]  # real_train, real_test
            data_set[split] = harm[drawn_images].mean()
    true = values.mean(axis=1).var(ddof=1)
    seen = values.var(axis=1, ddof=1).mean()
    assert true == pytest.approx(seen * (1 / splits + correction("trtr/auroc", SHARES)), rel=0.1)
    assert true > 2 * seen * (1 / splits + 0.2 / 0.8)


def test_sides_of_two_sources_share_no_image():
    of_two = {"pool": 0.6, "real_train": 0.4, "real_test": 0.7}
    assert correction("trtr/auroc", of_two) == pytest.approx(0.7 / 0.3)
    assert correction("t_gap/utility_lost", SHARES) == pytest.approx(0.6 / 0.4)
    assert correction("utility_ratio", {**SHARES, "pool": 0.3}) == pytest.approx(0.4 / 0.6)


def test_methods_are_compared_split_by_split():
    other = np.add(TSTR, (0.02, 0.03, 0.07))
    rows = swept("a") + swept("b", tstr=other)
    (pair,) = compare(rows).pairs
    assert pair.difference.estimate == pytest.approx(0.04)
    expected = np.var([0.02, 0.03, 0.07], ddof=1) * (1 / 3 + 1.5)
    assert pair.difference.standard_error**2 == pytest.approx(expected)
    assert math.isnan(pair.p_value)
    assert "no test: 1 seed, and it takes 3" in told(rows)


def test_a_run_s_own_part_has_no_correction_in_the_floor_of_a_difference():
    """Seeds whose mean differences are all alike, over splits that scatter by themselves."""
    moves = np.array([[1, -1, 0], [0, 1, -1], [-1, 0, 1]]) * 0.03
    rows = [
        one
        for s in range(3)
        for one in swept("a", seed=s) + swept("b", seed=s, tstr=np.array(TSTR) + moves[s] + 0.01)
    ]
    (pair,) = compare(rows).pairs
    assert pair.difference.estimate == pytest.approx(0.01)
    # s^2 over splits is .03^2, of which seeds share nothing: /3 splits, /3 seeds
    assert pair.difference.standard_error**2 == pytest.approx(0.03**2 / 9)


def test_where_a_cell_of_the_grid_is_missing_rows_stay_apart_and_it_is_told():
    rows = swept(seed=0) + swept(seed=1, splits=(0, 2)) + swept("b")
    missing = [drawn(planned("a", seed=1), 1), drawn(planned("b"), 0)]
    groups = compare(rows, missing).groups
    assert [group.settings.get("split_seed") for group in groups] == ["0", "1", "2", None]
    assert [group.seeds for group in groups] == [(0, 1), (0,), (0, 1), (0,)]
    text = told(rows, missing)
    assert text.count("Not averaged over splits: a at 100: seed 1 lacks split_seed 1.") == 1
    assert "Rows of one split have intervals given that split." in text


def test_seeds_with_a_split_of_their_own_are_no_grid():
    rows = [swept(seed=seed, splits=(seed,))[0] for seed in range(3)]
    text = told(rows)
    assert [group.settings["split_seed"] for group in compare(rows).groups] == ["0", "1", "2"]
    assert "seed 0 lacks split_seed 1, 2; seed 1 lacks split_seed 0, 2; seed 2 lacks" in text


def test_two_splits_and_rows_without_shares_stay_apart():
    assert "a at 100: 2 splits, and it takes 3." in told(swept(splits=(0, 1)))
    old = [replace(one, metrics=row().metrics) for one in swept()]
    assert "a at 100: recorded by an earlier version; the sweep's own command, typed again, " in (
        told(old)
    )
    assert len(compare(old).groups) == 3


def test_one_split_is_a_setting_as_ever():
    (group,) = compare(swept(splits=(1,))).groups
    assert (group.settings["split_seed"], group.shares, group.apart) == ("1", {}, "")
    assert "plit" not in told(swept(splits=(1,))).replace("TSTR", "")


def test_folds_of_several_dealings_stay_a_row_each():
    folds = [{"protocol.fold": str(fold)} for fold in range(5)]
    rows = [
        replace(one, split=folds[k], splits=folds, evaluation_key=f"{one.evaluation_key} {k}")
        for one in swept()
        for k in range(5)
    ]
    groups = compare(rows).groups
    assert [group.settings["split_seed"] for group in groups] == ["0", "1", "2"]
    assert [group.apart for group in groups] == ["", "", ""]


def test_sweeps_over_splits_and_over_something_else_are_a_grid_for_each():
    guidance = SETTINGS | {"sampler.guidance": "1.0"}
    rows = swept() + swept(size=200) + swept(settings=guidance, splits=(0, 1, 2))
    groups = compare(rows).groups
    assert [(g.size, len(g.splits)) for g in groups] == [(100, 3), (100, 3), (200, 3)]


def test_methods_with_other_splits_are_compared_over_those_that_both_have():
    values = (0.72, 0.8, 0.76, 0.75)
    rows = swept("a") + [
        drawn(
            row("b", tstr=values[k]),
            k,
            SHARES,
            {"tstr": values[k] + 0.01, "trts": 0.9, "trtr": 0.95, "tsts": 0.9},
        )
        for k in range(4)
    ]
    (pair,) = compare(rows).pairs
    assert pair.difference.estimate == pytest.approx(0.01)
    assert pair.missing_splits == ("split_seed 3",)
    text = told(rows)
    assert "; not in both: split_seed 3" in text
    assert "Rows differ in their splits, so their means are no paired comparison." in text


def test_the_table_and_mlflow_say_how_many_splits_there_are():
    rows = [one for s in range(2) for one in swept(seed=s, luck=s / 100)]
    heading, _, means, *_ = plain(compare(rows)).splitlines()
    assert heading.split()[:4] == ["method", "size", "seeds", "splits"]
    assert means.split()[:4] == ["a", "100", "2", "3"]
    text = told(rows)
    assert "for new seeds and test images (t over seeds and splits)." in text
    assert (
        "Means over splits (split_seed 0, 1, 2): intervals are for another pool, real_train, "
        in (text)
    )
    assert "given the split" not in text
    assert "fold" not in text
    one = told(swept())
    assert "One seed: the 95 % interval is of new splits and test images; another seed may" in one


def test_few_test_images_are_those_of_one_split():
    rows = [
        replace(one, metrics={**one.metrics, "images/effective_real_test": 8.0 + k})
        for k, one in enumerate(swept())
    ]
    assert compare(rows).groups[0].effective["images/effective_real_test"] == 8.0


def test_intervals_hold_the_mean_over_data_sets_where_without_correction_they_do_not():
    """TSTR of 10 splits, of data sets of 40 images a label, whose pool says all."""
    place, rng = simulation.PLACES["hard"], np.random.default_rng(0)
    ends = {rule: [] for rule in ("table", "none")}
    truths = []
    for _ in range(60):
        runs = simulation.experiment(place, 40, rng, splits=10, seeds=1)
        truths.append(np.mean([run.truth["tstr"] for run in runs if run.row.method == "a"]))
        for rule, found in ends.items():
            compared = simulation.compared(runs, 10, 1, simulation.RULES[rule])
            found.append(simulation.found(compared)["TSTR"])
    truth = np.mean(truths)
    held = {rule: np.mean([lo <= truth <= hi for lo, hi in found]) for rule, found in ends.items()}
    assert held["table"] >= 0.93
    assert held["none"] <= 0.9
