"""Kernel distance and coverage with intervals, by leaving out groups of either set in turn.

Both are functions of two independent samples, so that the variance is the sum of what each makes
of it: ``(G - 1) / G`` times the sum of the squared deviations of the numbers that are left without
one of the G groups (the delete-a-group jackknife, Kott 2001). Groups are of whole patients. One
pass over all pairs gives all of them, because a pair's part is summed by its two groups.
"""

import math

import numpy as np

from tgap.core import Doubles, Indices
from tgap.metrics.distances import Vectors, as_pair
from tgap.metrics.intervals import Interval, t_quantile
from tgap.metrics.neighbours import neighbourhoods

GROUPS = 20
"""Their variance has as many degrees of freedom, less one: t quantile 2.09 instead of 1.96."""
_BLOCK = 1024
"""Rows of a matrix of pairs held at once."""


def grouped(patients: Indices, rng: np.random.Generator) -> Indices:
    """``(N,)``: which of ``GROUPS`` groups each image is in, or of as many as there are patients.

    Args:
        patients: ``(N,)`` int64; one's images stay together.
        rng: Deals patients out.
    """
    distinct, which = np.unique(patients, return_inverse=True)
    dealt = rng.permutation(len(distinct)) % min(GROUPS, max(1, len(distinct)))
    groups: Indices = dealt[which].astype(np.int64)
    return groups


def kid_with_ends(real: Vectors, fake: Vectors, of_real: Indices, of_fake: Indices) -> Interval:
    """``kid`` with its interval of 95 %.

    Args:
        real: ``(N, d)``.
        fake: ``(M, d)``.
        of_real: ``(N,)`` its images' groups, ``grouped``.
        of_fake: ``(M,)``.

    Returns:
        On the identity scale, so that the lower end may be below 0; without ends where a set has
        fewer than two groups.
    """
    real, fake = as_pair(real, fake)
    xx, yy = _by_groups(real, of_real, real, of_real), _by_groups(fake, of_fake, fake, of_fake)
    xy = _by_groups(real, of_real, fake, of_fake)
    x = _Sample(xx, _diagonal(real, of_real), np.bincount(of_real))
    y = _Sample(yy, _diagonal(fake, of_fake), np.bincount(of_fake))

    def value(keep_x: Doubles, keep_y: Doubles) -> float:
        between = keep_x @ xy @ keep_y / (keep_x @ x.counts * (keep_y @ y.counts))
        return x.within(keep_x) + y.within(keep_y) - 2 * float(between)

    all_x, all_y = np.ones(len(x.counts)), np.ones(len(y.counts))
    of_x = np.array([value(keep, all_y) for keep in _each_left_out(len(all_x))])
    of_y = np.array([value(all_x, keep) for keep in _each_left_out(len(all_y))])
    return _with_ends(value(all_x, all_y), of_x, of_y)


def coverage_with_ends(
    real: Vectors, fake: Vectors, of_real: Indices, of_fake: Indices, k: int = 5
) -> Interval:
    """Coverage (``prdc``) with its interval of 95 %, within [0, 1].

    Balls reach to the k-th of all other real vectors, also where a group is left out.

    Args:
        real: ``(N, d)``, N > k.
        fake: ``(M, d)``.
        of_real: ``(N,)`` its images' groups.
        of_fake: ``(M,)``.
        k: Which neighbour a ball reaches to.
    """
    inside = neighbourhoods(real, fake, of_fake, k)
    every = inside.sum(axis=1)
    covered = (every > 0).astype(np.float64)
    sizes = np.bincount(of_real).astype(np.float64)
    sums = np.bincount(of_real, covered)
    of_x = (covered.sum() - sums) / (len(covered) - sizes) if len(sizes) > 1 else np.empty(0)
    of_y = ((every[:, None] - inside) > 0).mean(axis=0)
    found = _with_ends(float(covered.mean()), of_x, of_y)
    lo, hi = max(found.lo, 0.0), min(found.hi, 1.0)
    if math.isnan(found.lo):
        lo = hi = math.nan
    return Interval(found.estimate, lo, hi, found.standard_error, found.degrees_of_freedom, 1)


class _Sample:
    """One set's kernel by groups."""

    def __init__(self, sums: Doubles, diagonal: Doubles, counts: Indices) -> None:
        self.sums, self.diagonal, self.counts = sums, diagonal, counts

    def within(self, keep: Doubles) -> float:
        """Mean kernel over pairs of different vectors of the groups that are kept."""
        n = float(keep @ self.counts)
        sums = float(keep @ self.sums @ keep - keep @ self.diagonal)
        return sums / (n * (n - 1)) if n > 1 else math.nan


def _each_left_out(groups: int) -> Doubles:
    return 1 - np.eye(groups) if groups > 1 else np.empty((0, groups))


def _by_groups(x: Doubles, of_x: Indices, y: Doubles, of_y: Indices) -> Doubles:
    """``(G, H)``: sums of the cubic kernel over pairs of a group of x and one of y."""
    sums = np.zeros((of_x.max() + 1, of_y.max() + 1))
    members = np.eye(sums.shape[1])[of_y]
    for begin in range(0, len(x), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        pairs = x[rows] @ y.T / x.shape[1] + 1
        np.add.at(sums, of_x[rows], (pairs * pairs * pairs) @ members)
    return sums


def _diagonal(x: Doubles, of_x: Indices) -> Doubles:
    return np.bincount(of_x, ((x**2).mean(axis=1) + 1) ** 3).astype(np.float64)


def _with_ends(value: float, without_x: Doubles, without_y: Doubles) -> Interval:
    groups = min(len(without_x), len(without_y))
    error = math.sqrt(_variance(without_x) + _variance(without_y)) if groups > 1 else math.nan
    if not error > 0:
        return Interval(value, math.nan, math.nan, math.nan, math.nan, 1)
    half = t_quantile(0.95, groups - 1) * error
    return Interval(value, value - half, value + half, error, groups - 1, 1)


def _variance(without: Doubles) -> float:
    count = len(without)
    return float((count - 1) / count * ((without - without.mean()) ** 2).sum())
