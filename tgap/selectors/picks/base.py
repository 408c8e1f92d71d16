"""Images of one cluster -> picks."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Component, ContractError, Indices
from tgap.core.arrays import require_indices
from tgap.selectors.base import Candidates


@dataclass(kw_only=True)
class Pick(Component):
    """Orders the images of one cluster.

    A subclass gives the order; once a cluster is used up, the base starts again at its beginning,
    so no image is picked ``k + 1`` times before all are picked ``k`` times. The picks of a smaller
    quota are a prefix of those of a larger one at the same seed.
    """

    uses_vectors: ClassVar[bool] = False
    """Whether ``Candidates.vectors`` must be there."""

    def pick(self, members: Candidates, quota: int, rng: np.random.Generator) -> Indices:
        """Pick.

        Args:
            members: The m images of the cluster, at least one.
            quota: Number of picks, at least 1; may exceed m.
            rng: The only source of randomness.

        Returns:
            ``(quota,)`` int64 positions into the members, in the order of picking.

        Raises:
            ContractError: If vectors are missing or the subclass breaks its contract.
        """
        if self.uses_vectors and members.vectors is None:
            raise ContractError(f"{self.stem()} works on vectors: give the selector an embedder")
        count = min(quota, len(members))
        order = self._order(members, count, rng)
        require_indices(self.stem(), "positions", order, (count,), len(members))
        if len(np.unique(order)) < count:
            raise ContractError(f"{self.stem()} repeated an image before all were used up")
        return np.resize(order, quota)  # which repeats it

    @abstractmethod
    def _order(self, members: Candidates, count: int, rng: np.random.Generator) -> Indices:
        """The first ``count <= m`` picks, all different."""
