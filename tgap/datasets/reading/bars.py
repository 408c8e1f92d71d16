"""Bars of one level along an edge that one label's images have, and other ones' have not."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Images

EDGES = ("left", "right", "top", "bottom")
FEWEST = 20
"""Of fewer images with a label, or without it, nothing is said."""
LEVELS, SAME = 8, 0.95
"""Of a bar's lines so many pixels are within so many grey levels of their median."""
SHARP, BLUR = 0.5, 2
"""So many pixels differ from it within so many lines behind: a thing on a ground has a few."""
APART = 0.5
"""Shares of images with a bar are told of that differ by this much."""
USUAL, OTHER_WIDTH, PIXELS = 0.8, 0.95, 2
"""Where so many of both have one, widths are told of if so many pairs differ in one direction, and
their medians by so many pixels."""


_BLOCK = 64


class Bars(NamedTuple):
    """Bars that tell a label.

    Args:
        label: The label's column.
        edge: One of ``EDGES``.
        having: How many of its images have one.
        of: How many of its images were looked at.
        others: How many of the others have one.
        of_others: How many of these were looked at.
        width: Median width of its bars in pixels; 0 = it has none.
        other_width: The same of the others.
    """

    label: int
    edge: str
    having: int
    of: int
    others: int
    of_others: int
    width: float
    other_width: float


def bars(images: Images, rows: NDArray[np.int64], labels: Bools) -> list[Bars]:
    """Bars along edges by which images of a label differ from the others.

    A bar is of one level up to a straight end, as padding and letter boxes are; the black around a
    body or a digit is none. Of labels that differ at an edge, the one with bars, or with wider
    ones, is told.

    Args:
        images: ``(N, H, W, C)`` uint8.
        rows: Which of them are looked at.
        labels: ``(N, L)``.
    """
    held = labels[rows]
    if not any(FEWEST <= count <= len(rows) - FEWEST for count in held.sum(axis=0)):
        return []
    blocks = np.split(rows, range(_BLOCK, len(rows), _BLOCK))
    widths = np.concatenate([widths_of(images[block].mean(axis=3)) for block in blocks])
    return [
        found
        for label, its in enumerate(held.T)
        if FEWEST <= its.sum() <= len(rows) - FEWEST
        for found in _of_label(label, widths[its], widths[~its])
    ]


def _of_label(label: int, own: NDArray[np.int64], others: NDArray[np.int64]) -> Iterator[Bars]:
    for edge, name in enumerate(EDGES):
        its, theirs = own[:, edge], others[:, edge]
        share, other = float((its > 0).mean()), float((theirs > 0).mean())
        wider = False
        if min(share, other) >= USUAL:
            above = float((its[its > 0][:, None] > theirs[theirs > 0]).mean())
            apart = np.median(its[its > 0]) - np.median(theirs[theirs > 0])
            wider = above >= OTHER_WIDTH and float(apart) >= PIXELS
        if share - other >= APART or wider:
            counts = int((its > 0).sum()), len(its), int((theirs > 0).sum()), len(theirs)
            yield Bars(label, name, *counts, _median(its), _median(theirs))


def _median(widths: NDArray[np.int64]) -> float:
    there = widths[widths > 0]
    return float(np.median(there)) if len(there) else 0.0


def widths_of(images: NDArray[np.floating]) -> NDArray[np.int64]:
    """Pixels of the bar at each of the four edges of images, ``(N, 4)``; 0 where there is none.

    Args:
        images: ``(N, H, W)``, 0 to 255.
    """
    across = images.transpose(0, 2, 1)
    sides = (across, across[:, ::-1], images, images[:, ::-1])
    return np.stack([_widths(side) for side in sides], axis=1)


def _widths(lines: NDArray[np.floating]) -> NDArray[np.int64]:
    """How many of the first lines, ``(N, lines, pixels)``, are a bar: less than half of them."""
    level = np.median(lines[:, 0], axis=1)[:, None]
    width = np.zeros(len(lines), np.int64)
    going = np.arange(len(lines))
    most = lines.shape[1] // 2
    for number in range(most):
        same = (abs(lines[going, number] - level[going]) <= LEVELS).mean(axis=1) >= SAME
        going = going[same]
        width[going] = number + 1
        if not len(going):
            break
    behind = np.stack(
        [
            lines[np.arange(len(lines)), np.minimum(width + more, 2 * most - 1)]
            for more in range(BLUR)
        ]
    )
    sharp = ((abs(behind - level) > LEVELS).mean(axis=2) >= SHARP).any(axis=0)
    return np.where(sharp & (width < most), width, 0)
