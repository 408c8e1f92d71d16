"""Equal picks, as far as the clusters' images go."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Indices, option
from tgap.selectors.allocations.base import Allocation


@dataclass(kw_only=True)
class WaterFilling(Allocation):
    """Clusters take turns; one whose images have all been picked ``max_repeats`` times drops out.

    Cluster c of n_c images gets ``min(x, max_repeats n_c)`` picks, with the level x such that they
    sum up to ``size``, but for the last, unfinished round, in which the largest come first (of
    equal ones the lower number). The budget rule of Vo et al., Automatic data curation for
    self-supervised learning, TMLR 2024 (section 3.3), with a cap on repeats. O(n max_repeats).

    >>> WaterFilling().allocate(np.array([1, 9, 3]), 8)
    array([1, 2, 0, 1, 2, 1, 2, 1])
    """

    max_repeats: int = option(1, "most picks of one image", low=1, high=1_000_000)

    def capacity(self, images: int) -> int | None:
        """``max_repeats`` picks of each image."""
        return self.max_repeats * images

    def _allocate(self, cluster_sizes: Indices, size: int) -> Indices:
        most = np.minimum(self.max_repeats * cluster_sizes, size)
        cluster = np.repeat(np.arange(len(most), dtype=np.int64), most)
        round_ = np.concatenate([np.arange(m) for m in most])
        return cluster[np.lexsort((cluster, -cluster_sizes[cluster], round_))[:size]]
