"""Lengths and distances of embeddings, for clusterers and picks."""

import numpy as np
from numpy.typing import NDArray

from tgap.core import Floats


def unit_length(vectors: Floats) -> Floats:
    """Scale each of ``(n, d)`` float32 vectors to length 1; a zero vector stays as it is.

    >>> unit_length(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # A zero vector has no direction; it stays where it is, equally far from all others.
    lengths[lengths == 0] = 1
    scaled: Floats = (vectors / lengths).astype(np.float32, copy=False)
    return scaled


def squared_distances(vectors: Floats, point: NDArray[np.floating]) -> NDArray[np.floating]:
    """Squared Euclidean distance of each of ``(n, d)`` vectors to a ``(d,)`` point.

    By differences rather than by dot products, so equal vectors are exactly equally far.
    """
    difference = vectors - point
    distances: NDArray[np.floating] = np.einsum("ij,ij->i", difference, difference)
    return distances


def squared_distances_to_mean(vectors: Floats) -> NDArray[np.floating]:
    """Squared Euclidean distance of each of ``(n, d)`` vectors to their mean."""
    return squared_distances(vectors, vectors.mean(axis=0, dtype=np.float64))
