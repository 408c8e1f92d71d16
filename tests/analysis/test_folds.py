"""Runs on the folds of one dealing: a seed's numbers are means over them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.analysis.test_comparison import planned, row
from tgap.analysis.comparison import compare
from tgap.analysis.splits import listed
from tgap.metrics.legs import numbers_with_intervals
from tgap.report.table import plain

FOLDS = [{"protocol.fold": str(fold)} for fold in range(5)]
TSTR = (0.5, 1.0, 0.75, 0.75, 0.6)
TRTS = (0.9, 0.7, 0.8, 1.0, 0.9)


def of_fold(made, fold):
    key = getattr(made, "evaluation_key", None)
    changes = {} if key is None else {"evaluation_key": f"{key} {fold}", "resampled": {}}
    return replace(made, split=FOLDS[fold], splits=FOLDS, **changes)


def folded(method="a", seed=0, tstr=TSTR, trts=TRTS, folds=range(5)):
    """Rows without resamples: a fold of few images has none that are defined."""
    return [of_fold(row(method, seed=seed, tstr=tstr[k], trts=trts[k]), k) for k in folds]


def told(rows, missing=()):
    return " ".join(plain(compare(rows, missing)).split())


def test_an_auroc_has_the_t_interval_over_folds_on_the_logit_scale():
    (group,) = compare(folded()).groups
    found = group.numbers["tstr/auroc"]
    mean, error = np.mean(TSTR), np.std(TSTR, ddof=1) / math.sqrt(5)
    assert (group.seeds, group.splits) == ((0,), tuple(f"fold {k}" for k in range(5)))
    assert found.estimate == pytest.approx(mean)
    assert found.standard_error == pytest.approx(error)
    assert found.degrees_of_freedom == 4
    half = stats.t.ppf(0.975, 4) * error / (mean * (1 - mean))
    assert found.lo == pytest.approx(1 / (1 + math.exp(half - math.log(mean / (1 - mean)))))


def test_ratios_are_of_means_and_their_spread_is_that_of_leaving_a_fold_out():
    found = compare(folded()).groups[0].numbers["fter"]
    tstr, trts = np.array(TSTR), np.array(TRTS)
    assert found.estimate == pytest.approx(tstr.mean() / trts.mean())
    left = [np.delete(tstr, k).mean() / np.delete(trts, k).mean() for k in range(5)]
    assert found.standard_error == pytest.approx(math.sqrt(4 / 5 * 5 * np.var(left)))


def test_seeds_on_the_same_folds_share_what_folds_add():
    luck = (0.0, 0.01, -0.01)
    rows = [r for s in range(3) for r in folded(seed=s, tstr=np.array(TSTR) - 0.02 + luck[s])]
    (group,) = compare(rows).groups
    expected = np.var(TSTR, ddof=1) / 5 + np.var(luck, ddof=1) / 3
    assert group.numbers["tstr/auroc"].standard_error ** 2 == pytest.approx(expected)
    assert group.seeds == (0, 1, 2)


def test_fter_of_the_mean_is_meaningful_though_that_of_a_fold_is_not():
    metrics = numbers_with_intervals({"tstr": 0.5, "trts": 0.9, "trtr": 0.95, "tsts": 0.92})
    rows = folded()
    rows[0] = replace(rows[0], metrics=metrics | {"fter/meaningful": 0.0})
    assert compare(rows).groups[0].fter_meaningful
    assert not compare(folded(tstr=[0.5] * 5)).groups[0].fter_meaningful


def test_missing_folds_are_told_and_bear_no_interval():
    rows = folded(folds=(0, 1, 3))
    (group,) = compare(rows).groups
    assert group.missing_splits == ("fold 2", "fold 4")
    assert group.numbers["tstr/auroc"].estimate == pytest.approx(np.mean([0.5, 1.0, 0.75]))
    assert math.isnan(group.numbers["tstr/auroc"].lo)
    text = told(rows)
    assert "3 of 5" in text
    assert "(missing fold 2, 4)" in text
    assert "not all images were tested" in text
    assert "Fewer than 5 folds bear an interval of AUROCs near 1 only" in text
    assert "missing" not in told(folded())


def test_one_fold_is_one_of_five():
    text = told([of_fold(row("a", seed=0), 2)])
    assert "1 of 5 " in text
    assert "(missing fold 0, 1, 3, 4)" in text


def test_a_seed_that_lacks_a_fold_is_missing_and_not_averaged_with_whole_ones():
    rows = folded(seed=0) + folded(seed=1, folds=range(3))
    (group,) = compare(rows, [of_fold(planned("a", seed=1), 4)]).groups
    assert (group.seeds, group.missing, group.missing_splits) == ((0,), (1,), ())
    assert group.numbers["tstr/auroc"].estimate == pytest.approx(np.mean(TSTR))
    assert plain(compare(rows)).splitlines()[2].split()[2:6] == ["1", "of", "2", "5"]


def test_methods_are_compared_over_the_folds_that_both_have():
    better = [value + 0.1 for value in (0.4, 0.9, 0.6, 0.5, 0.1)]
    rows = folded("a") + folded("b", tstr=better, folds=(0, 2, 3))
    (pair,) = compare(rows).pairs
    assert pair.difference.estimate == pytest.approx(np.mean([0.0, -0.05, -0.15]))
    assert pair.missing_splits == ("fold 1", "fold 4")
    assert "; not in both: fold 1, 4" in told(rows)
    apart = folded("a", folds=(0, 1)) + folded("b", folds=(2, 3))
    assert compare(apart).pairs[0].seeds == ()
    assert "b - a at 100: no fold in common" in told(apart)


def test_the_difference_of_two_methods_has_the_spread_of_its_folds():
    other = [0.55, 0.95, 0.85, 0.7, 0.7]
    rows = folded("a") + folded("b", tstr=other)
    (pair,) = compare(rows).pairs
    by_fold = np.array(other) - np.array(TSTR)
    assert pair.difference.standard_error == pytest.approx(np.std(by_fold, ddof=1) / math.sqrt(5))
    assert pair.difference.degrees_of_freedom == 4
    assert math.isnan(pair.p_value)
    assert "no test: 1 seed, and it takes 3" in told(rows)


def test_the_table_says_what_its_intervals_are_of():
    rows = folded() + folded(seed=1, tstr=[value - 0.1 for value in TSTR])
    heading, _, means, *_ = plain(compare(rows)).splitlines()
    assert heading.split()[:4] == ["method", "size", "seeds", "folds"]
    assert means.split()[:4] == ["a", "100", "2", "5"]
    assert "(t over seeds and folds), for other tuning and training images as far as" in told(rows)
    assert "One seed: the 95 % interval is of new test images (t over folds)" in told(folded())
    assert "fold" not in told([row()])


def test_splits_of_several_settings_are_listed_in_full():
    assert listed(["fold 0", "fold 3"]) == "fold 0, 3"
    assert listed([]) == ""
