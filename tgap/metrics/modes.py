"""Which kinds of real images a synthetic set leaves out."""

from typing import NamedTuple

import numpy as np

from tgap.core import Bools, Doubles, Indices
from tgap.metrics.distances import Vectors, as_vectors
from tgap.metrics.memorization import nearest
from tgap.metrics.neighbours import covered

PER_CLUSTER = 32
"""Images of a cluster, on average."""
MOST = 50
"""Clusters, at most."""
FEWEST = 10
"""Images of a kind that other real images must have, that its absence says anything."""
FEW = 0.5
"""Share of the number that other real images have of a kind below which a set has few of it. On
digits that were left out it is .37 at most, on those that were not .47 at least."""
UNCOVERED = 0.75
"""Share of what other real images cover of a kind below which a set covers little of it. On digits
that were left out it is .68 at most, on those that were not .8 at least."""


class LeftOut(NamedTuple):
    """Of each kind, ``(G,)``.

    Args:
        expected: Other real images that are nearest to one of the kind.
        found: Synthetic images that are.
        missing: Whether the synthetic set leaves the kind out.
    """

    expected: Indices
    found: Indices
    missing: Bools


def clusters(real: Vectors, rng: np.random.Generator) -> Bools:
    """``(N, C)``: clusters by k-means, ``PER_CLUSTER`` vectors each on average, ``MOST`` at most.

    ``C`` is 0 where there are too few vectors, or too few different ones, for two clusters.
    """
    count = min(MOST, len(real) // PER_CLUSTER, len(np.unique(real, axis=0)))
    if count < 2:
        return np.zeros((len(real), 0), np.bool_)
    from sklearn.cluster import KMeans

    kmeans = KMeans(count, n_init=3, random_state=int(rng.integers(2**32)))
    return np.asarray(kmeans.fit_predict(as_vectors(real))[:, None] == np.arange(count))


def left_out(
    real: Vectors, reference: Vectors, fake: Vectors, kinds: Bools, k: int
) -> LeftOut | None:
    """Which kinds of real images synthetic ones leave out.

    A synthetic image is of the kinds of its nearest real one. A kind is left out where there are
    fewer than ``FEW`` of what other real images have (as in the bins of Richardson & Weiss 2018,
    arXiv 1805.12462), and where less than ``UNCOVERED`` of what these cover is covered (``prdc``).
    Either alone misleads: images that all have a mark lie a little aside and cover little anywhere,
    and those of nothing real are nearest to something too.

    Args:
        real: ``(N, d)``.
        reference: ``(M, d)`` of other real images, as many as fake ones.
        fake: ``(M, d)`` of the synthetic ones.
        kinds: ``(N, G)``: of the real images, clusters or findings.
        k: Which neighbour a ball reaches to, below N.

    Returns:
        Nothing where it cannot be told: there are no kinds, no more than ``k`` vectors, or of the
        kinds that are there less than ``UNCOVERED`` is covered, so that all images lie aside.
    """
    if len(real) <= k or kinds.shape[1] == 0:
        return None
    expected, found = (kinds[nearest(other, real)[1]].sum(axis=0) for other in (reference, fake))
    reached = [covered(real, other, k) for other in (reference, fake)]
    by_reference, by_fake = (kinds[of_images].sum(axis=0) for of_images in reached)
    few = (found < FEW * expected) & (expected >= FEWEST)
    missing = few & (by_fake < UNCOVERED * by_reference)
    reference_rest, rest = (int(r[~kinds[:, missing].any(axis=1)].sum()) for r in reached)
    aside = rest < UNCOVERED * reference_rest or reference_rest == 0
    return None if aside else LeftOut(expected, found, missing)


def typical(real: Vectors, kind: Bools) -> Indices:
    """Positions of a kind's vectors, those that are nearest to its mean first."""
    rows = np.flatnonzero(kind)
    of_kind: Doubles = as_vectors(real[rows])
    distance = np.linalg.norm(of_kind - of_kind.mean(axis=0), axis=1)
    return rows[np.argsort(distance, kind="stable")]
