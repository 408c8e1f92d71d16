"""The law of ``tgap predict``, against closed forms, a brute search and textbook formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from tgap.analysis.scaling import (
    FINEST,
    HUBER,
    Law,
    Prediction,
    _residuals,
    _scatter,
    _slopes,
    fitted,
    predict,
)
from tgap.core import ContractError

SIZES = np.array([25.0, 50.0, 100.0, 200.0, 400.0])
REAL = np.array([0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0])


def drawn(seed=0, seeds=5, floor=0.05, factor=1.0, exponent=0.5, scatter=0.015):
    """Losses of seeds about a known law."""
    noise = np.random.default_rng(seed).normal(0, scatter, (seeds, len(SIZES)))
    return floor + factor * SIZES**-exponent + noise


@pytest.mark.parametrize(
    ("floor", "factor", "exponent"),
    [(0.05, 1.0, 0.5), (0.03, 0.6, 0.3), (0.06, 12.0, 1.2), (0.0, 0.5, 0.3), (0.2, 2.0, 1.0)],
)
def test_without_noise_the_law_is_found(floor, factor, exponent):
    losses = np.tile(floor + factor * SIZES**-exponent, (3, 1))
    law = fitted(SIZES, losses)
    assert [law.floor, law.factor, law.exponent] == pytest.approx(
        [floor, factor, exponent], rel=1e-5, abs=1e-7
    )
    assert law.at([800, 1600]) == pytest.approx(floor + factor * np.array([800, 1600]) ** -exponent)
    found = predict(SIZES, losses, [800], resamples=3)
    (one,) = found.at
    assert [one.lo, one.hi] == pytest.approx([one.estimate] * 2, abs=1e-6)
    assert math.isnan(found.misfit)  # nothing scatters


@pytest.mark.parametrize(("factor", "exponent", "worth"), [(0.2, 0.4, 40.0), (0.2, 0.7, 5.0)])
def test_without_noise_an_offset_is_found(factor, exponent, worth):
    losses = np.tile(0.02 + factor * (REAL + worth) ** -exponent, (3, 1))
    law = fitted(REAL, losses, offset=True)
    found = [law.floor, law.factor, law.exponent, law.offset]
    assert found == pytest.approx([0.02, factor, exponent, worth], rel=1e-4)
    assert law.free == 4


def test_a_level_curve_has_a_level_law():
    law = fitted(SIZES, np.full((3, 5), 0.06))
    assert law.free == 1
    assert law.at([10, 1e6]) == pytest.approx(0.06, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_no_point_of_a_brute_search_has_a_smaller_loss(seed):
    losses = drawn(seed)
    scale = max(HUBER * _scatter(losses), FINEST)

    def cost(numbers):
        floor, above, exponent = numbers
        if floor < 0 or above < 0 or not 0.01 <= exponent <= 3:
            return np.inf
        away = floor + above * (SIZES / 400) ** -exponent - losses
        return special.huber(scale, away).sum()

    ranges = (slice(0, 0.12, 0.01), slice(0, 0.15, 0.01), slice(0.05, 3, 0.1))
    best = optimize.brute(cost, ranges, finish=optimize.fmin)
    law = fitted(SIZES, losses)
    assert cost([law.floor, law.above, law.exponent]) <= cost(best) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("sizes", "numbers"), [(SIZES, [0.05, 0.04, 0.6]), (REAL, [0.03, 0.02, 0.5, math.log(30)])]
)
def test_slopes_are_those_of_the_residuals(sizes, numbers):
    losses = np.zeros((2, len(sizes)))
    numeric = optimize.approx_fprime(
        np.array(numbers), lambda one: _residuals(sizes, losses, one), 1e-7
    )
    np.testing.assert_allclose(_slopes(sizes, 2, np.array(numbers)), numeric, atol=1e-6)


def test_a_run_that_failed_does_not_bend_the_curve():
    losses = drawn(seeds=6)
    failed = losses.copy()
    failed[2, 4] = 0.5
    clean, moved = (fitted(SIZES, one).at([800])[0] for one in (losses, failed))
    assert abs(moved - clean) < 0.01
    plain = optimize.curve_fit(
        lambda n, floor, above, exponent: floor + above * (n / 400) ** -exponent,
        np.tile(SIZES, 6),
        failed.ravel(),
        [0.05, 0.05, 0.5],
        bounds=([0, 0, 0.01], [1, 1, 3]),
    )[0]
    assert plain[0] + plain[1] * 2 ** -plain[2] - clean > 0.02


@settings(max_examples=8)
@given(st.permutations(range(5)))
def test_the_order_of_seeds_changes_nothing(order):
    losses = drawn()
    assert predict(SIZES, losses[order], [800], resamples=3) == predict(
        SIZES, losses, [800], resamples=3
    )


@settings(max_examples=8)
@given(st.floats(0.5, 50), st.integers(0, 20))
def test_the_unit_of_sizes_changes_nothing(unit, seed):
    losses = drawn(seed)
    one, other = fitted(SIZES, losses), fitted(unit * SIZES, losses)
    assert other.at([1600 * unit]) == pytest.approx(one.at([1600]), rel=1e-4)


def test_a_loss_shifted_with_its_least_shifts_the_law():
    losses = drawn()
    shifted = predict(SIZES, losses - 0.02, [800], least=-0.02, resamples=5)
    found = predict(SIZES, losses, [800], resamples=5)
    ends = [(one.estimate, one.lo, one.hi) for one in (found.at[0], shifted.at[0])]
    assert ends[1] == pytest.approx([end - 0.02 for end in ends[0]], abs=1e-4)


def test_the_interval_of_a_level_law_is_that_of_two_means():
    """With no slope to find, the law is a mean of all runs, and d half its plain interval."""
    losses = np.random.default_rng(3).normal(0.2, 0.01, (400, 5))
    (one,) = predict(SIZES, losses, [800], resamples=100).at
    of_new = 1.96 * 0.01 / math.sqrt(400)
    of_law = 1.96 * 0.01 / math.sqrt(400 * 5)
    assert one.hi - one.estimate == pytest.approx(math.hypot(of_new, of_law), rel=0.25)
    assert one.lo > 0.2 - 3 * math.hypot(of_new, of_law)


def test_beyond_the_largest_size_no_end_rises():
    found = predict(SIZES, drawn(2), [100, 400, 800, 1600, 6400], resamples=20)
    highs = [one.hi for one in found.at]
    assert highs[1:] == sorted(highs[1:], reverse=True)
    assert all(0 <= one.lo <= one.estimate <= one.hi for one in found.at)


def test_lack_of_fit_is_the_f_test_of_the_textbook():
    losses = drawn(4)
    losses[:, 2] += 0.03
    found = predict(SIZES, losses, [800], resamples=2)
    seeds = np.repeat(np.eye(5), 5, axis=0)
    sizes = np.tile(np.eye(5), (5, 1))
    design = np.concatenate([seeds, sizes], axis=1)
    rest = losses.ravel() - design @ np.linalg.lstsq(design, losses.ravel(), rcond=None)[0]
    means = losses.mean(axis=0)
    lack = 5 * ((means - found.law.at(SIZES)) ** 2).sum() / (5 - found.law.free)
    assert found.misfit == pytest.approx(
        stats.f.sf(lack / ((rest**2).sum() / 16), 5 - found.law.free, 16)
    )
    assert found.misfit < 0.01 < predict(SIZES, drawn(4), [800], resamples=2).misfit


def test_a_floor_is_known_where_the_curve_has_reached_it():
    reached = predict(SIZES, drawn(1, 8, 0.1, 25.0, 1.5, 0.005), [800], resamples=30)
    assert reached.knows_floor
    assert reached.floor[0] < 0.1 < reached.floor[1]
    assert not predict(SIZES, drawn(1, exponent=0.3), [800], resamples=30).knows_floor


def test_an_interval_wider_than_the_loss_is_useless():
    law = Law(floor=0.02, above=0.03, exponent=0.5, largest=400)
    found = Prediction(law, (), (0.0, 0.04), 0.01, 0.5)
    (one,) = predict(SIZES, drawn(), [800], resamples=2).at
    wide, narrow = (
        type(one)(size=800, estimate=0.04, lo=0.04 - half, hi=0.04 + half)
        for half in (0.026, 0.024)
    )
    assert found.is_useless(wide)
    assert not found.is_useless(narrow)


@pytest.mark.parametrize(
    ("sizes", "losses", "told"),
    [
        (SIZES, np.zeros((3, 4)), r"a column for each of the sizes \(5,\), got \(3, 4\)"),
        (SIZES, np.full((3, 5), np.nan), "losses must be finite"),
        (SIZES[::-1], np.zeros((3, 5)), "sizes must be above 0 and rise"),
        (REAL, np.zeros((3, 7)), "sizes must be above 0 and rise"),
        (SIZES, np.zeros((1, 5)), "give losses of two seeds or more"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sizes, losses, told):
    with pytest.raises(ContractError, match=told):
        predict(sizes, losses, [800])
