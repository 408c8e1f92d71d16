"""Bootstrap of whole clusters: what an AUROC would have been with other patients.

Images of one patient are alike, so patients are drawn, not images (Rutter, Academic Radiology
2000). A resample is held as how often each image stands in it, and an AUROC is computed from these
weights after sorting once, which gives the very AUROC of the drawn images.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ContractError, Doubles, Indices
from tgap.metrics.classification import Reals, check_scores

Counts = NDArray[np.uint16]

HELD = 2**25
"""Weights in memory at once (64 MB)."""
CACHED = 2**16
"""Weights worked on at once, so that intermediate results stay in the processor's cache."""


def multiplicities(clusters: Indices, resamples: int, rng: np.random.Generator) -> Counts:
    """How often each image stands in each bootstrap resample of whole clusters.

    Each resample draws as many clusters as there are, with replacement. The draws depend on the
    generator's state and the clusters alone: the same generator anew gives the same patients, for
    whatever scores, and more resamples begin with the same ones.

    Args:
        clusters: ``(N,)`` int64, the patient of each image, N >= 1.
        resamples: B >= 1.
        rng: The only source of randomness.

    Returns:
        ``(B, N)`` uint16; images of one cluster have equal counts.

    Raises:
        ContractError: If there is no image or no resample.

    >>> multiplicities(np.array([7, 7, 3]), 4, np.random.default_rng(0)).tolist()
    [[2, 2, 0], [1, 1, 1], [0, 0, 2], [0, 0, 2]]
    """
    _check_clusters(clusters)
    if resamples < 1:
        raise ContractError(f"resamples must be at least 1, got {resamples}")
    distinct, cluster = np.unique(clusters, return_inverse=True)
    n = len(distinct)
    counts = np.empty((resamples, len(clusters)), np.uint16)
    for rows in _chunks(resamples, n, CACHED):
        first = np.arange(rows.stop - rows.start) * n  # one row's counters after another's
        drawn = rng.integers(n, size=(len(first), n)) + first[:, None]
        of_clusters = np.bincount(drawn.ravel(), minlength=len(first) * n).reshape(-1, n)
        counts[rows] = of_clusters[:, cluster]
    return counts


def effective_clusters(clusters: Indices) -> float:
    """How many clusters of equal size would say as much: ``N^2 / sum of squared sizes`` (Kish).

    ``effective_clusters(patients) - 1`` are the degrees of freedom of a variance by resampling: 80
    patients of whom few have most of the images tell it no better than 30 alike.

    Args:
        clusters: ``(N,)`` int64, the patient of each image, N >= 1.

    Returns:
        Between 1 and the number of clusters.

    Raises:
        ContractError: If there is no image.

    >>> effective_clusters(np.array([0, 0, 1, 1])), effective_clusters(np.array([0, 0, 0, 1]))
    (2.0, 1.6)
    """
    _check_clusters(clusters)
    sizes = np.unique(clusters, return_counts=True)[1]
    return float(len(clusters) ** 2 / (sizes**2).sum())


def effective_images(labels: Bools, patients: Indices) -> float:
    """``effective_clusters`` of the images with, or without, a label: of those that have fewest.

    Args:
        labels: ``(N, L)`` bool.
        patients: ``(N,)`` int64.
    """
    sides = [side for column in labels.T for side in (column, ~column)]
    return min(effective_clusters(patients[side]) if side.any() else 0.0 for side in sides)


def resampled_auroc(scores: Reals, labels: Bools, weights: NDArray[np.generic]) -> Doubles:
    """``auroc`` with each image counted as often as its weight says, for many sets of weights.

    ``AUROC_b = (pairs in order + pairs tied / 2) / pairs``, where a pair of a positive i and a
    negative j counts ``w_bi w_bj`` times. Exact for integer weights.

    Args:
        scores: ``(N,)`` real, larger for the positive side; no NaN.
        labels: ``(N,)`` bool.
        weights: ``(B, N)`` real >= 0, e.g. from ``multiplicities``.

    Returns:
        ``(B,)`` float64 in [0, 1]; NaN where the positives' or negatives' weights sum to 0.

    Raises:
        ContractError: If shapes or dtypes disagree, or a score is NaN.

    >>> scores, labels = np.array([0.1, 0.4, 0.4]), np.array([False, True, False])
    >>> resampled_auroc(scores, labels, np.array([[1, 1, 1], [1, 2, 3], [2, 0, 1]])).tolist()
    [0.75, 0.625, nan]
    """
    check_scores(scores, labels, "(N,)")
    if weights.ndim != 2 or weights.shape[1] != len(scores):
        raise ContractError(f"weights must be (B, {len(scores)}), got {weights.shape}")
    positive, negative = _by_score(scores, labels), _by_score(scores, ~labels)
    below = np.searchsorted(scores[negative], scores[positive], "left")
    upto = np.searchsorted(scores[negative], scores[positive], "right")
    aurocs = np.full(len(weights), np.nan)
    for rows in _chunks(len(weights), len(scores), CACHED):
        outranked = np.zeros((rows.stop - rows.start, len(negative) + 1))
        np.cumsum(weights[rows].take(negative, axis=1), axis=1, out=outranked[:, 1:])
        wins = weights[rows].take(positive, axis=1).astype(np.float64)
        pairs = wins.sum(axis=1) * outranked[:, -1]
        middle = outranked.take(below, axis=1) + outranked.take(upto, axis=1)
        twice = np.einsum("bi,bi->b", wins, middle)
        np.divide(twice, 2 * pairs, out=aurocs[rows], where=pairs > 0)
    return aurocs


def resampled_auroc_per_label(
    scores: Reals, labels: Bools, clusters: Indices, resamples: int, rng: np.random.Generator
) -> Doubles:
    """``auroc_per_label`` of each bootstrap resample of whole clusters.

    Args:
        scores: ``(N, L)`` real, one score per label.
        labels: ``(N, L)`` bool.
        clusters: ``(N,)`` int64, the patient of each image.
        resamples: B >= 1.
        rng: The only source of randomness; see ``multiplicities``.

    Returns:
        ``(B, L)`` float64; all labels of a row are of the same resample. NaN where a resample
        lacks a label, or has nothing else.

    Raises:
        ContractError: If shapes or dtypes disagree, or a score is NaN.
    """
    check_scores(scores, labels, "(N, L)")
    if len(clusters) != len(scores):
        raise ContractError(f"clusters must be ({len(scores)},), got {clusters.shape}")
    aurocs = np.empty((resamples, labels.shape[1]))
    for rows in _chunks(resamples, len(scores), HELD):
        weights = multiplicities(clusters, rows.stop - rows.start, rng)
        for label in range(labels.shape[1]):
            aurocs[rows, label] = resampled_auroc(scores[:, label], labels[:, label], weights)
    return aurocs


def _check_clusters(clusters: Indices) -> None:
    if clusters.ndim != 1 or len(clusters) == 0 or clusters.dtype != np.int64:
        raise ContractError(
            f"clusters must be (N,) int64 with N >= 1, got {clusters.shape} {clusters.dtype}"
        )


def _by_score(scores: Reals, among: Bools) -> Indices:
    """Indices of the images among these, by ascending score."""
    images = np.flatnonzero(among)
    return images[np.argsort(scores[images], kind="stable")]


def _chunks(rows: int, columns: int, elements: int) -> Iterator[slice]:
    """Slices of the rows, each with about so many elements."""
    step = max(1, elements // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
