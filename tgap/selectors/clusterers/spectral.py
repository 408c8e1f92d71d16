"""Normalised spectral clustering, quick enough for a pool of 100,000 images."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from tgap.core import DataError, Doubles, Floats, Indices, option
from tgap.core.arrays import spread
from tgap.metrics.vectors import unit_length
from tgap.selectors.base import Candidates
from tgap.selectors.clusterers.base import (
    Clusterer,
    Clusters,
    check_count,
    require_all,
    require_distinct,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RBF_LIMIT = 20_000
"""An n x n matrix of float64 takes 3.2 GB at this n, and two of them are held."""
TOLERANCE = 1e-7
"""Of the eigenvectors; at 1e-4 single labels differ from an exact solution's, at 1e-6 none did."""
BLOCK = 256
"""Rows of a distance matrix held at once."""
MEDIAN_SAMPLE = 1000
"""Evenly spaced vectors that the median distance is taken over."""

log = logging.getLogger(__name__)


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

    n_clusters: int = option(10, "clusters per label", low=2, high=1_000_000)
    affinity: str = option("knn", "similarity graph", choices=("knn", "rbf"))
    n_neighbors: int = option(
        10, "neighbours in the graph, the image itself counted", low=2, high=1_000_000
    )
    gamma: float | None = option(None, "of rbf; null = 1 / median squared distance", above=0)
    n_init: int = option(10, "starts of k-means", low=1, high=1_000_000)

    def check_candidates(self, images: int) -> list[str]:
        """More clusters than images."""
        return check_count(images, self.n_clusters)

    def _cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters:
        vectors = unit_length(cast("Floats", candidates.vectors))  # the base has seen to it
        require_distinct(vectors, self.n_clusters)
        if self.affinity == "rbf" and len(vectors) > RBF_LIMIT:
            raise DataError(
                f"affinity=rbf takes at most {RBF_LIMIT} images per label, got {len(vectors)}; "
                "use affinity=knn"
            )
        if self.affinity == "knn":
            graph, components = joined(knn_graph(vectors, self.n_neighbors), vectors)
            if components > 1:
                log.warning(
                    "the similarity graph of %d images has %d unconnected parts, which were "
                    "joined by their closest pairs; a larger n_neighbors may be better",
                    len(vectors),
                    components,
                )
        else:
            graph, components = rbf_graph(vectors, self.gamma), 1  # all pairs are connected
        seed = int(rng.integers(2**32))
        labels = spectral_labels(graph, self.n_clusters, seed, self.n_init)
        require_all(labels, self.n_clusters)
        return Clusters(labels, notes={"components": components})


def knn_graph(vectors: Floats, n_neighbors: int) -> "csr_array":
    """Symmetric graph of exact nearest neighbours by Euclidean distance, ``W = (A + A^T) / 2``.

    Args:
        vectors: ``(n, d)`` float32.
        n_neighbors: Neighbours per vector, itself counted as in scikit-learn (but left out of the
            graph, which a normalised Laplacian would do anyway); at most n of them are taken.

    Returns:
        ``(n, n)`` float64 with entries 1 (mutual neighbours) and 1/2.
    """
    import faiss
    from scipy.sparse import csr_array

    n, d = vectors.shape
    # Flat is exact; an inverted file finds .61 of the neighbours in one dense cloud.
    index = faiss.IndexFlatL2(d)
    index.add(np.ascontiguousarray(vectors))
    _, neighbours = index.search(np.ascontiguousarray(vectors), min(n_neighbors, n))
    rows = np.repeat(np.arange(n), neighbours.shape[1])
    columns = neighbours.ravel()
    # Of many identical vectors, one may not find itself: it then has one neighbour more.
    others = rows != columns
    ones = np.ones(np.count_nonzero(others))
    directed = csr_array((ones, (rows[others], columns[others])), shape=(n, n))
    return (directed + directed.T) / 2


