import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from tgap.core import ContractError
from tgap.metrics.classification import (
    accuracy,
    accuracy_per_label,
    auroc,
    auroc_per_label,
    average_precision_per_label,
    balanced_accuracy,
    best_thresholds,
    calibration_error_per_label,
    f1_per_label,
    macro_auroc,
    right_at,
    ties_per_label,
)


def score_values(dtype):
    """Few distinct values (ties) or any finite ones."""
    coarse = st.integers(0, 4).map(lambda k: dtype(k / 4))
    width = np.dtype(dtype).itemsize * 8
    fine = st.floats(0, 1, width=width).map(dtype)
    return st.one_of(st.just(coarse), st.just(fine))


@st.composite
def binary(draw, max_size=40):
    """Scores (N,) float32 or float64 and labels (N,), of any kind: ties, one class, N = 1."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    n = draw(st.integers(1, max_size))
    values = draw(score_values(dtype))
    scores = np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype)
    labels = draw(hnp.arrays(np.bool_, n))
    return scores, labels


def both_sides(labels):
    return labels.any() and not labels.all()


@st.composite
def exclusive(draw, max_size=30):
    """Scores (N, L) float32 and labels (N, L) with exactly one label per row."""
    n, width = draw(st.integers(1, max_size)), draw(st.integers(2, 4))
    scores = draw(hnp.arrays(np.float32, (n, width), elements=st.integers(0, 5).map(float)))
    chosen = draw(hnp.arrays(np.int64, n, elements=st.integers(0, width - 1)))
    return scores, np.eye(width, dtype=bool)[chosen], chosen


@given(binary())
def test_auroc_is_scikit_learns_or_nan(case):
    scores, labels = case
    if both_sides(labels):
        assert auroc(scores, labels) == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
    else:
        assert math.isnan(auroc(scores, labels))


@given(binary(max_size=12))
def test_auroc_is_the_share_of_pairs_in_order(case):
    scores, labels = case
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p, n in itertools.product(scores[labels], scores[~labels])
    ]
    expected = np.mean(pairs) if pairs else np.nan
    assert auroc(scores, labels) == pytest.approx(expected, nan_ok=True, abs=1e-12)


@given(binary())
def test_auroc_with_sides_swapped_or_scores_negated_is_its_complement(case):
    scores, labels = case
    expected = pytest.approx(1 - auroc(scores, labels), nan_ok=True, abs=1e-12)
    assert auroc(scores, ~labels) == expected
    assert auroc(-scores, labels) == expected


@given(hnp.arrays(np.int64, 20, elements=st.integers(-8, 8)), hnp.arrays(np.bool_, 20))
def test_auroc_depends_on_the_order_of_scores_only(steps, labels):
    scores = steps / 8
    expected = auroc(scores, labels)
    for transform in (np.exp, np.tan, lambda s: 3 * s - 7, lambda s: 1 / (1 + np.exp(-s))):
        np.testing.assert_equal(auroc(transform(scores), labels), expected)


@given(binary(), st.randoms(use_true_random=False))
def test_auroc_does_not_depend_on_the_order_of_images(case, random):
    scores, labels = case
    order = list(range(len(scores)))
    random.shuffle(order)
    np.testing.assert_equal(auroc(scores[order], labels[order]), auroc(scores, labels))


def test_auroc_of_scores_that_say_all_or_nothing():
    labels = np.array([False, False, True])
    assert auroc(np.array([0.1, 0.2, 0.3], np.float32), labels) == 1.0
    assert auroc(np.array([0.3, 0.3, 0.2], np.float32), labels) == 0.0
    assert auroc(np.full(3, 0.7, np.float32), labels) == 0.5
    assert auroc(np.array([-np.inf, 0.0, np.inf]), labels) == 1.0


def test_auroc_counts_negative_zero_as_a_tie_with_zero():
    assert auroc(np.array([0.0, -0.0]), np.array([False, True])) == 0.5


def test_auroc_keeps_float32_ties_and_float64_differences():
    scores, labels = np.array([0.5, 0.5 + 1e-12]), np.array([False, True])
    assert auroc(scores, labels) == 1.0
    assert auroc(scores.astype(np.float32), labels) == 0.5


def test_auroc_is_exact_for_many_images():
    n = 200_001  # pairs beyond int32
    labels = np.arange(n) % 2 == 1
    scores = np.arange(n, dtype=np.float64)
    positives = labels.sum()
    # the k-th positive is above k + 1 of the negatives
    assert auroc(scores, labels) == positives * (positives + 1) / 2 / (positives * (n - positives))


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("positive", [False, True])
def test_too_few_images_give_nan_without_a_warning(count, positive, recwarn):
    scores, labels = np.full(count, 0.5, np.float32), np.full(count, positive)
    assert math.isnan(auroc(scores, labels))
    two = np.stack([scores, scores], axis=1), np.stack([labels, ~labels], axis=1)
    assert math.isnan(macro_auroc(*two))
    assert math.isnan(balanced_accuracy(*two))
    assert math.isnan(accuracy(*two)) == (count == 0)
    assert np.isnan(accuracy_per_label(*two)).sum() == 2 - count
    assert not recwarn.list


@given(
    hnp.arrays(np.float32, (25, 3), elements=st.integers(0, 6).map(float)),
    hnp.arrays(np.bool_, (25, 3)),
)
def test_auroc_per_label_and_macro_are_scikit_learns(scores, labels):
    per_label = auroc_per_label(scores, labels)
    for k in range(3):
        np.testing.assert_equal(per_label[k], auroc(scores[:, k], labels[:, k]))
    if all(both_sides(labels[:, k]) for k in range(3)):
        expected = sk.roc_auc_score(labels, scores, average="macro")
        assert macro_auroc(scores, labels) == pytest.approx(expected, abs=1e-12)
    else:
        assert math.isnan(macro_auroc(scores, labels))


@given(exclusive())
def test_accuracies_are_scikit_learns(case):
    scores, labels, chosen = case
    predicted = scores.argmax(axis=1)
    width = labels.shape[1]
    assert accuracy(scores, labels) == pytest.approx(sk.accuracy_score(chosen, predicted))
    recalls = sk.recall_score(
        chosen, predicted, labels=list(range(width)), average=None, zero_division=np.nan
    )
    np.testing.assert_allclose(accuracy_per_label(scores, labels), recalls)
    if labels.any(axis=0).all():
        expected = sk.balanced_accuracy_score(chosen, predicted)
        assert balanced_accuracy(scores, labels) == pytest.approx(expected)
    else:
        assert math.isnan(balanced_accuracy(scores, labels))


def test_a_tie_counts_for_the_first_label():
    labels = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(accuracy_per_label(np.full((2, 2), 0.5), labels), [1.0, 0.0])


@pytest.mark.parametrize(
    "labels",
    [
        [[True, True], [False, True]],  # two labels on one image
        [[False, False], [False, True]],  # an image without label
        [[True], [True]],  # nothing to choose from
    ],
)
def test_accuracy_is_nan_where_labels_do_not_exclude_each_other(labels):
    truth = np.array(labels)
    scores = np.ones(truth.shape, np.float32)
    assert math.isnan(accuracy(scores, truth))
    assert np.isnan(accuracy_per_label(scores, truth)).all()
    assert math.isnan(balanced_accuracy(scores, truth))


def test_one_label_wants_vectors():
    with pytest.raises(
        ContractError, match=r"scores and labels must both be \(N,\), got \(3,\) and \(2,\)"
    ):
        auroc(np.zeros(3), np.zeros(2, bool))
    with pytest.raises(ContractError, match=r"both be \(N,\), got \(3, 1\) and \(3, 1\)"):
        auroc(np.zeros((3, 1)), np.zeros((3, 1), bool))


@pytest.mark.parametrize(
    "metric", [auroc_per_label, macro_auroc, accuracy, accuracy_per_label, balanced_accuracy]
)
def test_several_labels_want_tables(metric):
    with pytest.raises(
        ContractError, match=r"scores and labels must both be \(N, L\), got \(3, 2\) and \(3, 3\)"
    ):
        metric(np.zeros((3, 2)), np.zeros((3, 3), bool))
    with pytest.raises(ContractError, match=r"both be \(N, L\), got \(3,\) and \(3,\)"):
        metric(np.zeros(3), np.zeros(3, bool))
    with pytest.raises(ContractError, match="at least one label, got none"):
        metric(np.zeros((3, 0)), np.zeros((3, 0), bool))


def test_labels_that_are_not_bool_and_nan_scores_are_refused():
    with pytest.raises(ContractError, match="labels must be bool, got int64"):
        auroc(np.zeros(2), np.array([0, 1], np.int64))
    scores = np.array([[0.5, np.nan], [0.1, 0.2]], np.float32)
    with pytest.raises(ContractError, match="scores must not be NaN, got 1 NaN of 4; did training"):
        accuracy(scores, np.eye(2, dtype=bool))


def test_importing_metrics_loads_nothing_heavy():
    code = (
        "import sys, tgap.metrics.classification, tgap.metrics.gap, tgap.evaluators.two_way; "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@st.composite
def multi_label(draw, max_size=30):
    """Scores (N, L) in [0, 1] and labels (N, L), any number of them per row."""
    n, width = draw(st.integers(1, max_size)), draw(st.integers(1, 4))
    twentieths = st.integers(0, 20).map(lambda k: np.float32(k / 20))
    return (
        draw(hnp.arrays(np.float32, (n, width), elements=twentieths)),
        draw(hnp.arrays(np.bool_, (n, width))),
    )


@given(multi_label())
def test_f1_and_average_precision_are_scikit_learns_or_nan(case):
    scores, labels = case[0] - np.float32(0.5), case[1]
    f1, precision = f1_per_label(scores, labels), average_precision_per_label(scores, labels)
    for label in range(labels.shape[1]):
        if labels[:, label].any():
            said = scores[:, label] >= 0
            assert f1[label] == pytest.approx(sk.f1_score(labels[:, label], said))
            expected = sk.average_precision_score(labels[:, label], scores[:, label])
            assert precision[label] == pytest.approx(expected)
        else:
            assert math.isnan(f1[label])
            assert math.isnan(precision[label])


@given(multi_label())
def test_ties_are_the_pairs_that_score_the_same(case):
    scores, labels = case
    for label, share in enumerate(ties_per_label(scores, labels)):
        positives, negatives = scores[labels[:, label], label], scores[~labels[:, label], label]
        pairs = positives[:, None] == negatives
        assert share == pytest.approx(pairs.mean()) if pairs.size else math.isnan(share)


@given(multi_label())
def test_calibration_error_is_the_gap_of_each_bin(case):
    scores, labels = case
    bins = 4  # twentieths never meet an inner edge but .25, .5 and .75, which count upward
    found = calibration_error_per_label(scores, labels, bins)
    for label in range(labels.shape[1]):
        s, t = scores[:, label].astype(np.float64), labels[:, label]
        which = np.minimum((s * bins).astype(int), bins - 1)
        gaps = [
            (which == b).mean() * abs(t[which == b].mean() - s[which == b].mean())
            for b in np.unique(which)
        ]
        assert found[label] == pytest.approx(sum(gaps), abs=1e-5)


def test_calibration_of_no_images_and_of_what_is_no_probability():
    nothing = calibration_error_per_label(np.zeros((0, 2)), np.zeros((0, 2), bool))
    assert np.isnan(nothing).all()
    with pytest.raises(ContractError, match="scores between 0 and 1, got 0 to 2"):
        calibration_error_per_label(np.array([[0.0], [2.0]]), np.array([[True], [False]]))


@given(exclusive())
@settings(max_examples=200)
def test_no_threshold_is_better_than_the_best(case):
    scores, labels, _ = case
    best = best_thresholds(scores, labels)
    for column, threshold in enumerate(best):
        of, truth = scores[:, [column]], labels[:, [column]]
        if not both_sides(truth):
            assert math.isnan(threshold)
            assert math.isnan(right_at(of, truth, best[[column]]))
            continue
        reached = right_at(of, truth, best[[column]])
        assert reached >= 0.5
        for other in (-np.inf, *of.ravel()):
            assert right_at(of, truth, np.array([other])) <= reached + 1e-9


def test_right_is_the_mean_of_sensitivity_and_specificity():
    scores = np.array([[1.0], [2.0], [3.0], [4.0]])
    labels = np.array([[False], [False], [False], [True]])
    assert right_at(scores, labels, np.array([1.5])) == pytest.approx((1 + 1 / 3) / 2)
    assert right_at(scores - 10, labels, np.array([1.5])) == 0.5
