"""Cluster sizes -> how many picks each cluster gets, and whose turn it is when."""

import heapq
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from tgap.core import Component, ContractError, Doubles, Indices
from tgap.core.arrays import require_indices


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
        require_indices(self.stem(), "turns", turns, (size,), len(cluster_sizes))
        return turns

    @abstractmethod
    def _allocate(self, cluster_sizes: Indices, size: int) -> Indices: ...


def highest_averages(weights: Doubles, size: int) -> Indices:
    """Turns by the method of Sainte-Lague (Webster): next comes ``argmax_c w_c / (2 s_c + 1)``.

    ``s_c`` counts the turns that c has had. Of equal quotients the larger weight comes first, then
    the lower number. Unlike the method of largest remainders it is house-monotone: more turns
    never take one away (Balinski and Young, Fair Representation, 1982). O(size log k).

    Args:
        weights: ``(k,)`` float64, above 0.
        size: Number of turns.

    Returns:
        ``(size,)`` int64 in [0, k).

    >>> highest_averages(np.array([1.0, 5.0, 3.0]), 9)
    array([1, 2, 1, 1, 2, 0, 1, 2, 1])
    """
    turns = np.empty(size, dtype=np.int64)
    heap = [(-weight, -weight, c, 1) for c, weight in enumerate(weights.tolist())]
    heapq.heapify(heap)
    for turn in range(size):
        _, minus_weight, c, divisor = heap[0]
        turns[turn] = c
        heapq.heapreplace(heap, (minus_weight / (divisor + 2), minus_weight, c, divisor + 2))
    return turns
