"""Lengths, angles and distances of embeddings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Doubles, Floats


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


def cosines(ours: NDArray[Any], theirs: NDArray[Any]) -> Doubles:
    """Cosine similarity of each of our vectors with each of theirs.

    A zero vector, such as one that equals the mean that was subtracted, points nowhere: its
    cosines are 0.

    Args:
        ours: ``(n, d)``.
        theirs: ``(m, d)``.

    Returns:
        ``(n, m)`` in [-1, 1].

    >>> cosines(np.array([[2.0, 0], [0, 0]]), np.array([[1.0, 0], [-3, 0], [0, 1]])).tolist()
    [[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    products: Doubles = unit(ours) @ unit(theirs).T
    return products.clip(-1, 1)  # rounding may leave them beyond


def unit(vectors: NDArray[Any]) -> Doubles:
    """Vectors ``(n, d)`` at length 1, zero ones left as they are."""
    doubles = vectors.astype(np.float64)
    lengths = np.linalg.norm(doubles, axis=1, keepdims=True)
    scaled: Doubles = doubles / np.where(lengths > 0, lengths, 1)
    return scaled
