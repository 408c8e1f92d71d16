"""Smooth random fields."""

from functools import lru_cache

import numpy as np

from tgap.core import Floats


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> Floats:
    """Unit-variance values on a ``cells`` x ``cells`` grid, interpolated to ``(size, size)``."""
    values = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    weights = _interpolation(size, cells)
    return np.asarray(weights @ values @ weights.T, np.float32)


@lru_cache(maxsize=32)
def _interpolation(size: int, cells: int) -> Floats:
    """``(size, cells + 1)`` weights of a cosine interpolation."""
    at = (np.arange(size) + 0.5) * cells / size
    left = np.floor(at).astype(np.int64)
    share = (1 - np.cos(np.pi * (at - left))) / 2
    weights = np.zeros((size, cells + 1), np.float32)
    weights[np.arange(size), left] = 1 - share
    weights[np.arange(size), left + 1] = share
    return weights
