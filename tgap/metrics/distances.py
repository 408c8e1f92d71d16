"""How far apart two sets of vectors are as distributions, and how diverse one set is.

All are biased by the number of vectors (the Frechet distance most): compare numbers of equal n, and
have a distance between two sets of real images beside them. All depend on the embedder that made
the vectors, and on its scale.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import ContractError, Doubles

Vectors = NDArray[Any]
"""``(N, d)`` of any real dtype; computed with in float64."""

_BLOCK = 1024
"""Rows of a matrix of pairs held at once."""


def frechet(x: Vectors, y: Vectors) -> float:
    """Frechet distance of two Gaussians with the sets' means and covariances; FID for any embedder.

    ``|mean_x - mean_y|^2 + tr(S_x) + tr(S_y) - 2 tr((S_x S_y)^(1/2))`` (Heusel et al., NeurIPS
    2017, arXiv 1706.08500), covariances with n - 1. With ``S_x = A^T A`` and ``S_y = B^T B``, the
    last trace is the sum of the singular values of ``A B^T``: no root of a matrix, no complex
    numbers, and covariances may have any rank.

    Args:
        x: ``(N, d)`` real.
        y: ``(M, d)`` real.

    Returns:
        A value of at least 0; NaN if a set has fewer than 2 vectors.

    Raises:
        ContractError: If shapes disagree or a value is not finite.

    >>> round(frechet(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])), 6)
    11.0
    """
    x, y = as_pair(x, y)
    if min(len(x), len(y)) < 2:
        return float("nan")
    between = float(((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum())
    a, b = _root_of_covariance(x), _root_of_covariance(y)
    overlap = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    # Equal sets are at 0, which rounding may take below.
    return max(0.0, between + float((a**2).sum() + (b**2).sum()) - 2 * overlap)


def _root_of_covariance(x: Doubles) -> Doubles:
    """``(min(N, d), d)`` A with ``A^T A`` the covariance."""
    triangle = np.asarray(np.linalg.qr(x - x.mean(axis=0), mode="r"), dtype=np.float64)
    return triangle / math.sqrt(len(x) - 1)


def kid(x: Vectors, y: Vectors) -> float:
    """Kernel distance: the unbiased squared maximum mean discrepancy, of all pairs.

    Mean of ``k(x, x')`` over pairs of different vectors, plus that of ``y``, minus twice the mean
    of ``k(x, y)``, with ``k(a, b) = (a . b / d + 1)^3`` (Binkowski et al., ICLR 2018, arXiv
    1801.01401). They average over random subsets; all pairs have no less precision, and no
    randomness.

    Args:
        x: ``(N, d)`` real.
        y: ``(M, d)`` real.

    Returns:
        0 on average for two sets of one distribution, so also below 0; NaN if a set has fewer
        than 2 vectors.

    Raises:
        ContractError: If shapes disagree or a value is not finite.

    >>> kid(np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]]))
    -19.0
    """
    x, y = as_pair(x, y)
    n, m = len(x), len(y)
    if min(n, m) < 2:
        return float("nan")
    within = sum(
        (_kernel_sum(one, one) - float((((one**2).mean(axis=1) + 1) ** 3).sum()))
        / (len(one) * (len(one) - 1))
        for one in (x, y)
    )
    return within - 2 * _kernel_sum(x, y) / (n * m)


def _kernel_sum(x: Doubles, y: Doubles) -> float:
    """Sum of the polynomial kernel over all pairs."""
    total = 0.0
    for begin in range(0, len(x), _BLOCK):
        pairs = x[begin : begin + _BLOCK] @ y.T / x.shape[1] + 1
        total += float((pairs * pairs * pairs).sum())
    return total


def vendi(x: Vectors) -> float:
    """Vendi score: how many different vectors there are, in effect.

    ``exp(-sum p log p)`` over the eigenvalues p of ``K / n``, with K the cosine similarities
    (Friedman & Dieng, TMLR 2023, arXiv 2210.02410). Vectors of length 0 have no direction: they
    are taken as equal to each other and orthogonal to all others. It grows with n.

    Args:
        x: ``(N, d)`` real.

    Returns:
        From 1 (all alike) to N (all orthogonal); NaN if there are none.

    Raises:
        ContractError: If the shape is wrong or a value is not finite.

    >>> vendi(np.eye(4))
    4.0
    >>> vendi(np.ones((4, 2)))
    1.0
    """
    x = as_vectors(x)
    if len(x) == 0:
        return float("nan")
    lengths = np.linalg.norm(x, axis=1)
    units = x[lengths > 0] / lengths[lengths > 0, None]
    gram = units.T @ units if units.shape[0] > units.shape[1] else units @ units.T
    p = np.append(np.linalg.eigvalsh(gram), np.count_nonzero(lengths == 0)) / len(x)
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def as_vectors(x: Vectors) -> Doubles:
    """The vectors in float64.

    Raises:
        ContractError: If they are none, or not finite.
    """
    if x.ndim != 2 or x.shape[1] == 0 or x.dtype.kind not in "fiu":
        raise ContractError(f"vectors must be (N, d) real numbers, got {x.shape} {x.dtype}")
    doubles = x.astype(np.float64)
    if not np.isfinite(doubles).all():
        raise ContractError("vectors must be finite")
    return doubles


def as_pair(x: Vectors, y: Vectors) -> tuple[Doubles, Doubles]:
    """Two sets in float64.

    Raises:
        ContractError: If one is no set of vectors, or they have another number of dimensions.
    """
    x, y = as_vectors(x), as_vectors(y)
    if x.shape[1] != y.shape[1]:
        raise ContractError(
            f"both sets must have vectors of the same length, got {x.shape[1]} and {y.shape[1]}"
        )
    return x, y
