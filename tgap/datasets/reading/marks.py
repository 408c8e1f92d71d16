"""A small place that is the same on all images of a label, and on hardly any other: a mark."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Images

SIDE = 64
"""Pictures are compared at this size at most."""
FEWEST = 20
"""Of fewer images with a label, or without it, nothing is said."""
LIVELY, STILL = 8.0, 0.25
"""Grey levels of a label's images deviate by so much at most places (standard deviation, median);
by no more than this share of it at a mark."""
MOST, OTHERS = 0.8, 0.02
"""Another image has a mark if so many of its pixels are as there, give or take three standard
deviations; so few may."""
SMALLEST, LARGEST, LONGEST = 4, 0.05, 0.35
"""Pixels of a mark, its share of a picture, and of its width and height."""
EDGE = 0.3
"""Its middle lies in this outer share of the width or height: things are in the middle."""


class Mark(NamedTuple):
    """Where a mark is.

    Args:
        label: The label's column.
        top: First row of pixels.
        bottom: Last one.
        left: First column of pixels.
        right: Last one.
    """

    label: int
    top: int
    bottom: int
    left: int
    right: int


def marks(images: Images, rows: NDArray[np.int64], labels: Bools) -> list[Mark]:
    """Places that tell a label because its images are the same there, as a burnt-in mark is.

    At such a place the standard deviation over the label's images is a quarter of the usual one or
    less. These pixels are few, the most that are connected lie near an edge, and 2 % of the other
    images or fewer have them. Labels whose images are alike in large parts (a black ground) are
    not judged.

    Args:
        images: ``(N, H, W, C)`` uint8.
        rows: Which of them are looked at.
        labels: ``(N, L)``.

    Returns:
        At most one for each label that has it.
    """
    held = labels[rows]
    if not any(FEWEST <= count <= len(rows) - FEWEST for count in held.sum(axis=0)):
        return []
    small = np.stack([_small(images[row]) for row in rows])
    scale = images.shape[1] / small.shape[1]
    found = []
    for label, its in enumerate(held.T):
        if FEWEST <= its.sum() <= len(rows) - FEWEST:
            place = _place(small[its], small[~its])
            if place is not None:
                found.append(Mark(label, *(int(end * scale) for end in place)))
    return found


def _small(image: Images) -> NDArray[np.float32]:
    from PIL import Image

    grey = Image.fromarray(image.mean(axis=2).astype(np.uint8))
    if max(grey.size) > SIDE:
        grey = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(grey, np.float32)


def _place(
    own: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[int, int, int, int] | None:
    """First and last row and column of the mark, if there is one."""
    from scipy.ndimage import label as connected

    spread = own.std(axis=0)
    usual = float(np.median(spread))
    still = spread <= STILL * usual
    if usual < LIVELY or not 0 < still.mean() <= LARGEST:
        return None
    parts, _ = connected(still, np.ones((3, 3)))
    largest = int(np.bincount(parts[still]).argmax())
    still = parts == largest
    if still.sum() < SMALLEST:
        return None
    middle, width = own[:, still].mean(axis=0), 3 * np.maximum(spread[still], 1)
    same = (abs(others[:, still] - middle) <= width).mean(axis=1) >= MOST
    if same.mean() > OTHERS:
        return None
    down, right = np.nonzero(still)
    shape = np.array(own.shape[1:])
    ends = np.array([[down.min(), down.max()], [right.min(), right.max()]])
    centre = ends.mean(axis=1) / (shape - 1)
    long = ((ends[:, 1] - ends[:, 0] + 1) / shape > LONGEST).any()
    if long or not ((centre < EDGE) | (centre > 1 - EDGE)).any():
        return None
    return int(ends[0, 0]), int(ends[0, 1]), int(ends[1, 0]), int(ends[1, 1])
