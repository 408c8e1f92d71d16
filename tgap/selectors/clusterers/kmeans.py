"""k-means clusters."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from tgap.core import Floats, option
from tgap.metrics.vectors import unit_length
from tgap.selectors.base import Candidates
from tgap.selectors.clusterers.base import (
    Clusterer,
    Clusters,
    check_count,
    require_all,
    require_distinct,
)


@dataclass(kw_only=True)
class Kmeans(Clusterer):
    """k-means of unit vectors: minimises ``sum_i ||x_i - mean of its cluster||^2``.

    Lloyd's algorithm from k-means++ starts, the best of ``n_init`` (Lloyd, Least squares
    quantization in PCM, 1982; Arthur and Vassilvitskii, k-means++, SODA 2007), by
    ``sklearn.cluster.KMeans``. Vectors are first scaled to unit length, so distance goes with
    cosine; the means are not (spherical k-means would scale them too). Time O(n d n_clusters) per
    step of Lloyd's.
    """

    n_clusters: int = option(10, "clusters per label", low=2, high=1_000_000)
    n_init: int = option(10, "starts of k-means", low=1, high=1_000_000)

    def check_candidates(self, images: int) -> list[str]:
        """More clusters than images."""
        return check_count(images, self.n_clusters)

    def _cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters:
        from sklearn.cluster import KMeans

        vectors = unit_length(cast("Floats", candidates.vectors))  # the base has seen to it
        require_distinct(vectors, self.n_clusters)
        kmeans = KMeans(self.n_clusters, n_init=self.n_init, random_state=int(rng.integers(2**32)))
        labels = kmeans.fit_predict(vectors).astype(np.int64)
        require_all(labels, self.n_clusters)
        return Clusters(labels)
