"""Cosines between vectors, some of which may be zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Doubles


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
