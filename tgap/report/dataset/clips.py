"""Pictures in an order, of which stretches show one thing: clips that stand one after another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Indices

NEARER = 0.25
"""A picture goes on the one before it if they differ by so much of what pictures far apart do.

Frames that were moved and lit at random do in 50 to 98 %, digits that are sorted by digit in 10."""
FEWEST = 10
"""Of fewer pictures of a label nothing is said."""
_DRAWN = 400
"""Pairs at random of a label, at least, that say what chance gives."""
_BORDER = 1
"""Pictures are moved by so many of their pixels, in halves of one."""


class Clips(NamedTuple):
    """How many pictures go on the one before them.

    Args:
        next_to: ``(N,)``, whether a picture does; the first of a stretch never does.
        looked_at: How many have one before them.
        chance: The share that would in another order.
        likeness: ``(N,)``, of each with the one before it.
    """

    next_to: Bools
    looked_at: int
    chance: float
    likeness: NDArray[np.float32]


def clips_in(pictures: NDArray[np.float32], places: Indices, labels: Indices) -> Clips:
    """Compare pictures with those before them, with those far away, and in any order.

    The difference of two is ``1 - |r|``, r their correlation, the largest of all shifts by up to a
    pixel. It is divided by the median difference of pictures of the label a third of them apart or
    more: things of one kind (a digit, a letter) differ by half of it, frames by a tenth.

    Args:
        pictures: ``(N, h, w)``, in their order.
        places: ``(N,)``, rising: one after another if they differ by 1.
        labels: ``(N,)``, numbers; only pictures with the same one are compared.
    """
    rng = np.random.default_rng(0)
    next_to, likeness = np.zeros(len(pictures), bool), np.zeros(len(pictures), np.float32)
    looked_at, drawn = 0, []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) < FEWEST:
            continue
        count = len(rows)
        away = (np.arange(count) + rng.integers(count // 3, count - count // 3, count)) % count
        usual = float(np.median(1 - _correlation(pictures, rows, rows[away])))
        after = rows[1:][np.diff(places[rows]) == 1]
        alike = _correlation(pictures, after, after - 1)
        next_to[after], likeness[after] = 1 - alike < NEARER * usual, alike
        looked_at += len(after)
        orders = [rng.permutation(rows) for _ in range(1 + _DRAWN // count)]
        others = [_correlation(pictures, order[1:], order[:-1]) for order in orders]
        drawn.append((len(after), float((1 - np.concatenate(others) < NEARER * usual).mean())))
    chance = sum(count * share for count, share in drawn) / max(1, looked_at)
    return Clips(next_to, looked_at, max(chance, 1 / _DRAWN), likeness)


def _correlation(
    pictures: NDArray[np.float32], ones: Indices, others: Indices
) -> NDArray[np.float32]:
    """Absolute correlation of pairs, the largest of all shifts of the second one."""
    high, wide = (side - 2 * _BORDER for side in pictures.shape[1:])
    inner = pictures[ones, _BORDER : _BORDER + high, _BORDER : _BORDER + wide]
    still, moved = _units(inner), _halved(pictures[others])
    best = np.zeros(len(ones), np.float32)
    for down in range(4 * _BORDER + 1):
        for right in range(4 * _BORDER + 1):
            shifted = moved[:, down : down + 2 * high - 1 : 2, right : right + 2 * wide - 1 : 2]
            np.maximum(best, np.abs((still * _units(shifted)).sum(axis=1)), out=best)
    return best


def _units(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True).clip(1e-6), np.float32)


def _halved(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(N, 2h - 1, 2w - 1)``: with the means of neighbouring pixels between them."""
    count, high, wide = pictures.shape
    fine = np.empty((count, 2 * high - 1, 2 * wide - 1), np.float32)
    fine[:, ::2, ::2] = pictures
    fine[:, 1::2, ::2] = (pictures[:, 1:] + pictures[:, :-1]) / 2
    fine[:, :, 1::2] = (fine[:, :, 2::2] + fine[:, :, :-2:2]) / 2
    return fine
