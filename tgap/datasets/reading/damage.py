"""Broken pictures: values that wrapped around, and lower parts that are missing."""

import numpy as np
from numpy.typing import NDArray

from tgap.core import Images

JUMP, EDGE = 200, 100
"""Neighbours that differ by more may have wrapped around; by more than the second, an edge."""
_TURNS, _LINES = 2, 0.2
"""So often a line goes past 255 in one direction, and such are so many of the lines."""
_LOOKED_AT = 64
_FEW = 4
"""So many edges for each jump, and the jumps are edges too."""
_AROUND, _SPIKE = 8, 4
"""A level of so many times the pixels of the levels around it is one of a drawing or a border."""
MISSING = 0.1
"""Share of the height that is of one value, at the bottom."""
_ROUGH, _SMOOTHER = 0.2, 0.5
"""Neighbours differ by more than this share of what pixels differ by, and by less than this share
of it with bytes exchanged."""
_ELSEWHERE = 0.05
"""A value that so many of the other pixels have too is a background."""
_FEWEST_ROWS, _FEWEST_LEVELS = 3, 8
"""A picture of fewer levels is a drawing."""


def is_wrapped(values: NDArray[np.generic]) -> bool:
    """Whether 8-bit values look like the lower bits of greater ones.

    Where such values rise, they jump from about 255 to about 0 and rise again, so that counting the
    jumps up and down leads away from where a line began. Lines across drawings, text and other hard
    edges jump back as often as forth.

    Args:
        values: ``(H, W)`` or ``(H, W, C)``, of which the first channel counts.
    """
    if values.ndim < 2:
        return False
    picture = values if values.ndim == 2 else values[..., 0]
    lines = [_lines(part) for part in (picture, picture.T)]
    plain = ~_spikes(np.concatenate([part.ravel() for part in lines]))
    moves = [_moves(part) for part in lines]
    jumps = [
        (abs(move) > JUMP) & plain[part[:, :-1]] & plain[part[:, 1:]]
        for move, part in zip(moves, lines, strict=True)
    ]
    count = sum(int(jump.sum()) for jump in jumps)
    edges = sum(int(((abs(move) > EDGE) & (abs(move) <= JUMP)).sum()) for move in moves)
    if not count or _FEW * count < edges:
        return False
    turns = [_turns(move, jump) for move, jump in zip(moves, jumps, strict=True)]
    return bool((np.concatenate(turns) >= _TURNS).mean() >= _LINES)


def is_swapped(values: NDArray[np.generic]) -> bool:
    """Whether 16-bit values are noise, and a picture once their two bytes are exchanged.

    Args:
        values: ``(H, W)``; other shapes are not judged.
    """
    if values.ndim != 2 or min(values.shape) < 2 or values.dtype.kind not in "iu":
        return False
    lines = _lines(values)
    if lines.min() < -(2**15) or lines.max() >= 2**16:
        return False
    kind = np.int16 if lines.min() < 0 else np.uint16
    rough = _roughness(lines)
    exchanged = lines.astype(kind).byteswap().astype(np.int64)
    return rough > _ROUGH and _roughness(exchanged) < _SMOOTHER * rough


def _roughness(lines: NDArray[np.int64]) -> float:
    """How much neighbours differ, by how much pixels differ from their mean."""
    apart = float(abs(lines - lines.mean()).mean())
    return float(abs(_moves(lines)).mean()) / apart if apart else 0.0


def _lines(picture: NDArray[np.generic]) -> NDArray[np.int64]:
    count = len(picture)
    rows = np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(np.int64))
    return np.asarray(picture[rows], np.int64)


def _moves(lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """From each pixel to the next."""
    return lines[:, 1:] - lines[:, :-1]


def _spikes(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Levels of many more pixels than those around them have: of paper, text, borders."""
    counts = np.bincount(values, minlength=256)
    around = np.stack([np.roll(counts, shift) for shift in range(-_AROUND, _AROUND + 1)])
    spikes: NDArray[np.bool_] = counts > _SPIKE * np.median(around, axis=0)
    return spikes


def _turns(moves: NDArray[np.int64], jumps: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How far apart the jumps of a line lead, in turns."""
    start = np.zeros((len(moves), 1), np.int64)
    count = np.hstack([start, np.cumsum(-np.sign(moves) * jumps, axis=1)])
    far: NDArray[np.int64] = count.max(axis=1) - count.min(axis=1)
    return far


def cut_off(images: Images) -> dict[int, list[int]]:
    """Images whose lower part is missing, by the level of grey, or of the first channel, there.

    Their last rows, at least ``MISSING`` of the height, have one value that hardly any other pixel
    has; the others have many. A value that as many images have along another side is that of a
    border (padding, collimation), and one that most have is as it should be.

    Args:
        images: ``(N, H, W, C)`` uint8.

    Returns:
        Rows by level, rising.
    """
    least = max(_FEWEST_ROWS, int(np.ceil(MISSING * images.shape[1])))
    below = _along(images, 0, least)
    others = [_along(images, turns, least) for turns in (1, 2, 3)] if below else []
    return {
        level: rows
        for level, rows in sorted(below.items())
        if len(rows) <= len(images) / 2
        and len(rows) > 2 * max(len(side.get(level, ())) for side in others)
    }


def _along(images: Images, turns: int, least: int) -> dict[int, list[int]]:
    """Images whose last rows are of one value, once they are turned."""
    found: dict[int, list[int]] = {}
    for row, image in enumerate(images):
        level = _missing(np.rot90(image, turns), least)
        if level is not None:
            found.setdefault(level, []).append(row)
    return found


def _missing(image: Images, least: int) -> int | None:
    """The level of the last rows, if they are of one value and the others are not."""
    value = image[-1, 0]
    if (image[-1] != value).any() or (image[-least:] != value).any():
        return None
    same = (image == value).all(axis=2)
    count = int(same.all(axis=1)[::-1].argmin())
    above = len(same) - count
    if not count or same[:above].mean() > _ELSEWHERE:  # all rows are alike, or many pixels
        return None
    return int(value[0]) if len(np.unique(image[:above])) >= _FEWEST_LEVELS else None
