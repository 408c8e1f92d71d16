import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MLstatkit import Delong_test
from scipy.stats import norm, t

from experiments.statistics.coverage import delong_rejections
from tgap.core.errors import ContractError
from tgap.metrics.classification import macro_auroc
from tgap.metrics.delong import (
    auroc_influence,
    delong_test,
    delta_interval_of_fter,
    macro_auroc_influence,
)
from tgap.metrics.resampling import effective_images, resampled_macro_auroc


def two_scores(n=200, decimals=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    a = np.round(rng.normal(size=n) + labels, decimals)
    b = np.round(0.5 * a + rng.normal(size=n) + labels, decimals)
    for array in (a, b, labels):
        array.setflags(write=False)
    return a, b, labels


def variance_by_pairs(scores, labels):
    """DeLong, DeLong & Clarke-Pearson 1988, equations 2 to 6, from the matrix of all pairs."""
    positives, negatives = scores[labels][:, None], scores[~labels][None, :]
    kernel = (positives > negatives) + 0.5 * (positives == negatives)
    return kernel.mean(axis=1).var(ddof=1) / len(positives) + kernel.mean(axis=0).var(ddof=1) / len(
        negatives.T
    )


@pytest.mark.parametrize("decimals", [8, 1, 0])  # no ties, some, many
@pytest.mark.parametrize("seed", range(3))
def test_the_test_is_that_of_mlstatkit(decimals, seed):
    a, b, labels = two_scores(200, decimals, seed)
    found = delong_test(a, b, labels)
    z, p, *_, auroc_a, auroc_b, info = Delong_test(labels, a, b)
    assert info["method"] == "delong"
    # its z has the other sign: it orders classes, not the difference
    assert abs(found.z) == pytest.approx(abs(z), abs=1e-9)
    assert found.p_value == pytest.approx(p, abs=1e-9)
    assert found.standard_error**2 == pytest.approx(info["var_diff"], abs=1e-12)
    assert (found.auroc_a, found.auroc_b) == pytest.approx((auroc_a, auroc_b), abs=1e-12)


def test_sign_follows_the_difference():
    a, b, labels = two_scores()
    found, turned = delong_test(a, b, labels), delong_test(b, a, labels)
    assert np.sign(found.z) == np.sign(found.auroc_a - found.auroc_b) != 0
    assert turned.z == -found.z
    assert turned.p_value == found.p_value


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 12))
@settings(max_examples=60)
def test_influence_is_that_of_all_pairs(seed, positives, negatives):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(positives + negatives) < positives)
    scores = rng.integers(4, size=len(labels)).astype(np.float32)
    influence = auroc_influence(scores, labels)
    assert (influence**2).sum() == pytest.approx(variance_by_pairs(scores, labels), abs=1e-12)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_influence_predicts_the_loss_of_an_image():
    a, _, labels = two_scores(400)
    influence = auroc_influence(a, labels)
    whole = macro_auroc(a[:, None], labels[:, None])
    for image in range(0, 400, 37):
        others = np.arange(400) != image
        without = macro_auroc(a[others, None], labels[others, None])
        assert without - whole == pytest.approx(-influence[image], abs=1e-4)


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_only_the_order_of_scores_matters(seed):
    a, b, labels = two_scores(50, 1, seed)
    found = delong_test(a, b, labels)
    assert delong_test(np.exp(a), b**3, labels) == found


def test_patients_make_the_error_larger_and_agree_with_resampling():
    rng = np.random.default_rng(0)
    patients = rng.integers(200, size=1_000)
    labels = rng.random(1_000) < rng.beta(0.5, 0.5, 200)[patients]
    scores = labels + 1.5 * rng.normal(size=200)[patients] + rng.normal(size=1_000)
    scores, labels = scores[:, None], labels[:, None]
    influence = macro_auroc_influence(scores, labels)
    by_patient = math.sqrt((np.bincount(patients, influence) ** 2).sum())
    resampled = resampled_macro_auroc(scores, labels, patients, 3_000, rng).std()
    assert by_patient == pytest.approx(resampled, rel=0.05)
    assert by_patient > 1.3 * math.sqrt((influence**2).sum())


def test_patients_of_one_image_each_change_nothing():
    a, b, labels = two_scores()
    patients = np.random.default_rng(0).permutation(200)
    with_patients = delong_test(a, b, labels, patients)
    assert with_patients.z == pytest.approx(delong_test(a, b, labels).z)


def test_few_patients_are_judged_by_students_t():
    a, b, labels = two_scores(60)
    patients = np.arange(60) // 10
    found = delong_test(a, b, labels, patients)
    assert found.p_value == pytest.approx(2 * t.sf(abs(found.z), 5))
    alone = delong_test(a, b, labels)
    assert alone.p_value == pytest.approx(2 * norm.sf(abs(alone.z)))
    assert math.isnan(delong_test(a, b, labels, np.zeros(60, np.int64)).p_value)


def test_with_eight_patients_the_level_is_kept():
    # Three standard errors are .02; by the normal distribution it is .10.
    assert delong_rejections(8, 1_000) == pytest.approx(0.05, abs=0.02)


