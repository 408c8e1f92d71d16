"""Images of a cluster that are far from each other."""

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from tgap.core import Floats, Indices
from tgap.metrics.vectors import squared_distances, squared_distances_to_mean, unit_length
from tgap.selectors.base import Candidates
from tgap.selectors.picks.base import Pick


@dataclass(kw_only=True)
class FarthestFirst(Pick):
    """Greedy k-center: next comes ``argmax_i min_{picked j} ||x_i - x_j||``, ties to the first.

    The largest distance from an image to its nearest pick is at most twice the best possible
    (Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; for core-sets Sener
    and Savarese, ICLR 2018). It starts at the image closest to the mean, where Gonzalez starts
    anywhere, and works on unit vectors. Not random. O(count m d) time.
    """

    uses_vectors: ClassVar[bool] = True

    def _order(self, members: Candidates, count: int, rng: np.random.Generator) -> Indices:
        vectors = unit_length(cast("Floats", members.vectors))  # the base has seen to it
        order = np.empty(count, dtype=np.int64)
        order[0] = squared_distances_to_mean(vectors).argmin()
        nearest = np.full(len(vectors), np.inf)
        for place in range(1, count):
            last = order[place - 1]
            np.minimum(nearest, squared_distances(vectors, vectors[last]), out=nearest)
            nearest[last] = -1  # below a copy's 0: it is never picked again
            order[place] = nearest.argmax()
        return order
