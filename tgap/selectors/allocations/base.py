"""Cluster sizes -> how many picks each cluster gets, and whose turn it is when."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from tgap.component import Component
from tgap.errors import ContractError
from tgap.types import Indices


@dataclass(kw_only=True)
class Allocation(Component):
    """Shares a number of picks out among clusters, one pick after another.

    The turns of a smaller number of picks are a prefix of those of a larger one: that is what
    makes a small selection a prefix of a large one.
    """

    def capacity(self, images: int) -> int | None:
        """The most picks that clusters of ``images`` in all can give; ``None`` = any number."""
        return None

    def allocate(self, cluster_sizes: Indices, size: int) -> Indices:
        """Share out.

        Args:
            cluster_sizes: ``(k,)`` int64, images in each cluster, at least 1.
            size: Picks to share out, at least 1.

        Returns:
            ``(size,)`` int64, the cluster whose turn it is at each pick; how often a cluster
            occurs is its quota, which may exceed its size.

        Raises:
            ContractError: If ``size`` exceeds ``capacity`` or the subclass breaks its contract.
        """
        images = int(cluster_sizes.sum())
        most = self.capacity(images)
        if most is not None and size > most:
            raise ContractError(
                f"size must be at most {most}, what {self.stem()} can share out among clusters of "
                f"{images} images in all, got {size}"
            )
        turns = self._allocate(cluster_sizes, size)
        if turns.shape != (size,) or turns.dtype != np.int64:
            raise ContractError(
                f"{self.stem()} must return ({size},) int64 turns, got {turns.shape} {turns.dtype}"
            )
        if turns.min() < 0 or turns.max() >= len(cluster_sizes):
            raise ContractError(
                f"{self.stem()} must return clusters in [0, {len(cluster_sizes)}), "
                f"got {turns.min()}..{turns.max()}"
            )
        return turns

    @abstractmethod
    def _allocate(self, cluster_sizes: Indices, size: int) -> Indices: ...
