import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics import power as simulation
from experiments.statistics.power import power
from tgap.core import ContractError
from tgap.metrics import significance as comparison
from tgap.metrics.intervals import interval_of_covariance
from tgap.metrics.significance import (
    EXACT_SEEDS,
    equivalence,
    holm,
    in_words,
    p_of_interval,
    sign_flip,
    smallest_p,
)

whole = st.lists(st.integers(-4, 4), min_size=1, max_size=9)  # small integers: many ties


@pytest.fixture(autouse=True, scope="module")
def spared():
    """Statsmodels collects garbage at each of Holm's corrections."""
    with simulation.spared_by_the_collector():
        yield


def locked(values):
    array = np.asarray(values, np.float64)
    array.flags.writeable = False
    return array


def listed(differences):
    """Every pattern, in exact integers."""
    observed = abs(sum(differences))
    signed = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(value >= observed for value in signed) / len(signed)


@settings(deadline=None)
@given(whole, st.sampled_from([1.0, 0.1, 1e-7, 1e6]))
def test_sign_flip_is_the_share_of_patterns_with_ties_whatever_the_scale(values, scale):
    assert sign_flip(locked(values) * scale) == listed(values)


def test_sign_flip_agrees_with_scipys_permutation_test():
    d = np.random.default_rng(0).normal(0.5, 1, 11)
    found = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(locked(d)) == pytest.approx(found.pvalue, abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, EXACT_SEEDS))
def test_the_smallest_p_is_reached_when_all_seeds_agree(seeds):
    agree = locked(np.linspace(1, 2, seeds))
    assert sign_flip(agree) == sign_flip(-agree) == smallest_p(seeds) == 2 / 2**seeds


def test_drawn_patterns_agree_with_counted_ones(monkeypatch):
    d = np.random.default_rng(1).normal(0.25, 1, 20)
    exact = sign_flip(locked(d))
    monkeypatch.setattr(comparison, "EXACT_SEEDS", 10)
    drawn = sign_flip(locked(d), np.random.default_rng(0))
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=5 * math.sqrt(exact / comparison.DRAWS))
    assert sign_flip(locked(d), np.random.default_rng(0)) == drawn


def test_drawn_p_values_are_never_zero():
    many = locked(np.ones(60))
    assert sign_flip(many, np.random.default_rng(0)) == smallest_p(60) == 1e-5
    with pytest.raises(ContractError, match="got 60 seeds and none"):
        sign_flip(many)


def test_sign_flip_where_nothing_differs_or_is_known():
    assert sign_flip(locked([0, 0, 0])) == 1
    assert sign_flip(locked([0.3])) == 1
    assert math.isnan(sign_flip(locked([0.1, math.nan])))
    with pytest.raises(ContractError, match=r"one per seed, got \(0,\)"):
        sign_flip(locked([]))


differences = st.lists(st.floats(-0.1, 0.1).map(lambda x: round(x, 3)), min_size=3, max_size=8)


@settings(deadline=None)
@given(differences.filter(lambda d: len(set(d)) > 1))
def test_the_p_value_of_an_interval_of_seeds_is_that_of_the_t_test(values):
    seeds = len(values)
    found = p_of_interval(interval_of_covariance(locked(values), np.zeros((seeds, seeds))))
    assert found == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=1e-9)


@settings(deadline=None)
@given(differences.filter(lambda d: len(set(d)) > 1), st.floats(0, 0.01))
def test_the_p_value_of_an_interval_is_below_the_level_where_it_excludes_0(values, shared):
    seeds = len(values)
    interval = interval_of_covariance(
        locked(values), np.full((seeds, seeds), shared), image_freedom=30
    )
    assert (p_of_interval(interval) < 0.05) == (not interval.lo <= 0 <= interval.hi)


def test_without_an_interval_there_is_no_p_value_of_it():
    undefined = interval_of_covariance(locked([0.1, 0.1]), np.zeros((2, 2)))
    assert math.isnan(p_of_interval(undefined))


def test_smallest_p_counts_comparisons():
    assert smallest_p(5, 3) == pytest.approx(0.1875)
    assert smallest_p(8, 6) < 0.05 < smallest_p(8, 7)
    assert smallest_p(2, 10) == 1
    with pytest.raises(ContractError, match="at least 1, got 0 and 1"):
        smallest_p(0)


p_values = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=6)


@settings(deadline=None, max_examples=25)
@given(p_values)
def test_holm_by_its_definition(values):
    adjusted = holm(locked(values))
    defined = [p for p in values if not math.isnan(p)]
    for p, got in zip(values, adjusted, strict=True):
        if math.isnan(p):
            assert math.isnan(got)
        else:  # the largest of the steps up to this one
            steps = [sum(other >= q for other in defined) * q for q in defined if q <= p]
            assert got == pytest.approx(min(1, max(steps)))


def test_holm_refuses_what_is_no_p_value():
    with pytest.raises(ContractError, match="between 0 and 1"):
        holm(locked([1.5]))


@settings(deadline=None)
@given(differences)
def test_equivalence_is_the_worse_of_two_one_sided_t_tests(values):
    if len(set(values)) == 1:
        assert math.isnan(equivalence(locked(values), 0.02))
        return
    above = stats.ttest_1samp(values, -0.02, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.02, alternative="less").pvalue
    assert equivalence(locked(values), 0.02) == pytest.approx(max(above, below), abs=1e-9)


