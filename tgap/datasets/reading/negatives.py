"""Pictures that are dark where most others are bright, as photographic negatives are."""

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Images

_SIDE = 16
"""Pictures are compared at this size."""
_ALIKE = 0.3
"""A picture has the structure of the set, or its negative, if it correlates with it so much."""
_ALL = 0.95
"""So many must, or the set has no structure of its own."""
_FEWEST, _LEAST = 20, 0.03
"""Fewer pictures are not judged, nor are so few of them told of."""
_TURNED = 0.5
"""A kind that resembles the other this much, turned or mirrored, is no negative of it."""


def negatives(images: Images, rows: NDArray[np.int64], labels: Bools) -> list[int]:
    """Which of some images are negatives of most others.

    Each is compared with what all have in common but for the sign (the first principal direction).
    Where nearly all have it, some the other way round, these are told of; unless one kind looks
    like the other when it is turned or mirrored (breasts from the left and the right), or no label
    has both, so that the labels may be so.

    Args:
        images: ``(N, H, W, C)`` uint8.
        rows: Which of them are looked at.
        labels: ``(N, L)``.

    Returns:
        Some of ``rows``.
    """
    if len(rows) < _FEWEST:
        return []
    small = np.stack([_small(images[row]) for row in rows])
    small -= small.mean(axis=1, keepdims=True)
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-9)
    shared = np.linalg.svd(small, full_matrices=False)[2][0]
    alike = small @ shared
    if (abs(alike) >= _ALIKE).mean() < _ALL:
        return []
    odd = alike < 0 if (alike < 0).mean() < 0.5 else alike > 0
    if odd.sum() < max(2, _LEAST * len(rows)) or not _is_negative(small, odd):
        return []
    held = labels[rows]
    both = (held[odd].any(axis=0) & held[~odd].any(axis=0)).any()
    return [int(row) for row in rows[odd]] if both else []


def _small(image: Images) -> NDArray[np.float64]:
    from PIL import Image

    grey = image.mean(axis=2).astype(np.uint8)
    small = Image.fromarray(grey).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel()


def _is_negative(small: NDArray[np.float64], odd: NDArray[np.bool_]) -> bool:
    """Whether the means of two kinds are opposite, and no turning makes one the other."""
    one, other = (small[kind].mean(axis=0).reshape(_SIDE, _SIDE) for kind in (odd, ~odd))
    turned = [np.rot90(part, turns) for part in (one, one.T) for turns in range(4)]
    alike = [float(np.corrcoef(part.ravel(), other.ravel())[0, 1]) for part in turned]
    return alike[0] < -_TURNED and max(alike) < _TURNED
