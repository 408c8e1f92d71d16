"""The same number of picks for every cluster."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Indices
from tgap.selectors.allocations.base import Allocation


@dataclass(kw_only=True)
class Equal(Allocation):
    """Clusters take turns, so each gets ``size // k`` picks or one more, however small it is.

    The largest cluster comes first (of equal ones the lower number), so the remainder goes to
    those that have images to spare. The thesis's rule (section 4.5.1).

    >>> Equal().allocate(np.array([3, 9, 5]), 7)
    array([1, 2, 0, 1, 2, 0, 1])
    """

    def _allocate(self, cluster_sizes: Indices, size: int) -> Indices:
        order = np.argsort(-cluster_sizes, kind="stable").astype(np.int64, copy=False)
        return order[np.arange(size) % len(order)]
