import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, logit

from experiments.statistics import few_images
from experiments.statistics.coverage import (
    SCALES,
    World,
    by_bootstrap,
    by_influence,
    covered,
    experiment,
    few_positives,
    few_seeds,
    simulate,
)
from experiments.statistics.influence import auroc_influence
from tgap.core import ContractError
from tgap.metrics.few_errors import model_variance
from tgap.metrics.intervals import interval, interval_of_covariance, recovered
from tgap.metrics.significance import p_of_interval


def locked(array):
    array.setflags(write=False)
    return array


def draws(values, shared, own, resamples=4_000, seed=0):
    """Replicates with a common noise and one of each seed's own, exactly these in the sample."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(resamples, len(values) + 1))
    noise -= noise.mean(axis=0)
    noise = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise, rowvar=False))).T
    return locked(values + shared * noise[:, :1] + own * noise[:, 1:])


VALUES = locked(np.array([0.70, 0.74, 0.75, 0.81]))


def test_variance_is_that_between_seeds_and_what_they_share():
    found = interval(VALUES, draws(VALUES, shared=0.02, own=0.05))
    of_seeds = VALUES.var(ddof=1) / 4
    assert found.estimate == VALUES.mean()
    assert found.standard_error**2 == pytest.approx(of_seeds + 0.02**2)
    assert found.degrees_of_freedom == pytest.approx(3 * (of_seeds + 0.02**2) / of_seeds)
    half = stats.t.ppf(0.975, found.degrees_of_freedom) * found.standard_error
    assert (found.lo, found.hi) == pytest.approx((VALUES.mean() - half, VALUES.mean() + half))
    assert found.n_seeds == 4


def test_seeds_with_their_own_test_images_give_the_interval_of_a_t_test():
    found = interval(VALUES, draws(VALUES, shared=0, own=0.05))
    expected = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    assert (found.lo, found.hi) == pytest.approx((expected.low, expected.high), rel=1e-6)


def test_equal_seeds_on_one_test_set_give_the_normal_interval_of_its_images():
    values = np.full(5, 0.75)
    found = interval(values, draws(values, shared=0.03, own=0))
    assert math.isinf(found.degrees_of_freedom)
    assert (found.lo, found.hi) == pytest.approx(stats.norm(0.75, 0.03).interval(0.95))


def test_few_patients_widen_the_images_part():
    replicates = draws(VALUES, shared=0.02, own=0.01)
    of_seeds, of_images = VALUES.var(ddof=1) / 4, 0.02**2
    found = interval(VALUES, replicates, image_freedom=9.0)
    expected = (of_seeds + of_images) / (of_seeds / 3 + of_images / 9)
    assert found.degrees_of_freedom == pytest.approx(expected)
    many = interval(VALUES, replicates)
    assert found.standard_error == many.standard_error
    assert found.hi > many.hi


def test_one_seed_has_the_interval_of_its_test_images():
    value = np.array([0.8])
    found = interval(value, draws(value, shared=0.03, own=0.04))
    assert (found.lo, found.hi) == pytest.approx(stats.norm(0.8, 0.05).interval(0.95))
    assert found.n_seeds == 1
    few = interval(value, draws(value, shared=0.03, own=0.04), image_freedom=12.0)
    assert (few.lo, few.hi) == pytest.approx(stats.t(12, 0.8, 0.05).interval(0.95))


def test_scales_are_symmetric_after_the_delta_method():
    replicates = draws(VALUES, shared=0.02, own=0.01)
    plain = interval(VALUES, replicates)
    half, mean = plain.hi - plain.estimate, plain.estimate
    log = interval(VALUES, replicates, scale="log")
    assert np.log([log.lo, log.hi]) == pytest.approx(np.log(mean) + np.array([-1, 1]) * half / mean)
    odds = interval(VALUES, replicates, scale="logit")
    shift = half / (mean * (1 - mean))
    assert [odds.lo, odds.hi] == pytest.approx(expit(logit(mean) + np.array([-1, 1]) * shift))
    assert log.standard_error == odds.standard_error == plain.standard_error


@given(
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6, unique_by=lambda v: round(v, 3)),
    st.floats(0.001, 0.2),
    st.sampled_from(["identity", "logit", "log"]),
)
@settings(max_examples=100)
def test_the_estimate_is_inside_and_the_scale_is_kept(values, noise, scale):
    # Seeds that agree exactly, on images that share nothing, leave no variance and no interval.
    values = np.array(values)
    replicates = values + noise * np.random.default_rng(0).normal(size=(100, len(values)))
    found = interval(values, replicates, scale=scale)
    assert found.lo < found.estimate < found.hi or found.hi == found.estimate == 1
    if scale != "identity":
        assert found.lo >= 0
    if scale == "logit":
        assert found.hi <= 1
    wider = interval(values, replicates, level=0.99, scale=scale)
    assert wider.lo <= found.lo
    assert wider.hi >= found.hi


def test_order_of_seeds_does_not_matter_and_nothing_is_random():
    replicates = draws(VALUES, shared=0.02, own=0.01)
    before = np.random.get_state()[1].tolist()
    found, again = interval(VALUES, replicates), interval(VALUES, replicates)
    turned = interval(VALUES[::-1], replicates[:, ::-1])
    assert found == again
    assert (turned.lo, turned.hi) == pytest.approx((found.lo, found.hi))
    assert np.random.get_state()[1].tolist() == before


def is_undefined(found):
    return np.isnan(
        [found.lo, found.hi, found.standard_error, found.degrees_of_freedom]
    ).all() and not np.isinf(found.estimate)


def test_few_undefined_resamples_are_left_out_and_many_are_not():
    replicates = draws(VALUES, shared=0.02, own=0.01, resamples=200).copy()
    replicates[:6, 0] = np.nan
    replicates[6:10, 3] = np.nan
    assert interval(VALUES, replicates) == interval(VALUES, replicates[10:])
    replicates[10, 1] = np.nan
    found = interval(VALUES, replicates)
    assert is_undefined(found)
    assert found.estimate == VALUES.mean()


def test_an_undefined_seed_makes_all_undefined():
    values = np.array([0.7, np.nan, 0.8])
    found = interval(values, np.full((100, 3), 0.7) + np.arange(100)[:, None] / 1e3)
    assert is_undefined(found)
    assert math.isnan(found.estimate)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("value", [1.0, 0.95, 0.1])
def test_no_variance_at_all_is_no_certainty(seeds, value):
    values = np.full(seeds, value)
    found = interval(values, np.full((500, seeds), value))
    assert is_undefined(found)
    assert found.estimate == pytest.approx(value)


def test_an_estimate_at_the_end_of_its_scale_has_no_interval():
    for value, scale in ((1.0, "logit"), (0.0, "logit"), (0.0, "log"), (-0.1, "log")):
        values = np.full(3, value)
        found = interval(values, draws(values, shared=0.01, own=0.01), scale=scale)
        assert np.isnan([found.lo, found.hi]).all()
        assert found.standard_error == pytest.approx(0.01)


def test_one_perfect_seed_among_others_is_fine():
    values = np.array([1.0, 0.98, 0.99])
    found = interval(values, draws(values, shared=0.002, own=0.002), scale="logit")
    assert 0.85 < found.lo < 0.99 < found.hi < 1


@pytest.mark.parametrize("freedom", [0.0, 3.0, 3.99, math.nan])
def test_few_patients_or_positives_have_no_interval(freedom):
    replicates = draws(VALUES, shared=0.02, own=0.01)
    found = interval(VALUES, replicates, image_freedom=freedom)
    assert is_undefined(found)
    assert found.estimate == VALUES.mean()
    assert not is_undefined(interval(VALUES, replicates, image_freedom=4.0))


def test_a_ratio_that_seeds_leave_open_has_an_open_interval():
    values = np.array([0.1, 0.9])  # t is 6,366
    found = interval(values, draws(values, shared=0, own=0.1), level=0.9999, scale="log")
    assert (found.lo, found.estimate, found.hi) == (0, 0.5, math.inf)


@pytest.mark.parametrize("shape", [(100, 3), (100,), (1, 4)])
def test_replicates_must_fit_the_values(shape):
    with pytest.raises(ContractError, match=r"resampled must be \(B, 4\) with B >= 2"):
        interval(VALUES, np.zeros(shape))


def test_level_and_scale_are_checked():
    replicates = draws(VALUES, shared=0.02, own=0.01)
    with pytest.raises(ContractError, match=r"level must be between 0 and 1, e.g. 0.95, got 95"):
        interval(VALUES, replicates, level=95)
    with pytest.raises(ContractError, match="scale must be one of identity, logit, log, got 'ln'"):
        interval(VALUES, replicates, scale="ln")
    with pytest.raises(ContractError, match=r"values must be \(S,\) with S >= 1"):
        interval_of_covariance(np.zeros(0), np.zeros((0, 0)))


# Three standard errors of a coverage of .95 in 150 repetitions are .053
@pytest.mark.parametrize(
    "world",
    [
        World("seeds", 250, 0.30, 0.3, 0.3),
        World("test images", 250, 0.02, 0.5, 0.8),
        World("both", 250, 0.12, 0.4, 0.6),
    ],
    ids=lambda world: world.name,
)
def test_intervals_cover_the_truth(world):
    found, truth = simulate(world, (3, 5), 150), world.truth()
    for (name, seeds), intervals in found.items():
        assert covered(intervals, truth[name]) >= 0.897, (name, seeds)
        assert np.mean([math.isnan(i.lo) for i in intervals]) <= 0.05


def test_intervals_by_resampling_cover_the_truth():
    world = World("both", 250, 0.12, 0.4, 0.6)
    found, truth = simulate(world, (3,), 60, bootstrap=True), world.truth()
    for (name, _), intervals in found.items():
        assert covered(intervals, truth[name]) >= 0.865, name  # three standard errors


def test_a_difference_of_methods_is_covered_where_images_are_not_the_same_to_both():
    world = World("", 250, 0.05, 0.2, 0.2, method=0.6)
    intervals = simulate(world, (5,), 150)["difference", 5]
    assert covered(intervals, 0.0) >= 0.897
    estimates = [its.estimate for its in intervals]
    assert np.std(estimates) > 0.02  # far beyond what seeds make of it, .05 * .2 * (2 / 5)^.5


def test_seeds_that_collapse_are_beyond_the_intervals():
    world = World("", 500, 0.05, 0.2, 0.2, collapse=0.1)
    assert covered(simulate(world, (3,), 100)["TSTR", 3], world.truth()["TSTR"]) < 0.85


@pytest.mark.parametrize("separation", [1.0, 2.0])
@pytest.mark.parametrize("positives", [2, 5, 15])
def test_with_few_positives_an_interval_covers(positives, separation):
    coverage, none = few_positives(positives, separation, 500)
    assert none == 0
    assert coverage >= 0.92


@pytest.mark.parametrize("truth", [0.6, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("patients", [3, 5, 12])
def test_with_few_test_images_intervals_cover(patients, truth):
    for coverage, _ in few_images.simulate(patients, truth, 1, 1, 200).values():
        assert coverage >= 0.91  # three standard errors below .95 are .904


def perfect(value, patients, seeds=1, scale="logit"):
    values = np.full(seeds, value)
    replicates = np.full((500, seeds), value)
    return interval(values, replicates, scale=scale, image_freedom=patients - 1)


@pytest.mark.parametrize("patients", [3, 5, 12, 40])
def test_aurocs_of_0_and_1_have_intervals_that_mirror_each_other(patients):
    best, worst = perfect(1.0, patients), perfect(0.0, patients)
    assert 0.4 < best.lo < best.hi == 1
    assert (worst.lo, worst.hi) == pytest.approx((0, 1 - best.lo))


def test_the_interval_of_an_auroc_without_errors_is_newcombes():
    """Newcombe 2006, method 5, solved by a root finder of its own."""
    n, z = 12, stats.norm.ppf(0.975)

    def beyond(x):
        alike = (1 - x) / (2 - x) + x / (1 + x)
        return (1 - x) ** 2 - z**2 * x * (1 - x) * (1 + (n - 1) * alike) / n**2

    assert perfect(1.0, n).lo == pytest.approx(brentq(beyond, 0.01, 0.99))
    assert perfect(1.0, n, seeds=5).lo == perfect(1.0, n).lo  # they share the test images


def test_intervals_narrow_with_images_and_move_with_the_estimate():
    los = [perfect(1.0, n).lo for n in (2, 3, 5, 10, 12, 20, 40, 100, 1000)]
    assert los == sorted(los)
    assert los[3] == pytest.approx(0.80, abs=0.01)  # the floor of what may be said
    values = [0.0, 0.02, 0.2, 0.5, 0.8, 0.98, 1.0]
    ends = []
    for value in values:
        spread = math.sqrt(model_variance(value, 8))
        replicates = value + spread * np.random.default_rng(0).normal(size=(500, 1))
        found = interval(np.array([value]), replicates, scale="logit", image_freedom=7.0)
        ends.append((found.lo, found.hi))
    assert ends == sorted(ends)


def test_where_resamples_are_undefined_or_equal_the_model_stands_for_them():
    values = np.array([0.8])
    found = interval(values, np.full((100, 1), np.nan), scale="logit", image_freedom=2.0)
    assert found.lo < 0.4
    assert 0.8 < found.hi < 1
    equal = interval(values, np.full((100, 1), 0.8), scale="logit", image_freedom=2.0)
    assert (equal.lo, equal.hi) == (found.lo, found.hi)  # e.g. labels with 1 and with .6
    one_patient = interval(values, np.full((100, 1), np.nan), scale="logit", image_freedom=0.0)
    assert is_undefined(one_patient)


# Ratios and differences of AUROCs that show few errors


def test_a_gap_of_aurocs_without_errors_goes_as_far_as_theirs_do():
    leg = perfect(1.0, 8)
    gap = recovered(perfect(0.0, 8, scale="identity"), leg, leg, scale="identity")
    assert (gap.estimate, gap.lo, gap.hi) == pytest.approx((0, leg.lo - 1, 1 - leg.lo))
    ratio = recovered(perfect(1.0, 8, scale="log"), leg, leg, scale="log")
    assert (ratio.lo, ratio.hi) == pytest.approx((leg.lo, 1 / leg.lo))


def test_a_gap_to_an_auroc_without_errors_is_wider_than_the_other_leg_alone():
    patients, value = 30, np.array([0.75])
    replicates = draws(value, shared=0.05, own=0.0)
    other = interval(value, replicates, scale="logit", image_freedom=patients - 1)
    plain = interval(1 - value, 1 - replicates, image_freedom=patients - 1)
    gap = recovered(plain, perfect(1.0, patients), other, scale="identity")
    assert gap.lo < 1 - other.hi
    assert gap.hi == pytest.approx(1 - other.lo)
    assert p_of_interval(gap) < 0.05
    nothing = replace(other, lo=math.nan, hi=math.nan)
    assert math.isnan(recovered(plain, perfect(1.0, patients), nothing, scale="identity").lo)
    assert recovered(plain, other, other, scale="identity") == plain


def test_what_a_ratio_of_perfect_legs_does_not_show_is_in_the_difference_of_two():
    leg = perfect(1.0, 8)
    ratio = recovered(perfect(1.0, 8, scale="log"), leg, leg, scale="log")
    assert ratio.unseen > 0
    nothing = perfect(0.0, 8, scale="identity")
    difference = recovered(nothing, ratio, ratio, scale="identity")
    half = math.hypot(1 - ratio.lo, ratio.hi - 1)
    assert (difference.lo, difference.hi) == pytest.approx((-half, half))
    assert p_of_interval(difference) == 1


@settings(max_examples=60, deadline=None)
@given(
    trains=st.lists(st.floats(0.85, 0.97), min_size=3, max_size=8),
    few=st.floats(0.99, 0.9999),
    patients=st.integers(30, 400),
    seed=st.integers(0, 99),
)
def test_nothing_is_unseen_twice_in_differences_of_gaps_and_ratios(trains, few, patients, seed):
    """Two methods of which the classifier of real images makes hardly an error."""
    rng = np.random.default_rng(seed)
    n, freedom = len(trains), patients - 1.0
    tstr = np.array([trains, np.clip(np.array(trains) + rng.normal(0, 0.01, n), 0.5, 0.99)])
    trts = np.clip(few + rng.normal(0, 0.001, (2, n)), 0.9, 1)
    images = rng.normal(0, 0.01, (200, 1, 1))
    drawn = [np.clip(x + images + rng.normal(0, 0.005, (200, 2, n)), 0, 1) for x in (tstr, trts)]
    gaps = []
    for side in range(2):
        legs = [
            interval(x[side], d[:, side], scale="logit", image_freedom=freedom)
            for x, d in zip((trts, tstr), drawn[::-1], strict=True)
        ]
        plain = interval(trts[side] - tstr[side], drawn[1][:, side] - drawn[0][:, side])
        gaps.append(recovered(plain, *legs, scale="identity"))
    assert min(gap.unseen for gap in gaps) >= 0
    difference = interval(
        (trts - tstr)[0] - (trts - tstr)[1],
        (drawn[1] - drawn[0])[:, 0] - (drawn[1] - drawn[0])[:, 1],
        image_freedom=freedom,
    )
    found = recovered(difference, *gaps, scale="identity")
    assert found.unseen >= 0
    assert found.hi - found.lo > 0.7 * (difference.hi - difference.lo)


def test_seeds_that_happen_to_be_alike_are_not_surer_than_their_images_allow():
    alike = locked(np.array([0.020, 0.021, 0.019]))
    replicates = draws(alike, shared=0.0, own=0.02)
    plain, cautious = (interval(alike, replicates, cautious=c) for c in (False, True))
    assert plain.standard_error == pytest.approx(0.001 / math.sqrt(3), rel=0.05)
    assert cautious.standard_error == pytest.approx(0.02 / math.sqrt(3), rel=0.02)
    assert p_of_interval(plain) < 0.001
    assert p_of_interval(cautious) > 0.1
    apart = draws(VALUES, shared=0.02, own=0.01)
    assert interval(VALUES, apart, cautious=True) == interval(VALUES, apart)


def test_what_two_aurocs_have_in_common_narrows_their_difference():
    values = np.array([0.95, 0.93])
    shared, own = draws(values, shared=0.04, own=0.001), draws(values, shared=0.0, own=0.04)

    def gap(replicates):
        first, second = (
            interval(values[[i]], replicates[:, [i]], scale="logit", image_freedom=19.0)
            for i in (0, 1)
        )
        paired = interval(values[:1] - values[1:], replicates[:, :1] - replicates[:, 1:])
        return recovered(paired, first, second, scale="identity")

    assert gap(shared).hi - gap(shared).lo < 0.8 * (gap(own).hi - gap(own).lo)


@pytest.mark.parametrize("estimate", [0.0, math.nan])
def test_a_ratio_of_nothing_has_no_interval(estimate):
    leg = perfect(0.0, 8)
    number = replace(perfect(1.0, 8, scale="log"), estimate=estimate)
    assert math.isnan(recovered(number, leg, perfect(1.0, 8), scale="log").lo)


def test_truth_of_the_simulation_is_the_mean_of_many_seeds():
    world = World("", 1, 0.3, 0.3, 0.3)
    rng = np.random.default_rng(0)
    luck = rng.normal(size=(2, 400_000))
    tstr = stats.norm.cdf((1.0 + 0.3 * luck[0]) / math.sqrt(2))
    trts = stats.norm.cdf((1.8 + 0.3 * (0.3 * luck[0] + math.sqrt(0.91) * luck[1])) / math.sqrt(2))
    truth = world.truth()
    collapsing = replace(world, collapse=0.2).truth()
    learned = np.where(rng.random(400_000) < 0.2, 0.5, tstr)
    assert collapsing["FTER"] == pytest.approx((learned / trts).mean(), abs=1e-3)
    assert truth["TRTS"] == collapsing["TRTS"] == pytest.approx(trts.mean(), abs=5e-4)
    assert truth["TSTR"] == pytest.approx(stats.norm.cdf(1 / math.sqrt(2.09)), abs=1e-9)
    assert truth["FTER"] == pytest.approx((tstr / trts).mean(), abs=5e-4)
    assert truth["T-Gap"] == pytest.approx((trts - tstr).mean(), abs=5e-4)


def test_the_closed_form_of_the_simulation_agrees_with_resampling():
    rng = np.random.default_rng(1)
    real, synthetic = experiment(World("both", 1_000, 0.12, 0.4, 0.6), 3, rng)
    closed, resampled = by_influence(real, synthetic, rng), by_bootstrap(real, synthetic, rng)
    for name in SCALES:
        values, covariance = closed[name]
        np.testing.assert_allclose(values, resampled[name][0])
        expected = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(resampled[name][1].std(axis=0), expected, rtol=0.12)


def test_the_closed_form_is_that_of_all_pairs():
    """DeLong, DeLong & Clarke-Pearson 1988, equations 2 to 6, from the matrix of all pairs."""
    rng = np.random.default_rng(0)
    labels = rng.random(60) < 0.4
    scores = rng.integers(4, size=60) + labels  # many ties
    positives, negatives = scores[labels][:, None], scores[~labels][None, :]
    kernel = (positives > negatives) + 0.5 * (positives == negatives)
    by_side = kernel.mean(axis=1), kernel.mean(axis=0)
    expected = sum(placements.var(ddof=1) / len(placements) for placements in by_side)
    influence = auroc_influence(scores, labels)
    assert (influence**2).sum() == pytest.approx(expected)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_at_three_seeds_it_covers_where_satterthwaite_does_not():
    ours, usual = few_seeds(3, 0.9, 3_000)  # one standard error is .004
    assert ours >= 0.93
    assert usual < 0.93