def joined(graph: "csr_array", vectors: Floats) -> tuple["csr_array", int]:
    """Connect the parts of a graph by the closest pairs of vectors between them.

    Every part but the largest is linked to the vector outside it that is closest to any of its
    own, with the weight of a one-sided neighbour, until one part is left (Boruvka's algorithm).

    Returns:
        The connected graph, and how many parts there were at first.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count, part = connected_components(graph, directed=False)
    at_first = int(count)
    while count > 1:
        pairs = _closest_pairs(vectors, part)
        one, other = np.array(sorted(pairs)).T
        ends = (np.concatenate([one, other]), np.concatenate([other, one]))
        bridges = coo_array((np.full(2 * len(pairs), 0.5), ends), shape=graph.shape)
        graph = graph + bridges.tocsr()
        count, part = connected_components(graph, directed=False)
    return graph, at_first


def _closest_pairs(vectors: Floats, part: Indices) -> set[tuple[int, int]]:
    """For each part but the largest, its closest pair of vectors inside and outside.

    A pair's indices are in ascending order. A set, because two parts may choose the same pair.
    """
    norms = np.einsum("ij,ij->i", vectors, vectors)
    rows = np.flatnonzero(part != np.bincount(part).argmax())
    distance = np.empty(len(rows), dtype=np.float32)
    nearest = np.empty(len(rows), dtype=np.int64)
    for begin in range(0, len(rows), BLOCK):
        block = slice(begin, begin + BLOCK)
        inside = rows[block]
        distances = norms[inside, None] - 2 * vectors[inside] @ vectors.T + norms
        distances[part[inside, None] == part] = np.inf
        nearest[block] = distances.argmin(axis=1)
        distance[block] = distances.min(axis=1)
    by_part = np.lexsort((distance, part[rows]))
    first = by_part[np.unique(part[rows][by_part], return_index=True)[1]]
    ends = np.sort(np.stack([rows[first], nearest[first]], axis=1), axis=1)
    return {(one, other) for one, other in ends.tolist()}


def rbf_graph(vectors: Floats, gamma: float | None = None) -> Doubles:
    """Complete graph with weights ``exp(-gamma ||x - y||^2)`` and zero diagonal.

    Args:
        vectors: ``(n, d)`` float32.
        gamma: ``None`` takes 1 / median squared distance (over at most 1,000 evenly spaced
            vectors), which is free of the vectors' scale.

    Returns:
        ``(n, n)`` float64.

    Raises:
        DataError: If the distances are too uneven for the kernel.
    """
    from sklearn.metrics.pairwise import euclidean_distances

    exact = vectors.astype(np.float64)
    if gamma is None:
        spaced = exact[spread(len(exact), MEDIAN_SAMPLE)]
        sample = euclidean_distances(spaced, squared=True)
        median = np.median(sample[np.triu_indices_from(sample, k=1)])
        if median == 0:
            raise DataError(
                "more than half of the pairs of images have equal vectors, so gamma = 1 / median "
                "squared distance is not defined; set gamma or use affinity=knn"
            )
        gamma = 1 / float(median)
    weights: Doubles = euclidean_distances(exact, squared=True)
    weights *= -gamma
    np.exp(weights, out=weights)
    np.fill_diagonal(weights, 0)
    loneliest = weights.sum(axis=0).min()
    if loneliest < 1e-10:
        raise DataError(
            f"with gamma={gamma:g} an image is similar to no other (its similarities sum up to "
            f"{loneliest:.1e}); lower gamma or use affinity=knn"
        )
    return weights


def spectral_labels(
    affinity: "Doubles | csr_array", n_clusters: int, seed: int, n_init: int = 10
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
    start: Doubles = np.asarray(state.uniform(-1, 1, n))
    embedding = _embedding(affinity, n_clusters, start, seed)
    kmeans = KMeans(n_clusters, n_init=n_init, random_state=state)
    labels: Indices = kmeans.fit_predict(embedding).astype(np.int64)
    return labels


def _embedding(affinity: "Doubles | csr_array", k: int, start: Doubles, seed: int) -> Doubles:
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
            tol=TOLERANCE,
            # More than ARPACK's usual 2 k + 1, because near-equal eigenvalues are the rule here.
            ncv=min(n, max(4 * k, 40)),
            rng=seed,  # for restarts; without it scipy takes entropy from the system
        )
    except ArpackNoConvergence as error:
        raise DataError(
            f"the eigenvectors of the similarity graph of {n} images did not converge ({error}); "
            "raise n_neighbors or change n_clusters"
        ) from error
    embedding: Doubles = leading * scale[:, None]
    # An eigenvector's sign is arbitrary; make the largest entry positive, as scikit-learn does.
    largest = np.abs(embedding).argmax(axis=0)
    embedding *= np.sign(embedding[largest, np.arange(k)])
    return embedding
