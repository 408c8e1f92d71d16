"""The images closest to the middle of a cluster."""

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from tgap.core import Floats, Indices
from tgap.metrics.vectors import squared_distances_to_mean, unit_length
from tgap.selectors.base import Candidates
from tgap.selectors.picks.base import Pick


@dataclass(kw_only=True)
class Closest(Pick):
    """Images in ascending ``||x - mean of the cluster||``, of equal ones the first.

    Distances are Euclidean, between unit vectors: the typical images first (the easy prototypes of
    Sorscher et al., Beyond neural scaling laws, NeurIPS 2022, there by cosine). Not random.
    O(m d + m log m).
    """

    uses_vectors: ClassVar[bool] = True

    def _order(self, members: Candidates, count: int, rng: np.random.Generator) -> Indices:
        vectors = unit_length(cast("Floats", members.vectors))  # the base has seen to it
        order = np.argsort(squared_distances_to_mean(vectors), kind="stable")
        return order.astype(np.int64, copy=False)[:count]
