"""How well a classifier's scores tell labels apart.

All functions take scores ``(N, L)``, real, and labels ``(N, L)`` bool (``auroc`` one label's,
``(N,)``), and raise ContractError if shapes or dtypes disagree or a score is NaN. Every number is
NaN where it is not defined, e.g. the AUROC of a test set without positives; none is replaced by a
guess or left out of a mean.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ContractError, Doubles

Reals = NDArray[Any]
"""Scores of any real dtype; they are compared as they are, so float32 ties stay ties."""


def auroc(scores: Reals, labels: Bools) -> float:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties one half.

    ``AUROC = (pairs in order + pairs tied / 2) / (positives x negatives)``, the Mann-Whitney
    statistic with mid-ranks (Hanley & McNeil, Radiology 1982). Depends on the order of the scores
    only. O(n log n).

    Args:
        scores: ``(N,)`` real, larger for the positive side; infinities are fine, NaN is not.
        labels: ``(N,)`` bool.

    Returns:
        A value in [0, 1]; NaN unless there are both positives and negatives.

    Raises:
        ContractError: If shapes or dtypes disagree, or a score is NaN.

    >>> auroc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    check_scores(scores, labels, "(N,)")
    positives, negatives = _counts(scores, labels)
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)


def ties_per_label(scores: Reals, labels: Bools) -> Doubles:
    """Share of each label's pairs, an image with it and one without, that score the same.

    AUROC counts them one half: many make it say more of rounding than of the classifier.

    Returns:
        ``(L,)`` float64 in [0, 1]; NaN for a label that all images or no image carries.

    >>> ties_per_label(np.array([[0.1], [0.4], [0.4]]), np.array([[False], [False], [True]])).item()
    0.5
    """
    check_scores(scores, labels, "(N, L)")
    ties = np.full(labels.shape[1], np.nan)
    for label in range(labels.shape[1]):
        positives, negatives = _counts(scores[:, label], labels[:, label])
        if pairs := positives.sum() * negatives.sum():
            ties[label] = (positives * negatives).sum() / pairs
    return ties


def _counts(scores: Reals, labels: Bools) -> tuple[Doubles, Doubles]:
    """How many images with and without a label have each of the different scores, rising."""
    distinct, which = np.unique(scores, return_inverse=True)
    with_it, without_it = (
        np.bincount(which[side], minlength=len(distinct)).astype(np.float64)
        for side in (labels, ~labels)
    )
    return with_it, without_it


def auroc_per_label(scores: Reals, labels: Bools) -> Doubles:
    """``auroc`` of each label against the images that lack it.

    Args:
        scores: ``(N, L)`` real, one score per label.
        labels: ``(N, L)`` bool; more than one may hold for an image.

    Returns:
        ``(L,)`` float64; NaN for a label that all images or no image carries.

    Raises:
        ContractError: As ``auroc``.
    """
    check_scores(scores, labels, "(N, L)")
    return np.array([auroc(s, t) for s, t in zip(scores.T, labels.T, strict=True)])


def macro_auroc(scores: Reals, labels: Bools) -> float:
    """Mean of ``auroc_per_label``, each label counting alike; same arguments.

    NaN as soon as one label's AUROC is: a mean over fewer labels in one evaluation than in another
    would make the ratio of two compare different questions.
    """
    return float(auroc_per_label(scores, labels).mean())


def accuracy(scores: Reals, labels: Bools) -> float:
    """Share of images whose largest score is that of their label.

    A tie counts for the first of the tied labels, as ``argmax`` does.

    Returns:
        A value in [0, 1]; NaN unless there are images, at least two labels, and each image
        carries exactly one label.

    >>> truth = np.array([[True, False], [False, True], [False, True]])
    >>> always_first = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    >>> round(accuracy(always_first, truth), 3), accuracy_per_label(always_first, truth).tolist()
    (0.333, [1.0, 0.0])
    """
    check_scores(scores, labels, "(N, L)")
    if len(labels) == 0 or not _exclude_each_other(labels):
        return float("nan")
    return float(_right(scores, labels).mean())


def accuracy_per_label(scores: Reals, labels: Bools) -> Doubles:
    """``accuracy`` among the images of each label (its recall): the thesis's "100 % / 0 %".

    Returns:
        ``(L,)`` float64; NaN for a label without images, and for all where ``accuracy`` is NaN.
    """
    check_scores(scores, labels, "(N, L)")
    recalls = np.full(labels.shape[1], np.nan)
    if _exclude_each_other(labels):
        images = labels.sum(axis=0)
        hits = labels[_right(scores, labels)].sum(axis=0)
        np.divide(hits, images, out=recalls, where=images > 0)
    return recalls


def balanced_accuracy(scores: Reals, labels: Bools) -> float:
    """Mean of ``accuracy_per_label``, each label counting alike; same arguments.

    1 / L is chance, however unequal the labels are. NaN if a label has no image.
    """
    return float(accuracy_per_label(scores, labels).mean())


def best_thresholds(scores: Reals, labels: Bools) -> Doubles:
    """Of each label, the score above which it holds: where most images of either side are right.

    Maximises the mean of sensitivity and specificity (Youden 1950); of equal ones the middle one.

    Returns:
        ``(L,)`` float64; NaN for a label that all images or no image carries.

    >>> best_thresholds(np.array([[1.0], [2.0], [4.0]]), np.array([[False], [False], [True]]))
    array([3.])
    """
    check_scores(scores, labels, "(N, L)")
    best = np.full(labels.shape[1], np.nan)
    for label in range(labels.shape[1]):
        positives, negatives = _counts(scores[:, label], labels[:, label])
        if not (positives.any() and negatives.any()):
            continue
        distinct = np.unique(scores[:, label]).astype(np.float64)
        middles = np.append((distinct[:-1] + distinct[1:]) / 2, distinct[-1])
        right = np.cumsum(negatives) / negatives.sum() - np.cumsum(positives) / positives.sum()
        equal = np.flatnonzero(right >= right.max() - 1e-9)
        best[label] = middles[equal[len(equal) // 2]]
    return best


def right_at(scores: Reals, labels: Bools, thresholds: Doubles) -> float:
    """Mean over labels of sensitivity and specificity where a label holds above its threshold.

    .5 is chance. NaN where a threshold is, or a label has all images or none.

    >>> right_at(np.array([[1.0], [4.0]]), np.array([[False], [True]]), np.array([5.0]))
    0.5
    """
    check_scores(scores, labels, "(N, L)")
    right = (scores > thresholds) == labels
    with np.errstate(invalid="ignore"):
        sides = [(right & side).sum(axis=0) / side.sum(axis=0) for side in (labels, ~labels)]
    return float(np.mean(np.where(np.isnan(thresholds), np.nan, (sides[0] + sides[1]) / 2)))


def average_precision_per_label(scores: Reals, labels: Bools) -> Doubles:
    """Average precision of each label: mean precision at each recall, not interpolated.

    By scikit-learn's ``average_precision_score``. Chance is the share of positives, so it moves
    with the label mix of a test set, which AUROC does not.

    Returns:
        ``(L,)`` float64; NaN for a label that no image carries.
    """
    check_scores(scores, labels, "(N, L)")
    from sklearn.metrics import average_precision_score

    return np.array(
        [
            average_precision_score(t, s) if t.any() else np.nan
            for s, t in zip(scores.T, labels.T, strict=True)
        ]
    )


def probabilities(logits: Reals) -> Doubles:
    """Sigmoids, in float64: what thresholds and calibration are about.

    >>> probabilities(np.array([0.0, 20.0], np.float32)).tolist()
    [0.5, 0.9999999979388463]
    """
    from scipy.special import expit

    return np.asarray(expit(logits.astype(np.float64)))


def f1_per_label(scores: Reals, labels: Bools, threshold: float = 0.0) -> Doubles:
    """F1 of each label's yes or no at a threshold: ``2 TP / (2 TP + FP + FN)``.

    Args:
        scores: ``(N, L)`` real.
        labels: ``(N, L)`` bool.
        threshold: A label is said to hold if its score is at least this; 0 is a logit's even odds.

    Returns:
        ``(L,)`` float64; NaN for a label that no image carries.

    >>> f1_per_label(np.array([[2.0], [0.6], [-1]]), np.array([[True], [False], [True]])).tolist()
    [0.5]
    """
    check_scores(scores, labels, "(N, L)")
    predicted = scores >= threshold
    hits = (predicted & labels).sum(axis=0).astype(np.float64)
    f1 = np.full(labels.shape[1], np.nan)
    both = predicted.sum(axis=0) + labels.sum(axis=0)
    np.divide(2 * hits, both, out=f1, where=labels.any(axis=0))
    return f1


def calibration_error_per_label(scores: Reals, labels: Bools, bins: int = 15) -> Doubles:
    """Expected calibration error of each label: how far scores are from how often they are right.

    Mean over images of |share of positives - mean score| in their bin of equal width (Guo et al.
    2017, arXiv 1706.04599, section 2, of a binary label's score), by torchmetrics.

    Args:
        scores: ``(N, L)`` in [0, 1].
        labels: ``(N, L)`` bool.
        bins: Number of bins.

    Returns:
        ``(L,)`` float64; NaN without images.

    Raises:
        ContractError: As ``auroc``, or if scores are no probabilities.
    """
    check_scores(scores, labels, "(N, L)")
    if len(scores) == 0:
        return np.full(labels.shape[1], np.nan)
    if scores.min() < 0 or scores.max() > 1:
        raise ContractError(
            f"calibration is about scores between 0 and 1, got {scores.min():g} to {scores.max():g}"
        )
    below_one = np.nextafter(1.0, 0.0)  # torchmetrics has a bin of its own for scores of 1
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    return np.array(
        [
            binary_calibration_error(
                torch.from_numpy(np.minimum(s.astype(np.float64), below_one)),
                torch.from_numpy(t.astype(np.int64)),
                bins,
            ).item()
            for s, t in zip(scores.T, labels.T, strict=True)
        ]
    )


def check_scores(scores: Reals, labels: Bools, shape: str) -> None:
    """Check that scores and labels fit together.

    Args:
        scores: Of any real dtype.
        labels: Bool, of the same shape.
        shape: What the shape must be, ``(N,)`` or ``(N, L)``.

    Raises:
        ContractError: If they do not, or a score is NaN.
    """
    axes = shape.count("N") + shape.count("L")
    if scores.ndim != axes or scores.shape != labels.shape:
        raise ContractError(
            f"scores and labels must both be {shape}, got {scores.shape} and {labels.shape}"
        )
    if axes == 2 and scores.shape[1] == 0:
        raise ContractError("scores and labels must have at least one label, got none")
    if labels.dtype != np.bool_:
        raise ContractError(f"labels must be bool, got {labels.dtype}")
    missing = int(np.isnan(scores).sum())
    if missing:
        raise ContractError(
            f"scores must not be NaN, got {missing} NaN of {scores.size}; did training diverge?"
        )


def _exclude_each_other(labels: Bools) -> bool:
    return labels.shape[1] >= 2 and bool((labels.sum(axis=1) == 1).all())


def _right(scores: Reals, labels: Bools) -> Bools:
    return np.asarray(labels[np.arange(len(labels)), scores.argmax(axis=1)])
