"""Seats in proportion to weights, one after another."""

import heapq

import numpy as np
from numpy.typing import NDArray

from tgap.types import Indices


def highest_averages(weights: NDArray[np.float64], size: int) -> Indices:
    """Turns by the method of Sainte-Lague (Webster): next comes ``argmax_c w_c / (2 s_c + 1)``.

    ``s_c`` counts the turns that c has had. Of equal quotients the larger weight comes first, then
    the lower number. Unlike the method of largest remainders it is house-monotone: more turns
    never take one away (Balinski and Young, Fair Representation, 1982). O(size log k).

    Args:
        weights: ``(k,)`` float64, above 0.
        size: Number of turns.

    Returns:
        ``(size,)`` int64 in [0, k).

    >>> highest_averages(np.array([1.0, 5.0, 3.0]), 9)
    array([1, 2, 1, 1, 2, 0, 1, 2, 1])
    """
    turns = np.empty(size, dtype=np.int64)
    heap = [(-weight, -weight, c, 1) for c, weight in enumerate(weights.tolist())]
    heapq.heapify(heap)
    for turn in range(size):
        _, minus_weight, c, divisor = heap[0]
        turns[turn] = c
        heapq.heapreplace(heap, (minus_weight / (divisor + 2), minus_weight, c, divisor + 2))
    return turns
