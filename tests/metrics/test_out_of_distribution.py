"""Scores of strangeness, against closed forms, brute force and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tgap.core import ContractError
from tgap.metrics.out_of_distribution import (
    domain_auroc,
    energy,
    entropy,
    mahalanobis,
    neighbour_distance,
    told_apart,
)

LOGITS = st.floats(-20, 20)


def two_kinds(count=400, seed=0):
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    x = rng.normal(size=(count, 3)) @ np.diag([1.0, 3.0, 0.2]) + 8.0 * kind[:, None]
    return x, np.stack([kind == 0, kind == 1], axis=1)


def test_mahalanobis_is_the_least_over_kinds_by_brute_force():
    from sklearn.covariance import LedoitWolf

    reference, labels = two_kinds()
    x = np.random.default_rng(1).normal(4, 5, (30, 3))
    means = [reference[has].mean(axis=0) for has in labels.T]
    residuals = reference - np.where(labels[:, :1], means[0], means[1])
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(residuals).covariance_)
    expected = [min((v - m) @ inverse @ (v - m) for m in means) for v in x]
    np.testing.assert_allclose(mahalanobis(reference, labels, x), expected, rtol=1e-9)


def test_mahalanobis_of_images_of_a_kind_is_chi_squared():
    reference, labels = two_kinds(20_000)
    other, _ = two_kinds(20_000, seed=2)
    found = mahalanobis(reference, labels, other)
    assert found.mean() == pytest.approx(3, abs=0.15)
    assert found.var() == pytest.approx(6, abs=0.6)


def test_mahalanobis_bears_constant_and_many_dimensions():
    rng = np.random.default_rng(0)
    reference, labels = rng.normal(size=(20, 50)), np.eye(2, dtype=bool)[np.arange(20) % 2]
    reference[:, 7] = 3.0
    assert np.isfinite(mahalanobis(reference, labels, rng.normal(size=(5, 50)))).all()
    assert np.isnan(mahalanobis(reference[:1], labels[:1], reference)).all()
    with pytest.raises(ContractError, match="20 images have labels of 3"):
        mahalanobis(reference, labels[:3], reference)


def test_the_kth_neighbour_by_brute_force():
    rng = np.random.default_rng(0)
    reference, x = rng.normal(size=(60, 4)), rng.normal(size=(25, 4))

    def unit(v):
        return v / np.linalg.norm(v)

    for k in (1, 5, 60):
        far = [sorted(np.linalg.norm(unit(v) - unit(r)) for r in reference)[k - 1] for v in x]
        np.testing.assert_allclose(neighbour_distance(reference, x, k), far)
    np.testing.assert_allclose(
        neighbour_distance(7 * reference, 0.1 * x), neighbour_distance(reference, x)
    )
    assert np.isnan(neighbour_distance(reference[:4], x)).all()
    assert np.isfinite(neighbour_distance(reference, np.zeros((1, 4)))).all()
    with pytest.raises(ContractError, match="k must be at least 1, got 0"):
        neighbour_distance(reference, x, 0)


@given(arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=LOGITS))
def test_energy_and_entropy_by_formula(logits):
    p = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(energy(logits), -np.log1p(np.exp(logits)).sum(axis=1))
    expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(entropy(logits), expected, rtol=1e-5)
    np.testing.assert_allclose(entropy(logits), entropy(-logits), rtol=1e-9)


def test_sure_scores_stay_finite():
    assert np.isfinite(energy(np.float32([[1e4, -1e4]]))).all()
    assert entropy(np.float32([[1e4, -1e4]])).tolist() == [0]


def test_equal_sets_are_not_told_apart_and_others_are():
    x = np.arange(10.0)
    assert told_apart(x, x) == 0.5
    assert told_apart(x, x + 100) == 1
    assert told_apart(x + 100, x) == 0
    assert math.isnan(told_apart(x, np.array([np.nan])))
    assert math.isnan(told_apart(x, x[:0]))


def test_a_regression_tells_domains_apart_where_they_differ_alone():
    rng = np.random.default_rng(0)
    one, alike = rng.normal(size=(2, 800, 5))
    assert domain_auroc(one, alike, np.random.default_rng(1)) == pytest.approx(0.5, abs=0.06)
    # Two normal distributions at distance d are told apart with AUROC Phi(d / sqrt 2).
    apart = domain_auroc(one, alike + np.eye(5)[0], np.random.default_rng(1))
    assert apart == pytest.approx(0.760, abs=0.03)
    assert math.isnan(domain_auroc(one[:4], alike, np.random.default_rng(1)))
