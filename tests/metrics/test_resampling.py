import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tgap.core import ContractError
from tgap.metrics import resampling
from tgap.metrics.classification import auroc_per_label
from tgap.metrics.resampling import (
    effective_clusters,
    multiplicities,
    resampled_auroc,
    resampled_auroc_per_label,
)


def locked(array):
    array.setflags(write=False)
    return array


def by_pairs(scores, labels, weights):
    """The definition, pair by pair."""
    total = won = 0.0
    for i in np.flatnonzero(labels):
        for j in np.flatnonzero(~labels):
            pair = float(weights[i]) * float(weights[j])
            total += pair
            won += pair * (0.5 if scores[i] == scores[j] else float(scores[i] > scores[j]))
    return won / total if total else np.nan


@pytest.fixture
def images():
    """Scores with many ties, labels and patients of 300 images."""
    rng = np.random.default_rng(0)
    labels = rng.random((300, 2)) < 0.4
    scores = np.round(rng.normal(size=(300, 2)) + labels, 1).astype(np.float32)
    return locked(scores), locked(labels), locked(rng.integers(90, size=300))


def test_images_of_a_patient_are_drawn_together_and_as_many_patients_as_there_are(images):
    _, _, patients = images
    counts = multiplicities(patients, 50, np.random.default_rng(0))
    assert counts.shape == (50, 300)
    distinct, first = np.unique(patients, return_index=True)
    for patient in distinct:
        of_patient = counts[:, patients == patient]
        assert (of_patient == of_patient[:, :1]).all()
    assert (counts[:, first].sum(axis=1) == len(distinct)).all()


def test_counts_of_patients_are_multinomial():
    counts = multiplicities(np.arange(50), 20_000, np.random.default_rng(0)).astype(float)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.03)
    covariance = np.cov(counts, rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(50) - 1 / 50, atol=0.05)


def test_draws_depend_on_the_generator_and_more_begin_with_the_same(images):
    _, _, patients = images
    few = multiplicities(patients, 5, np.random.default_rng(3))
    many = multiplicities(patients, 20, np.random.default_rng(3))
    np.testing.assert_array_equal(few, many[:5])
    assert (few != multiplicities(patients, 5, np.random.default_rng(4))).any()


def test_names_of_patients_do_not_matter(images):
    _, _, patients = images
    np.testing.assert_array_equal(
        multiplicities(patients, 5, np.random.default_rng(3)),
        multiplicities(patients * 1_000 - 7, 5, np.random.default_rng(3)),
    )


def test_effective_clusters_are_all_of_equal_ones_and_fewer_of_unequal():
    assert effective_clusters(np.repeat(np.arange(7), 3)) == 7
    assert effective_clusters(np.zeros(5, np.int64)) == 1
    sizes = np.array([1, 2, 3, 40])
    found = effective_clusters(np.repeat(np.arange(4), sizes))
    assert found == pytest.approx(1 / ((sizes / sizes.sum()) ** 2).sum())
    with pytest.raises(ContractError, match="N >= 1"):
        effective_clusters(np.zeros(0, np.int64))


def test_weighted_auroc_is_that_of_scikit_learn(images):
    scores, labels, patients = images
    weights = locked(multiplicities(patients, 40, np.random.default_rng(0)))
    found = resampled_auroc(scores[:, 0], labels[:, 0], weights)
    expected = [roc_auc_score(labels[:, 0], scores[:, 0], sample_weight=w) for w in weights]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_it_is_the_auroc_of_the_drawn_images(images):
    scores, labels, patients = images
    found = resampled_auroc_per_label(*images, 10, np.random.default_rng(0))
    for values, counts in zip(
        found, multiplicities(patients, 10, np.random.default_rng(0)), strict=True
    ):
        drawn = np.repeat(np.arange(300), counts)
        expected = auroc_per_label(scores[drawn], labels[drawn])
        np.testing.assert_allclose(values, expected, atol=1e-12)


