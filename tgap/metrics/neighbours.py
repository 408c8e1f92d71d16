"""Fidelity and diversity by nearest neighbours: precision, recall, density, coverage, clipped."""

from typing import NamedTuple

import numpy as np

from tgap.core import Bools, ContractError, Doubles, Indices
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
    in_real, in_real_ball = _inside(real, _radii(real, k) + slack, fake)
    in_fake, _ = _inside(fake, _radii(fake, k) + slack, real)
    return Prdc(
        precision=_unless(n <= k, (in_real > 0).mean()),
        recall=_unless(m <= k, (in_fake > 0).mean()),
        density=_unless(n <= k, in_real.mean() / k),
        coverage=_unless(n <= k, (in_real_ball > 0).mean()),
    )


class Clipped(NamedTuple):
    """Shares of good vectors, in [0, 1]."""

    clipped_density: float
    clipped_coverage: float


def clipped(real: Vectors, fake: Vectors, k: int = 5) -> Clipped:
    """Clipped density and coverage: density and coverage that outliers do not raise.

    Both read as the share of good vectors: a set of which a third lies far away has some 0.67.

    - clipped density: real balls are no wider than their median, a fake vector counts for k balls
      at most; over the same of the real vectors, each without its own ball, and 1 at most
    - clipped coverage: fake vectors in a real ball over k, 1 at most, on average; and of that the
      smallest share of good fake vectors whose expectation reaches it, if the others are in no
      ball. The fake vectors in a ball are beta-binomial, whatever the distribution.

    Salvy, Talbot & Thirion, Enhanced generative model evaluation with clipped density and coverage,
    ICLR 2026, arXiv 2507.01761, as their code has it (fewer than k good vectors count for nothing,
    the share is over m + 1); but every ball contains its edge, as in ``prdc``.

    Args:
        real: ``(N, d)`` real.
        fake: ``(M, d)`` real.
        k: Which neighbour a ball reaches to, at least 1.

    Returns:
        The two; NaN with no more than k real or fewer than k fake vectors.

    Raises:
        ContractError: If shapes disagree, a value is not finite, or k is below 1.

    >>> clipped(np.array([[0.0], [1.0], [2.0], [9.0]]), np.array([[0.5], [9.0], [50.0]]), k=1)
    Clipped(clipped_density=0.8888888888888888, clipped_coverage=1.0)
    """
    if k < 1:
        raise ContractError(f"k must be at least 1, got {k}")
    real, fake = as_pair(real, fake)
    n, m = len(real), len(fake)
    if n <= k or m < k:
        return Clipped(float("nan"), float("nan"))
    real, fake, slack = _centred(real, fake)
    radii = _radii(real, k)
    narrow = np.minimum(radii, np.median(np.sqrt(radii)) ** 2) + slack
    of_fake, _ = _inside(real, narrow, fake)
    of_real, _ = _inside(real, narrow, real)
    density = np.minimum(of_fake, k).mean() / np.minimum(of_real - 1, k).mean()
    _, in_ball = _inside(real, radii + slack, fake)
    good = np.searchsorted(_expected_coverage(n, m, k), np.minimum(in_ball, k).mean() / k)
    return Clipped(min(1.0, float(density)), float(good / (m + 1)))


def _expected_coverage(n: int, m: int, k: int) -> Doubles:
    """``(m + 1,)`` clipped coverage before calibration, expected of 0 to m good vectors of m."""
    from scipy.special import betaln, gammaln

    good, inside = np.arange(k, m + 1)[:, None], np.arange(k)
    ways = gammaln(good + 1) - gammaln(inside + 1) - gammaln(good - inside + 1)
    # The share of a distribution in a ball around one of n vectors of it is Beta(k, n - k).
    chance = np.exp(ways + betaln(inside + k, good - inside + n - k) - betaln(k, n - k))
    expected = 1 - (chance * (1 - inside / k)).sum(axis=1)
    return np.concatenate([np.zeros(k), np.maximum.accumulate(expected)])


def _centred(real: Doubles, fake: Doubles) -> tuple[Doubles, Doubles, float]:
    """Both around the real mean, and what squared distances may differ by and yet be equal."""
    # Where all vectors have one large part in common, rounding would drown the distances.
    real, fake = real - real.mean(axis=0), fake - real.mean(axis=0)
    return real, fake, _ROUNDING * max(float((one**2).sum(axis=1).max()) for one in (real, fake))


def _inside(centres: Doubles, edges: Doubles, others: Doubles) -> tuple[Doubles, Doubles]:
    """In how many balls each other vector is, and how many other vectors are in each ball."""
    balls, held = np.zeros(len(others)), np.empty(len(centres))
    for begin in range(0, len(centres), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        inside = _squared_distances(centres[rows], others) <= edges[rows, None]
        balls += inside.sum(axis=0)
        held[rows] = inside.sum(axis=1)
    return balls, held


def covered(real: Vectors, fake: Vectors, k: int = 5) -> Bools:
    """``(N,)``: which real balls have a fake vector inside; coverage is their share.

    Args:
        real: ``(N, d)``, more than ``k``.
        fake: ``(M, d)``.
        k: As in ``prdc``.
    """
    real, fake, slack = _centred(*as_pair(real, fake))
    return np.asarray(_inside(real, _radii(real, k) + slack, fake)[1] > 0)


def neighbourhoods(real: Vectors, fake: Vectors, groups: Indices, k: int = 5) -> Doubles:
    """``(N, G)``: how many fake vectors of each group are in each real ball.

    Args:
        real: ``(N, d)``, more than ``k``.
        fake: ``(M, d)``.
        groups: ``(M,)`` int64, each fake vector's group, all from 0 on.
        k: As in ``prdc``.
    """
    real, fake, slack = _centred(*as_pair(real, fake))
    edges, members = _radii(real, k) + slack, np.eye(int(groups.max()) + 1)[groups]
    held = np.empty((len(real), members.shape[1]))
    for begin in range(0, len(real), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        held[rows] = (_squared_distances(real[rows], fake) <= edges[rows, None]) @ members
    return held


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