def test_images_given_twice_are_no_evidence_when_they_are_one_patient():
    a, b, labels = (np.concatenate([x, x]) for x in two_scores())
    patients = np.tile(np.arange(200), 2)
    once = delong_test(*two_scores())
    assert delong_test(a, b, labels, patients).z == pytest.approx(once.z, rel=0.01)
    assert abs(delong_test(a, b, labels).z) > 1.3 * abs(once.z)


def test_under_the_null_p_values_are_uniform():
    rng = np.random.default_rng(0)
    labels = np.arange(200) < 80
    p = []
    for _ in range(400):
        shared = rng.normal(size=200) + labels
        p.append(delong_test(*(shared + rng.normal(size=(2, 200))), labels).p_value)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(p) == pytest.approx(0.5, abs=0.05)


def test_equal_order_has_p_one():
    a, _, labels = two_scores()
    found = delong_test(a, np.exp(a), labels)
    assert (found.standard_error, found.z, found.p_value) == (0, 0, 1)


def test_perfect_against_constant_cannot_be_judged():
    labels = np.arange(10) < 5
    found = delong_test(labels.astype(float), np.zeros(10), labels)
    assert (found.auroc_a, found.auroc_b, found.standard_error) == (1, 0.5, 0)
    assert math.isnan(found.z)
    assert math.isnan(found.p_value)


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_too_few_on_one_side_is_undefined(positives):
    labels = np.arange(10) < positives
    scores = np.random.default_rng(0).normal(size=(2, 10))
    found = delong_test(*scores, labels)
    assert np.isnan([found.standard_error, found.z, found.p_value]).all()
    assert np.isnan(auroc_influence(scores[0], labels)).all()


def fter_inputs(seed=0, n=600):
    rng = np.random.default_rng(seed)
    patients = rng.integers(150, size=n)
    legs = []
    for separation in (1.0, 2.0):
        positive = rng.random(n) < 0.5
        labels = np.stack([positive, ~positive], axis=1)
        scores = separation * labels + rng.normal(size=(n, 2))
        scores += 0.7 * rng.normal(size=150)[patients, None] * (separation == 1.0)
        legs.append((scores, labels))
    return *legs, patients


def test_the_interval_of_fter_agrees_with_resampling():
    tstr, trts, patients = fter_inputs()
    rng = np.random.default_rng(0)
    a = resampled_macro_auroc(*tstr, patients, 3_000, rng)
    b = resampled_macro_auroc(*trts, np.arange(600), 3_000, rng)
    found = delta_interval_of_fter(tstr, trts, patients)
    assert found.estimate == macro_auroc(*tstr) / macro_auroc(*trts)
    assert found.standard_error == pytest.approx((a / b).std(), rel=0.05)
    assert [found.lo, found.hi] == pytest.approx(np.quantile(a / b, [0.025, 0.975]), abs=0.004)
    assert found.n_seeds == 1


def test_the_interval_of_fter_by_hand():
    tstr, trts, patients = fter_inputs(1)
    a, b = macro_auroc(*tstr), macro_auroc(*trts)
    var_a = (np.bincount(patients, macro_auroc_influence(*tstr)) ** 2).sum() / a**2
    var_b = (macro_auroc_influence(*trts) ** 2).sum() / b**2
    found = delta_interval_of_fter(tstr, trts, patients, level=0.8)
    alone = np.arange(len(trts[1]))
    fewest = min(effective_images(tstr[1], patients), effective_images(trts[1], alone))
    half = t.ppf(0.9, fewest - 1) * math.sqrt(var_a + var_b)
    assert math.log(found.hi) == pytest.approx(math.log(a / b) + half)
    assert math.log(found.lo) == pytest.approx(math.log(a / b) - half)


def test_synthetic_images_that_go_together_make_the_interval_wider():
    tstr, trts, patients = fter_inputs(1)
    twice = tuple(np.repeat(part, 2, axis=0) for part in trts)
    pairs = np.repeat(np.arange(len(trts[1])), 2)
    alone = delta_interval_of_fter(tstr, twice, patients)
    together = delta_interval_of_fter(tstr, twice, patients, pairs)
    once = delta_interval_of_fter(tstr, trts, patients)
    assert alone.hi - alone.lo < together.hi - together.lo
    assert together.hi - together.lo == pytest.approx(once.hi - once.lo, rel=0.02)


def test_the_interval_of_fter_is_undefined_where_a_leg_is():
    tstr, trts, patients = fter_inputs()
    no_positives = (trts[0], np.zeros_like(trts[1]))
    upside_down = (-trts[1].astype(float), trts[1])
    for leg in (no_positives, upside_down):
        found = delta_interval_of_fter(tstr, leg, patients)
        assert np.isnan([found.estimate, found.lo, found.hi]).all()


def test_shapes_must_fit():
    a, b, labels = two_scores()
    with pytest.raises(ContractError, match=r"clusters must be \(200,\), got \(199,\)"):
        delong_test(a, b, labels, np.arange(199))
    with pytest.raises(ContractError, match="did training diverge"):
        auroc_influence(np.full(200, np.nan), labels)
    with pytest.raises(ContractError, match=r"scores and labels must both be \(N,\)"):
        delong_test(a, b[1:], labels)
