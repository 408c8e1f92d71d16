"""Fidelity and diversity by nearest neighbours: precision, recall, density, coverage."""

from typing import NamedTuple

import numpy as np

from tgap.core import Bools, ContractError, Doubles
from tgap.metrics.distances import Vectors, as_pair

_BLOCK = 1024
"""Rows of a matrix of distances held at once."""
_ROUNDING = 1e-12
"""Squared distances that differ by less than this, times the largest squared length, are equal."""


class Prdc(NamedTuple):
    """How synthetic vectors lie among real ones; all in [0, 1] but the density, of at least 0."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Vectors, fake: Vectors, k: int = 5) -> Prdc:
    """Precision, recall, density and coverage.

    The ball of a vector reaches to its k-th nearest neighbour in its own set.

    - precision: share of fake vectors inside a real ball (realism)
    - recall: share of real vectors inside a fake ball (diversity)
    - density: real balls that a fake vector is in, on average, over k; 1 on average for two sets of
      one distribution, and more where fake vectors crowd
    - coverage: share of real balls with a fake vector inside (diversity, by balls that outliers
      among the fake vectors do not widen)

    Precision and recall by Kynkaanniemi et al., NeurIPS 2019, arXiv 1904.06991; density and
    coverage by Naeem et al., ICML 2020, arXiv 2002.09797. A ball contains its edge, as in the
    first paper; the second's code leaves the edge out, which differs for equal distances only.
    So a vector with k duplicates has a ball of radius 0 that contains what is equal to it, where
    without edges it would contain nothing.

    Args:
        real: ``(N, d)`` real.
        fake: ``(M, d)`` real.
        k: Which neighbour, at least 1.

    Returns:
        The four; NaN where a set that balls are needed of has no more than k vectors, or the other
        set has none.

    Raises:
        ContractError: If shapes disagree, a value is not finite, or k is below 1.

    >>> prdc(np.array([[0.0], [1.0], [3.0], [5.0]]), np.array([[0.5], [0.6]]), k=1)
    Prdc(precision=1.0, recall=0.0, density=2.0, coverage=0.5)
    """
    if k < 1:
        raise ContractError(f"k must be at least 1, got {k}")
    real, fake = as_pair(real, fake)
    n, m = len(real), len(fake)
    if min(n, m) == 0 or max(n, m) <= k:
        return Prdc(*4 * [float("nan")])
    real, fake, slack = _centred(real, fake)
    real_edge, fake_edge = (_radii(one, k) + slack for one in (real, fake))
    inside_real = np.zeros(m)
    recalled, reached = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for begin in range(0, n, _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        distances = _squared_distances(real[rows], fake)
        inside = distances <= real_edge[rows, None]
        inside_real += inside.sum(axis=0)
        reached[rows] = inside.any(axis=1)
        recalled[rows] = (distances <= fake_edge).any(axis=1)
    return Prdc(
        precision=_unless(n <= k, (inside_real > 0).mean()),
        recall=_unless(m <= k, recalled.mean()),
        density=_unless(n <= k, inside_real.mean() / k),
        coverage=_unless(n <= k, reached.mean()),
    )


def covered(real: Vectors, fake: Vectors, k: int = 5) -> Bools:
    """``(N,)``: which real balls have a fake vector inside; coverage is their share.

    Args:
        real: ``(N, d)``, more than ``k``.
        fake: ``(M, d)``.
        k: As in ``prdc``.
    """
    real, fake, slack = _centred(*as_pair(real, fake))
    edge, reached = _radii(real, k) + slack, np.zeros(len(real), np.bool_)
    for begin in range(0, len(real), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        reached[rows] = (_squared_distances(real[rows], fake) <= edge[rows, None]).any(axis=1)
    return reached


def _centred(real: Doubles, fake: Doubles) -> tuple[Doubles, Doubles, float]:
    """Both about the real mean, and what squared distances are rounded by.

    Where all vectors have one large part in common, rounding would drown the distances.
    """
    real, fake = real - real.mean(axis=0), fake - real.mean(axis=0)
    longest = max(float((one**2).sum(axis=1).max()) for one in (real, fake))
    return real, fake, _ROUNDING * longest


def _unless(undefined: bool, value: float) -> float:
    return float("nan") if undefined else float(value)


def _radii(x: Doubles, k: int) -> Doubles:
    """``(N,)`` squared distance of each vector to its k-th nearest other one."""
    if len(x) <= k:
        return np.full(len(x), np.nan)
    radii = np.empty(len(x))
    for begin in range(0, len(x), _BLOCK):
        distances = _squared_distances(x[begin : begin + _BLOCK], x)
        rows = np.arange(len(distances))
        distances[rows, begin + rows] = np.inf  # itself
        distances.partition(k - 1, axis=1)
        radii[begin : begin + _BLOCK] = distances[:, k - 1]
    return radii


def _squared_distances(x: Doubles, y: Doubles) -> Doubles:
    """``(N, M)``, never below 0."""
    distances = x @ y.T
    distances *= -2
    distances += (x**2).sum(axis=1)[:, None]
    distances += (y**2).sum(axis=1)
    np.maximum(distances, 0, out=distances)
    return distances
