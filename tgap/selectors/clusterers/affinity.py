"""Similarity graphs of vectors."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tgap.errors import DataError
from tgap.types import Floats, Indices

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BLOCK = 256
"""Rows of a distance matrix held at once."""
_MEDIAN_SAMPLE = 1000
"""Evenly spaced vectors that the median distance is taken over."""


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
    for begin in range(0, len(rows), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        inside = rows[block]
        distances = norms[inside, None] - 2 * vectors[inside] @ vectors.T + norms
        distances[part[inside, None] == part] = np.inf
        nearest[block] = distances.argmin(axis=1)
        distance[block] = distances.min(axis=1)
    by_part = np.lexsort((distance, part[rows]))
    first = by_part[np.unique(part[rows][by_part], return_index=True)[1]]
    ends = np.sort(np.stack([rows[first], nearest[first]], axis=1), axis=1)
    return {(one, other) for one, other in ends.tolist()}


def rbf_graph(vectors: Floats, gamma: float | None = None) -> NDArray[np.float64]:
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
        spaced = np.linspace(0, len(exact) - 1, min(len(exact), _MEDIAN_SAMPLE)).astype(np.int64)
        sample = euclidean_distances(exact[spaced], squared=True)
        median = np.median(sample[np.triu_indices_from(sample, k=1)])
        if median == 0:
            raise DataError(
                "more than half of the pairs of images have equal vectors, so gamma = 1 / median "
                "squared distance is not defined; set gamma or use affinity=knn"
            )
        gamma = 1 / float(median)
    weights: NDArray[np.float64] = euclidean_distances(exact, squared=True)
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