def test_equivalence_needs_three_seeds_that_vary_and_a_margin():
    assert math.isnan(equivalence(locked([0.0, 0.001]), 0.02))
    assert math.isnan(equivalence(locked([0.0, math.nan, 0.001]), 0.02))
    differ_by_rounding = [0.01, 0.3 - 0.29, 0.02 - 0.01]
    assert len(set(differ_by_rounding)) > 1
    assert math.isnan(equivalence(locked(differ_by_rounding), 0.02))
    assert equivalence(locked([0.0, 0.001, 0.0]), 0.02) < 0.001
    with pytest.raises(ContractError, match="margin must be above 0, got 0"):
        equivalence(locked([0.0, 0.1]), 0)


def test_power_is_the_level_under_the_null_and_grows_with_the_difference():
    # With 8 seeds the largest p-value within .05 is 12/256, which the exact test reaches.
    level = power(0.0, 1.0, 8, rng=np.random.default_rng(0), repetitions=4000)
    assert level == pytest.approx(12 / 256, abs=0.013)  # 4 standard errors
    rng = np.random.default_rng(1)
    rising = [power(0.03, spread, 8, rng=rng) for spread in (0.08, 0.04, 0.02, 0.002)]
    assert rising == sorted(rising)
    assert rising[-1] == 1


def test_power_is_near_that_of_the_t_test():
    seeds, effect = 14, 0.8
    t = stats.nct(seeds - 1, effect * math.sqrt(seeds))
    expected = t.sf(stats.t.ppf(0.975, seeds - 1))
    got = power(effect, 1.0, seeds, rng=np.random.default_rng(2), repetitions=3000)
    assert got == pytest.approx(expected, abs=0.04)


def test_no_difference_is_found_by_too_few_seeds():
    assert power(9.0, 1e-6, 5, rng=np.random.default_rng(0)) == 0
    assert power(9.0, 1e-6, 8, comparisons=7, rng=np.random.default_rng(0)) == 0
    with pytest.raises(ContractError, match="spread must be above 0"):
        power(0.1, 0.0, 8, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("p", "seeds", "comparisons", "words"),
    [
        (0.1875, 5, 3, "underpowered: 5 seeds, at best p = .19 (3 comparisons, Holm)"),
        (0.0625, 5, 1, "underpowered: 5 seeds, at best p = .062"),
        (1.0, 1, 1, "underpowered: 1 seed, at best p = 1"),
        (0.0078125, 8, 1, "differ: p = .008 (8 seeds)"),
        (0.0004, 15, 6, "differ: p < .001 (15 seeds, 6 comparisons, Holm)"),
        (0.0999, 8, 1, "no difference shown: p = .10 (8 seeds)"),
        (math.nan, 8, 1, "not defined"),
        # Others in the family had more seeds, so Holm asked less of this one than of the first.
        (0.0468, 8, 10, "differ: p = .047 (8 seeds, 10 comparisons, Holm)"),
        (0.0625, 6, 10, "no difference shown: p = .062 (6 seeds, 10 comparisons, Holm)"),
        (0.3125, 6, 10, "underpowered: 6 seeds, at best p = .31 (10 comparisons, Holm)"),
    ],
)
def test_words(p, seeds, comparisons, words):
    assert in_words(p, 0.01, seeds, comparisons) == words


@pytest.mark.parametrize("p_new_images", [0.051, 1.0, math.nan])
def test_a_difference_is_claimed_of_other_test_images_only_where_their_p_value_agrees(p_new_images):
    assert in_words(0.0078125, p_new_images, 8) == (
        "differ on these test images: p = .008 (8 seeds); not shown for other test images"
    )
    assert in_words(0.5, p_new_images, 8) == "no difference shown: p = .50 (8 seeds)"


def test_holm_keeps_the_family_wise_error():
    rng = np.random.default_rng(0)
    for family in simulation.FAMILIES:
        error = simulation.family_wise_error(family, 150, rng)
        assert error <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150), family
        if smallest_p(family.seeds, family.pairs) > 0.05:
            assert error == 0


def test_unadjusted_pairs_would_not_keep_it(monkeypatch):
    monkeypatch.setattr(simulation, "holm", lambda p: p)
    error = simulation.family_wise_error(
        simulation.Family(10, 8, "normal"), 100, np.random.default_rng(0)
    )
    assert error > 0.3


def test_on_new_test_images_the_sign_flip_errs_as_the_closed_form_says_and_both_tests_do_not():
    pair, three = simulation.Family(2, 8, "normal"), simulation.Family(3, 8, "normal")
    over_seeds, over_both, both = simulation.shares_of_error(
        pair, 0.9, 400, np.random.default_rng(0)
    )
    expected = simulation.closed_form_of_error(0.9, 8)
    assert expected == pytest.approx(0.48, abs=0.005)
    assert over_seeds == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 400))
    assert both <= over_both <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    family = simulation.shares_of_error(three, 0.5, 400, np.random.default_rng(1))
    assert family[0] > 0.09
    assert family[2] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_the_figure_and_tables_of_the_simulation(tmp_path):
    seeds, rng = [5, 8], np.random.default_rng(0)
    curves = simulation.power_curves(seeds, 40, rng)
    assert curves[0.01, 1, 0.05] == [0.0, 1.0]  # 5 seeds can find nothing
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        simulation.draw(curves, seeds, path)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "| 0.01 | 0.05 | 0.00 / 0.00 | 1.00 / " in simulation.power_table(curves, seeds)


def test_the_spread_that_eight_seeds_allow():
    spread = simulation.largest_spread(0.03, 8, 3, 0.8, 1500)
    assert 0.015 < spread < 0.023
    # All of Holm's steps find at least what the first one does.
    rng = np.random.default_rng(0)
    assert simulation.power_of_holm(0.03, spread, 8, 300, rng) > 0.8 - 3 * math.sqrt(0.16 / 300)
