"""Means over seeds of numbers that records keep no resamples of."""

import math

import numpy as np
import pytest

from tests.report.runs.planted import SETTINGS, ends_of, row
from tgap.analysis.groups import group_runs
from tgap.analysis.parts import mean_of_intervals, over_seeds
from tgap.analysis.rows import RunRow
from tgap.core import ContractError
from tgap.metrics.intervals import Interval, interval, t_quantile
from tgap.metrics.legs import SIDE_SHARES

NAME = "tstr/auroc_even"


def known(seed: int, value: float, half: float = 0.02, **changes: object) -> RunRow:
    made = row(seed=seed, **changes)
    metrics = {**made.metrics, **ends_of(NAME, value, half)}
    return RunRow(**{**vars(made), "metrics": metrics})


def test_one_seed_has_its_own_ends():
    found = mean_of_intervals([(0.8, 0.7, 0.85)])
    assert (found.estimate, found.lo, found.hi, found.n_seeds) == (0.8, 0.7, 0.85, 1)


def test_equal_seeds_leave_what_the_images_do():
    found = mean_of_intervals([(0.8, 0.7, 0.85)] * 4)
    assert (found.lo, found.hi) == pytest.approx((0.7, 0.85))


def test_seeds_alone_have_student_s_interval_on_the_logit_scale():
    values = [0.81, 0.84, 0.9, 0.83]
    found = mean_of_intervals([(value, value, value) for value in values])
    expected = interval(np.array(values), np.array([values, values]), scale="logit")
    assert (found.lo, found.hi) == pytest.approx((expected.lo, expected.hi))


def test_ends_stay_between_0_and_1():
    assert mean_of_intervals([(1.0, 0.98, 1.0), (0.9, 0.88, 0.92)]).hi == 1.0
    assert mean_of_intervals([(0.3, 0.2, 0.4), (0.9, 0.8, 0.95)]).lo == 0.0


def test_a_seed_without_ends_leaves_the_mean_without():
    found = mean_of_intervals([(0.8, 0.7, 0.9), (0.7, math.nan, math.nan)])
    assert found.estimate == pytest.approx(0.75)
    assert math.isnan(found.lo)
    assert math.isnan(found.hi)


def test_no_numbers_are_an_error():
    with pytest.raises(ContractError, match="one number or more"):
        mean_of_intervals([])


@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize(("of_seeds", "of_images"), [(0.03, 0.005), (0.015, 0.015), (0.005, 0.03)])
@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_it_covers_the_truth_as_often_as_it_says(
    seeds: int, of_seeds: float, of_images: float, shared: float
):
    """Images that all seeds share, or that each has for itself."""
    rng, repeats, truth = np.random.default_rng(seeds), 3000, 0.7
    images = of_images * np.where(
        shared, rng.normal(size=(repeats, 1)), rng.normal(size=(repeats, seeds))
    )
    values = truth + of_seeds * rng.normal(size=(repeats, seeds)) + images
    half = t_quantile(0.95, math.inf) * of_images
    found = [mean_of_intervals([(y, y - half, y + half) for y in one]) for one in values]
    covered = np.mean([one.lo <= truth <= one.hi for one in found])
    assert covered > 0.935


def of_rows(rows: list[RunRow]) -> Interval:
    (group,) = group_runs(rows)
    return over_seeds(rows, NAME, group)


def ends(found: Interval) -> tuple[float, ...]:
    return (found.estimate, found.lo, found.hi)


def test_a_metric_of_runs_is_averaged_over_seeds():
    found = of_rows([known(0, 0.8), known(1, 0.8), known(2, 0.83)])
    expected = mean_of_intervals([(0.8, 0.78, 0.82), (0.8, 0.78, 0.82), (0.83, 0.81, 0.85)])
    assert ends(found) == pytest.approx(ends(expected))


def test_seeds_that_share_a_synthetic_set_count_once():
    shared = [known(0, 0.7, synthetic="x"), known(1, 0.9, synthetic="x")]
    found = of_rows([*shared, known(2, 0.82, synthetic="y")])
    expected = mean_of_intervals([(0.8, 0.78, 0.82), (0.82, 0.80, 0.84)])
    assert ends(found) == pytest.approx(ends(expected))
    assert of_rows(shared).n_seeds == 2  # nothing is known of other draws


def test_a_set_s_own_number_counts_once_also_where_another_has_none():
    shared = [known(0, 0.7, synthetic="x"), known(1, 0.9, synthetic="x")]
    found = of_rows([*shared, known(2, math.nan, synthetic="y")])
    assert (found.estimate, found.n_seeds) == pytest.approx((0.8, 1))


def test_real_images_numbers_count_once_a_seed():
    """The real classifier of a seed is the same in all methods."""
    twice = [known(seed, 0.9 + seed / 50, method=m) for m in "ab" for seed in (0, 1)]
    found, once = over_seeds(twice, NAME), over_seeds(twice[:2], NAME)
    assert found.n_seeds == 2
    assert ends(found) == pytest.approx(ends(once))


def folds(seed: int, values: list[float], of: int) -> list[RunRow]:
    every = [{"protocol.fold": str(fold)} for fold in range(of)]
    return [
        known(seed, value, split=split, splits=every, evaluation_key=f"{seed} {split}")
        for value, split in zip(values, every, strict=False)
    ]


def test_a_mean_over_folds_has_no_ends_and_leaves_out_what_the_row_leaves_out():
    """How far folds are apart is no part of a run's own interval."""
    whole, part = folds(0, [0.7, 0.8, 0.9], 3), folds(1, [0.5], 3)
    found = of_rows([*whole, *part])
    assert (found.estimate, found.n_seeds) == (pytest.approx(0.8), 1)
    assert math.isnan(found.lo)
    assert math.isnan(found.hi)


def test_a_mean_over_several_draws_of_the_split_has_no_ends():
    rows = [
        known(
            seed, 0.8, settings=SETTINGS | {"split_seed": str(draw)}, evaluation_key=f"{seed}{draw}"
        )
        for seed in (0, 1)
        for draw in range(3)
    ]
    for one in rows:
        one.metrics.update(dict.fromkeys(SIDE_SHARES.values(), 0.5))
    found = of_rows(rows)
    assert (found.estimate, found.n_seeds) == (pytest.approx(0.8), 2)
    assert math.isnan(found.lo)
    assert math.isnan(over_seeds(rows, NAME).lo)


def test_what_no_run_has_is_unknown():
    assert math.isnan(over_seeds([row()], "tstr/finding_auroc_mass").estimate)
