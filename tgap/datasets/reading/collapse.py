"""Values that become too few grey levels, and the setting that would show them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tgap.datasets.reading.colours import shades_of
from tgap.datasets.reading.damage import is_swapped, is_wrapped
from tgap.datasets.reading.window import Stored, Window, setting

THIN, DIM = 32, 64
"""An image with 98 % of its pixels in fewer grey levels is nearly black or flat; or dim, and looked
at more closely."""
CRUSHED = 8
"""And one of fewer is, by a window of its own, about black and white."""
COLLAPSED = 4
"""So many different values for each grey level, and its levels are too few for the file."""
GAIN, GAIN_OVER_GIVEN = 1.25, 2.0
"""Another window must show so many times the levels, or the values are as they are; and so many
where a person named the ends."""
FAR = 0.2
"""A value is far off whose distance from the next is this share of what all others span."""
_TRIMMED = (0.001, 0.005)
"""Shares of the pixels at each end that may be clipped, if that doubles the levels."""
_WHITE = 0.25
"""Share of the pixels beyond a window that are more than text and markers."""
_PART = 2**16
"""So many pixels of a file count, evenly spread."""

Counted = tuple[NDArray[np.generic], NDArray[np.int64]]
"""Different values, rising, and how many pixels have each."""


@dataclass(frozen=True)
class Collapse:
    """Files of many values that become few grey levels.

    Args:
        share: Of the images.
        thin: Share of the images that have fewer than ``THIN`` levels.
        what: What they store, and what becomes of it.
        setting: The window that shows them.
        clipped: What it clips, in brackets; empty if nothing.
    """

    share: float
    thin: float
    what: str
    setting: str
    clipped: str


def sampled(stored: Stored) -> Stored:
    """A part of a file's pixels that is quick to count."""
    values, levels = stored.values.ravel(), stored.levels.ravel()
    step = max(1, len(values) // _PART) | 1  # odd, so that columns take turns
    return replace(
        stored,
        values=values[::step],
        levels=levels[::step],
        wrapped=not stored.deep and is_wrapped(stored.values),
        swapped=stored.deep and is_swapped(stored.values),
        shades=shades_of(stored.values),
    )


def counted(stored: Sequence[Stored]) -> Counted:
    """Values of several files together."""
    return np.unique(np.concatenate([each.values for each in stored]), return_counts=True)


def collapse(stored: Sequence[Stored], images: int, given: bool) -> Collapse | None:
    """What files store that lose their values; ``None`` if there are none, or nothing helps.

    Args:
        stored: ``sampled`` files.
        images: How many images were looked at, those with a window of their own included.
        given: Whether a person named the window.
    """
    kinds = [_levels_of(each) for each in stored]
    lost = [each for each, levels in zip(stored, kinds, strict=True) if levels < DIM]
    if not lost:
        return None
    values, counts = counted(lost)
    text = _shown_by(values, counts)
    levels = np.bincount(np.concatenate([each.levels for each in lost]), minlength=256)
    few = common_levels(levels)
    if _levels_in(text, values, counts) < (GAIN_OVER_GIVEN if given else GAIN) * few:
        return None
    used = int((levels > 0).sum())
    mostly = f", 98 % of the pixels {few}" if used > 2 * few else ""
    return Collapse(
        len(lost) / images,
        sum(levels < THIN for levels in kinds) / images,
        f"{len(values):,} different values from {values[0]:g} to {values[-1]:g}, which become "
        f"{used} of 256 grey levels{mostly}",
        text,
        _clipped(text, values, counts),
    )


def crushed(stored: Sequence[Stored]) -> list[int]:
    """Which files of many values become hardly any grey level by a window of their own."""
    return [
        row
        for row, each in enumerate(stored)
        if each.own
        and common_levels(np.bincount(each.levels, minlength=256)) < CRUSHED
        and common_levels(counted([each])[1]) >= DIM
    ]


def whole_range(stored: Sequence[Stored]) -> str:
    """A setting that shows all values but far-off ones."""
    return _shown_by(*counted(stored))


def spoiled(text: str, stored: Sequence[Stored]) -> float:
    """The share of files of more than 8 bits that a window makes white, black or flat."""
    deep = [_is_spoiled(each, _window(text)) for each in stored if each.deep]
    return sum(deep) / len(deep) if deep else 0.0


def _is_spoiled(stored: Stored, window: Window) -> bool:
    white = np.mean(stored.values.astype(np.float64) > window.high) > _WHITE
    levels, now = (
        common_levels(np.bincount(each, minlength=256))
        for each in (window.levels(stored.values), stored.levels)
    )
    return bool(white) or levels < min(THIN, now / GAIN_OVER_GIVEN)


def signed_range(values: NDArray[np.generic], counts: NDArray[np.int64]) -> str | None:
    """A window for negative numbers that were saved as if they were positive (-1 as 65535).

    Returns:
        ``None`` unless values lie at both ends of 0 to 65535 and hardly any between them.
    """
    if values.dtype.kind not in "iu" or values[0] < 0 or not 49152 < values[-1] <= 65535:
        return None
    ends = np.searchsorted(values, (16384, 49152))
    parts = [part.sum() / counts.sum() for part in np.split(counts, ends)]
    if min(parts[0], parts[2]) < 0.01 or parts[1] > 0.005 or len(values) - ends[1] < THIN:
        return None
    return f"{int(values[ends[1]]) - 65536}:{int(values[ends[0] - 1])}"


def common_levels(counts: NDArray[np.generic]) -> int:
    """The smallest number of grey levels that hold 98 % of the pixels.

    >>> common_levels(np.array([970, 10, 19, 1]))
    2
    """
    share = np.sort(counts)[::-1].cumsum() / counts.sum()
    return int(np.searchsorted(share, 0.98) + 1)


def _levels_of(stored: Stored) -> int:
    """How many grey levels a file has become; 256 where these are not too few for its values."""
    levels = common_levels(np.bincount(stored.levels, minlength=256))
    changed = stored.deep or not np.array_equal(stored.levels, stored.values)
    return levels if changed and len(np.unique(stored.values)) >= COLLAPSED * levels else 256


def _window(text: str) -> Window:
    low, high = (float(end) for end in text.split(":"))
    return Window(low, high, eight_bit=False, given=True)


def _levels_in(text: str, values: NDArray[np.generic], counts: NDArray[np.int64]) -> int:
    window = _window(text)
    return common_levels(np.bincount(window.levels(values), counts, minlength=256))


def _shown_by(values: NDArray[np.generic], counts: NDArray[np.int64]) -> str:
    """A setting that shows all values but far-off ones, and ends of few pixels if that helps."""
    first, last = _without_lone_ends(values.astype(np.float64))
    inner, pixels = values[first:last], counts[first:last]
    best = setting(float(inner[0]), float(inner[-1]))
    share = pixels.cumsum() / pixels.sum()
    for end in _TRIMMED:
        low, high = inner[np.searchsorted(share, (end, 1 - end)).clip(0, len(inner) - 1)]
        if low < high:
            text = setting(float(low), float(high))
            if _levels_in(text, values, counts) >= 2 * _levels_in(best, values, counts):
                best = text
    return best


def _without_lone_ends(values: NDArray[np.float64]) -> tuple[int, int]:
    """Where values begin and end without one at each end that is far off (padding, text)."""
    first, last = 0, len(values)
    for _ in range(2):  # one end may hide that the other is far off
        low, high = values[first:last], values[first:last][::-1]
        if first == 0 and _is_lone(low):
            first = 1
        elif last == len(values) and _is_lone(-high):
            last -= 1
    return first, last


def _is_lone(rising: NDArray[np.float64]) -> bool:
    return len(rising) > THIN and bool(rising[1] - rising[0] >= FAR * (rising[-1] - rising[1]))


def _clipped(text: str, values: NDArray[np.generic], counts: NDArray[np.int64]) -> str:
    window, numbers, told = _window(text), values.astype(np.float64), []
    for outside, end in ((numbers < window.low, "below"), (numbers > window.high, "above")):
        if outside.any():
            share = counts[outside].sum() / counts.sum()
            told.append(f"{max(share, 1e-4):.2%} {end}")
    return f" ({' and '.join(told)} it of their pixels: padding, text, markers?)" if told else ""
