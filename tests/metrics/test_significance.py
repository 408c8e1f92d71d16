import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics import power as simulation
from tgap.core import ContractError
from tgap.metrics.intervals import interval_of_covariance
from tgap.metrics.significance import equivalence, holm, in_words, p_of_interval


def locked(values):
    array = np.asarray(values, np.float64)
    array.flags.writeable = False
    return array


differences = st.lists(st.floats(-0.1, 0.1).map(lambda x: round(x, 3)), min_size=3, max_size=8)


@given(differences.filter(lambda d: len(set(d)) > 1))
def test_the_p_value_of_an_interval_of_seeds_is_that_of_the_t_test(values):
    seeds = len(values)
    found = p_of_interval(interval_of_covariance(locked(values), np.zeros((seeds, seeds))))
    assert found == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=1e-9)


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


p_values = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=6)


@settings(max_examples=25)
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


@pytest.mark.parametrize(
    ("p", "seeds", "comparisons", "words"),
    [
        (0.0468, 5, 1, "differ: p = .047 (5 seeds)"),
        (0.0004, 15, 6, "differ: p < .001 (15 seeds, 6 comparisons, Holm)"),
        (0.0999, 8, 1, "no difference shown: p = .10 (8 seeds)"),
        (1.0, 3, 3, "no difference shown: p = 1 (3 seeds, 3 comparisons, Holm)"),
        (math.nan, 8, 1, "no test: no interval is justified"),
        (0.001, 2, 1, "no test: 2 seeds, and it takes 3"),
        (math.nan, 1, 1, "no test: 1 seed, and it takes 3"),
    ],
)
def test_words(p, seeds, comparisons, words):
    assert in_words(p, seeds, comparisons) == words


def test_words_of_a_limited_claim_and_of_a_trend():
    on_these = {"where": "on these test images"}
    assert in_words(0.01, 5, **on_these) == "differ on these test images: p = .010 (5 seeds)"
    assert in_words(0.3, 5, **on_these).startswith("no difference shown on these test images: p")
    assert in_words(0.01, 5, verb="falls", noun="trend") == "falls: p = .010 (5 seeds)"


def test_five_seeds_tell_a_difference_of_7_points_and_the_sign_flip_test_cannot():
    claims = simulation.simulate(simulation.USUAL, 0.07, 40)
    by_interval, by_sign_flip = claims["3 methods", 5][:, :, 0].mean(axis=0)
    assert by_interval > 0.5
    assert by_sign_flip == 0


@pytest.mark.parametrize("field", simulation.FIELDS, ids=lambda field: field.world.name)
def test_equal_methods_are_seldom_told_to_differ(field):
    claims = simulation.simulate(field, 0.0, 30)
    errors = np.mean([told[:, 0].any(axis=1) for told in claims.values()])
    assert errors <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 30)


def test_unadjusted_pairs_would_be(monkeypatch):
    monkeypatch.setattr(simulation, "holm", lambda p: p)
    told = simulation.simulate(simulation.FIELDS[0], 0.0, 40)["5 methods", 8]
    assert told[:, 0].any(axis=1).mean() > 0.15


def test_the_sign_flip_test_takes_these_images_for_all():
    own_way = next(f for f in simulation.FIELDS if f.world.method)
    by_interval, by_sign_flip = simulation.simulate(own_way, 0.0, 60)["2 methods", 8].mean(axis=0)[
        :, 0
    ]
    assert by_sign_flip > 0.2
    assert by_interval <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)


def test_the_sign_flip_test_of_the_simulation_is_scipys():
    d = np.random.default_rng(0).normal(0.5, 1, 8)
    found = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert simulation.sign_flip(locked(d)) == pytest.approx(found.pvalue, abs=1e-12)
    assert simulation.sign_flip(locked([0.02, 0.01, 0.03, 0.01, 0.02])) == 0.0625