@given(st.data())
@settings(max_examples=80)
def test_weighted_auroc_is_that_of_all_pairs(data):
    n = data.draw(st.integers(1, 12))
    column = st.lists(st.integers(-2, 2), min_size=n, max_size=n)  # few values: many ties
    scores = np.array(data.draw(column), float)
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    rows = st.lists(st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1, max_size=4)
    weights = np.array(data.draw(rows))
    expected = [by_pairs(scores, labels, w) for w in weights]
    np.testing.assert_allclose(resampled_auroc(scores, labels, weights), expected, atol=1e-12)


def test_constant_scores_are_chance_and_infinite_ones_are_ordered():
    labels = np.array([True, False, True, False])
    weights = np.array([[1, 1, 1, 1], [3, 0, 1, 2]])
    np.testing.assert_array_equal(resampled_auroc(np.ones(4), labels, weights), [0.5, 0.5])
    infinite = np.array([np.inf, -np.inf, np.inf, 0.0])
    np.testing.assert_array_equal(resampled_auroc(infinite, labels, weights), [1, 1])


def test_a_resample_without_positives_or_negatives_is_undefined():
    labels, weights = np.array([True, False]), np.array([[1, 1], [2, 0], [0, 2], [0, 0]])
    found = resampled_auroc(np.array([0.9, 0.1]), labels, weights)
    np.testing.assert_array_equal(found, [1, np.nan, np.nan, np.nan])
    assert np.isnan(resampled_auroc(np.arange(3.0), np.ones(3, bool), np.ones((4, 3)))).all()


def test_only_the_label_that_a_resample_lacks_is_undefined():
    labels = np.array([[True, False], [True, True], [False, True], [True, False]])
    scores = np.array([[0.9, 0.2], [0.4, 0.8], [0.5, 0.6], [0.7, 0.1]])
    args = scores, labels, np.arange(4), 200
    undefined = np.isnan(resampled_auroc_per_label(*args, np.random.default_rng(0))).sum(axis=0)
    assert undefined[0] > undefined[1] > 0


@pytest.mark.parametrize("size", ["HELD", "CACHED"])
def test_chunks_do_not_change_a_bit(images, monkeypatch, size):
    whole = resampled_auroc_per_label(*images, 37, np.random.default_rng(0))
    monkeypatch.setattr(resampling, size, 5 * 300)
    np.testing.assert_array_equal(
        resampled_auroc_per_label(*images, 37, np.random.default_rng(0)), whole
    )


def test_spread_is_that_of_new_test_sets_with_patients_and_not_without():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(60), 5)

    def new_test_set():
        often = rng.beta(0.5, 0.5, 60)[patients]
        labels = rng.random(300) < often
        return labels + 2.0 * rng.normal(size=60)[patients] + rng.normal(size=300), labels

    truth = np.std([resampled_auroc(*new_test_set(), np.ones((1, 300)))[0] for _ in range(400)])

    def mean_spread(clusters):
        weights = multiplicities(clusters, 200, rng)
        return np.mean([resampled_auroc(*new_test_set(), weights).std() for _ in range(40)])

    assert mean_spread(patients) == pytest.approx(truth, rel=0.12)
    assert mean_spread(np.arange(300)) < 0.8 * truth


@pytest.mark.parametrize(
    ("patients", "resamples", "text"),
    [
        (np.zeros(0, np.int64), 3, r"clusters must be \(N,\) int64 with N >= 1, got \(0,\) int64"),
        (np.zeros(3), 3, r"clusters must be \(N,\) int64 with N >= 1, got \(3,\) float64"),
        (np.arange(3), 0, "resamples must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_resampled_is_refused(patients, resamples, text):
    with pytest.raises(ContractError, match=text):
        multiplicities(patients, resamples, np.random.default_rng(0))


def test_shapes_must_fit(images):
    scores, labels, patients = images
    with pytest.raises(ContractError, match=r"weights must be \(B, 300\), got \(300,\)"):
        resampled_auroc(scores[:, 0], labels[:, 0], np.ones(300))
    with pytest.raises(ContractError, match=r"clusters must be \(300,\), got \(299,\)"):
        resampled_auroc_per_label(scores, labels, patients[1:], 3, np.random.default_rng(0))
    with pytest.raises(ContractError, match="did training diverge"):
        resampled_auroc(np.full(2, np.nan), np.array([True, False]), np.ones((1, 2)))
