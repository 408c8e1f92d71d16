"""A pick: the images of a cluster that lie farthest out."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import ContractError, Indices
from tgap.metrics.vectors import squared_distances_to_mean, unit_length
from tgap.selectors.base import Candidates
from tgap.selectors.picks.base import Pick


@dataclass(kw_only=True)
class Outermost(Pick):
    """Images in descending distance from their cluster's mean, of equal ones the first.

    The hard examples of Sorscher et al., Beyond neural scaling laws, NeurIPS 2022. Not random.
    """

    uses_vectors: ClassVar[bool] = True

    def _order(self, members: Candidates, count: int, rng: np.random.Generator) -> Indices:
        if members.vectors is None:
            raise ContractError("outermost works on vectors: give the selector an embedder")
        distances = squared_distances_to_mean(unit_length(members.vectors))
        return np.argsort(-distances, kind="stable").astype(np.int64)[:count]
