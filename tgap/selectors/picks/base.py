"""Images of one cluster -> picks."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.component import Component
from tgap.errors import ContractError
from tgap.selectors.base import Candidates
from tgap.types import Indices


@dataclass(kw_only=True)
class Pick(Component):
    """Orders the images of one cluster.

    No image is repeated before all are used up, and the picks of a smaller quota are a prefix of
    those of a larger one at the same seed.
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
        positions = self._pick(members, quota, rng)
        if positions.shape != (quota,) or positions.dtype != np.int64:
            raise ContractError(
                f"{self.stem()} must return ({quota},) int64 positions, "
                f"got {positions.shape} {positions.dtype}"
            )
        if positions.min() < 0 or positions.max() >= len(members):
            raise ContractError(
                f"{self.stem()} must return positions in [0, {len(members)}), "
                f"got {positions.min()}..{positions.max()}"
            )
        first = min(quota, len(members))
        if len(np.unique(positions[:first])) < first:
            raise ContractError(f"{self.stem()} repeated an image before all were used up")
        return positions

    @abstractmethod
    def _pick(self, members: Candidates, quota: int, rng: np.random.Generator) -> Indices: ...
