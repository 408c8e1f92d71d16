"""Picks in proportion to the clusters' sizes."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Indices
from tgap.selectors.allocations.base import Allocation, highest_averages


@dataclass(kw_only=True)
class Proportional(Allocation):
    """Cluster c of n_c images gets ``size n_c / n`` picks, rounded by Sainte-Lague's method.

    No image is repeated up to ``size = n``, where each cluster gets all of its own.

    >>> Proportional().allocate(np.array([2, 6]), 4)
    array([1, 1, 0, 1])
    """

    def _allocate(self, cluster_sizes: Indices, size: int) -> Indices:
        return highest_averages(cluster_sizes.astype(np.float64), size)
