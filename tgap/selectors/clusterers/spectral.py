"""Normalised spectral clustering, quick enough for a pool of 100,000 images."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tgap.component import option
from tgap.errors import DataError
from tgap.selectors.base import Candidates
from tgap.selectors.clusterers.affinity import joined, knn_graph, rbf_graph
from tgap.selectors.clusterers.base import Clusterer, Clusters
from tgap.selectors.clusterers.checks import check_count, check_distinct, check_found
from tgap.selectors.vectors import unit_length
from tgap.types import Floats, Indices

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_log = logging.getLogger(__name__)

_RBF_LIMIT = 20_000
"""An n x n matrix of float64 takes 3.2 GB at this n, and two of them are held."""
_TOLERANCE = 1e-7
"""Of the eigenvectors; at 1e-4 single labels differ from an exact solution's, at 1e-6 none did."""


@dataclass(kw_only=True)
class Spectral(Clusterer):
    r"""Spectral clustering of unit vectors.

    With affinity W (zero diagonal), degrees ``D = diag(W 1)`` and
    ``S = D^-1/2 W D^-1/2``, the k leading eigenvectors U of S are found, and the rows of
    ``D^-1/2 U`` are clustered by k-means (Shi and Malik, Normalized cuts and image segmentation,
    TPAMI 2000; von Luxburg, A tutorial on spectral clustering, 2007, section 4). The result is
    that of ``sklearn.cluster.SpectralClustering`` on the same affinity and seed. Where that
    factorises a shifted Laplacian, here Lanczos works on S itself, which costs no fill-in.

    Vectors are first scaled to unit length, so neighbours are by cosine. ``knn``: ``W = (A +
    A^T) / 2`` with A the adjacency of the nearest neighbours. ``rbf``: ``W = exp(-gamma
    ||x - y||^2)``. A kNN graph that falls apart is joined by the closest pairs between its parts
    (reported as ``components``), because on a disconnected graph the eigenvectors are arbitrary.

    Time O(n^2 d) for exact neighbours, O(n n_neighbors k) per Lanczos step; memory O(n d), with
    ``rbf`` O(n^2).
    """

    n_clusters: int = option(10, "clusters per label", low=2)
    affinity: str = option("knn", "similarity graph", choices=("knn", "rbf"))
    n_neighbors: int = option(10, "neighbours in the graph, the image itself counted", low=2)
    gamma: float | None = option(None, "of rbf; null = 1 / median squared distance", above=0)
    n_init: int = option(10, "starts of k-means", low=1)

    def check(self, images: int) -> list[str]:
        """More clusters than images."""
        return check_count(images, self.n_clusters)

    def _cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters:
        vectors = unit_length(cast("Floats", candidates.vectors))  # the base has seen to it
        check_distinct(vectors, self.n_clusters)
        if self.affinity == "rbf" and len(vectors) > _RBF_LIMIT:
            raise DataError(
                f"affinity=rbf takes at most {_RBF_LIMIT} images per label, got {len(vectors)}; "
                "use affinity=knn"
            )
        if self.affinity == "knn":
            graph, components = joined(knn_graph(vectors, self.n_neighbors), vectors)
            if components > 1:
                _log.warning(
                    "the similarity graph of %d images has %d unconnected parts, which were "
                    "joined by their closest pairs; a larger n_neighbors may be better",
                    len(vectors),
                    components,
                )
        else:
            graph, components = rbf_graph(vectors, self.gamma), 1  # all pairs are connected
        seed = int(rng.integers(2**32))
        labels = spectral_labels(graph, self.n_clusters, seed, self.n_init)
        check_found(labels, self.n_clusters)
        return Clusters(labels, notes={"components": components})


def spectral_labels(
    affinity: "NDArray[np.float64] | csr_array", n_clusters: int, seed: int, n_init: int = 10
) -> Indices:
    """Cluster the nodes of a connected graph.

    Args:
        affinity: ``(n, n)`` float64, symmetric, >= 0, zero diagonal, no empty row.
        n_clusters: At most n.
        seed: Of the start vector and of k-means, used as scikit-learn uses ``random_state``.
        n_init: Starts of k-means; the best one counts.

    Returns:
        ``(n,)`` int64 in [0, n_clusters).

    Raises:
        DataError: If the eigensolver does not converge.
    """
    from sklearn.cluster import KMeans

    n = affinity.shape[0]
    if n_clusters == n:
        return np.arange(n, dtype=np.int64)
    # RandomState, and a start vector drawn from it first, because scikit-learn does so: the same
    # seed then starts the same k-means.
    state = np.random.RandomState(seed)
    start: NDArray[np.float64] = np.asarray(state.uniform(-1, 1, n))
    embedding = _embedding(affinity, n_clusters, start, seed)
    kmeans = KMeans(n_clusters, n_init=n_init, random_state=state)
    labels: Indices = kmeans.fit_predict(embedding).astype(np.int64)
    return labels


def _embedding(
    affinity: "NDArray[np.float64] | csr_array", k: int, start: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Rows of ``D^-1/2 U``, with U the k leading eigenvectors of ``D^-1/2 W D^-1/2``."""
    from scipy.sparse import diags_array, issparse
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    n = len(start)
    scale = 1 / np.sqrt(affinity.sum(axis=0))
    if issparse(affinity):
        diagonal = diags_array(scale)
        normalised = diagonal @ affinity @ diagonal
    else:
        normalised = affinity * scale[:, None]
        normalised *= scale
    try:
        _, leading = eigsh(
            normalised,
            k,
            which="LA",
            v0=start,
            tol=_TOLERANCE,
            # More than ARPACK's usual 2 k + 1, because near-equal eigenvalues are the rule here.
            ncv=min(n, max(4 * k, 40)),
            rng=seed,  # for restarts; without it scipy takes entropy from the system
        )
    except ArpackNoConvergence as error:
        raise DataError(
            f"the eigenvectors of the similarity graph of {n} images did not converge ({error}); "
            "raise n_neighbors or change n_clusters"
        ) from error
    embedding: NDArray[np.float64] = leading * scale[:, None]
    # An eigenvector's sign is arbitrary; make the largest entry positive, as scikit-learn does.
    largest = np.abs(embedding).argmax(axis=0)
    embedding *= np.sign(embedding[largest, np.arange(k)])
    return embedding
