"""Picks between proportional and equal."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Indices, option
from tgap.selectors.allocations.base import Allocation, highest_averages


@dataclass(kw_only=True)
class Temperature(Allocation):
    """Cluster c of n_c images gets picks in proportion to ``n_c ^ (1 / temperature)``.

    1 is proportional to size, a large temperature equal, below 1 favours the large ones; rounded
    by Sainte-Lague's method. The sampling of multilingual training (Arivazhagan et al., Massively
    multilingual neural machine translation in the wild, 2019, section 4), as turns instead of
    draws. A small cluster's quota may exceed its size.

    >>> Temperature(temperature=2.0).allocate(np.array([1, 9]), 4)
    array([1, 1, 0, 1])
    """

    temperature: float = option(2.0, "1 = proportional, large = equal", low=0.1)

    def _allocate(self, cluster_sizes: Indices, size: int) -> Indices:
        return highest_averages(np.power(cluster_sizes, 1 / self.temperature), size)
