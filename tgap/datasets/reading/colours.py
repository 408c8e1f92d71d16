"""Files whose colours show that grey levels of them would not mean the same as of the others."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools
from tgap.datasets.reading.notes import first

Numbers = NDArray[np.float64]
SOME = 0.1
"""Files of a kind are told of from this share on, and from two on."""
_CHANNELS = ("red", "green", "blue")
_SHARES = (30, 59, 11)
"""Per cent of the channels in grey (ITU-R 601-2 luma)."""
_APART, _PIXELS = 16, 0.05
"""A picture is in colour whose channels differ by more in so many of its pixels."""
_ONE = 0.9
"""A channel that holds this share of all brightness is the only one that counts."""
_PART = 2**14
"""So many pixels of a file count, evenly spread."""
_CELL, _CELLS = 8, (8, 300)
"""Colours count as one within so many levels; as many make a scale, or it is none."""
_NEAR, _ALONG, _BENT = 2.0, 0.97, 1.15
"""So near to a line, in cells, lie so many pixels, and it is longer than a straight one by this."""
_EXCHANGED, _TIGHT, _FEWEST = 0.1, (0.5, 2.0), 16
"""Colours match this well by exchange of red and blue, and no file is nearer to or farther
from grey than these times what is usual, among so many files: hues at random hardly are so."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shades:
    """The colours of a picture.

    Args:
        slopes: By how much red, and blue, rise as green rises by one.
        coloured: Whether its channels differ.
        single: Which channel holds nearly all brightness; -1 = none.
        scale: Whether its colours lie along one bent line, as those of jet or viridis do.
    """

    slopes: tuple[float, float]
    coloured: bool
    single: int = -1
    scale: bool = False


def shades_of(pixels: NDArray[np.generic]) -> Shades | None:
    """What the colours of ``(H, W, 3)`` pixels of 8 or 16 bits are; ``None`` of other arrays."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16):
        return None
    flat = pixels.reshape(-1, 3)
    part = flat[:: max(1, len(flat) // _PART) | 1].astype(np.float64)
    part /= 257 if pixels.dtype == np.uint16 else 1
    slopes = _slopes(part)
    if (np.ptp(part, axis=1) > _APART).mean() <= _PIXELS:
        return Shades(slopes, coloured=False)
    means = part.mean(axis=0)
    most = int(means.argmax())
    if means[most] >= _ONE * means.sum():
        return Shades(slopes, coloured=True, single=most)
    return Shades(slopes, coloured=True, scale=_is_scale(part))


def _slopes(colours: Numbers) -> tuple[float, float]:
    spread = np.cov(colours.T)
    green = max(float(spread[1, 1]), 1.0)
    return float(spread[0, 1]) / green, float(spread[2, 1]) / green


def _is_scale(colours: Numbers) -> bool:
    """Whether all lie along one line that is bent."""
    cells, counts = np.unique(colours // _CELL, axis=0, return_counts=True)
    if not _CELLS[0] <= len(cells) <= _CELLS[1]:
        return False
    far = np.linalg.norm(cells[:, None] - cells[None], axis=2)
    line, length = _longest(np.where(far < 3, far, 0))
    bent = length >= max(_CELLS[0], _BENT * far[line[0], line[-1]])
    near = far[:, line].min(axis=1) <= _NEAR
    return bool(bent and counts[near].sum() >= _ALONG * counts.sum())


def _longest(steps: Numbers) -> tuple[list[int], float]:
    """The cells of the longest of the shortest ways, from one end to the other, and its length."""
    from scipy.sparse.csgraph import dijkstra

    start = 0
    for _ in range(2):  # the farthest from anywhere is an end
        ways, before = dijkstra(steps, directed=False, indices=start, return_predecessors=True)
        ways[np.isinf(ways)] = -1
        end, start = start, int(ways.argmax())
    line = [start]
    while line[-1] != end:
        line.append(int(before[line[-1]]))
    return line, float(ways.max())


def tell_colours(
    shades: Sequence[Shades | None], names: Sequence[str], labels: Mapping[str, Bools], color: str
) -> None:
    """Warn of colours that are lost, or that some files have only.

    Args:
        shades: Of N files; ``None`` of such as have one channel.
        names: What messages call them.
        labels: ``(N,)`` by name, whether a file has the label.
        color: ``grey`` or ``rgb``, as they are read.
    """
    least = max(2, SOME * len(shades))
    coloured = [row for row, each in enumerate(shades) if each and each.coloured]
    some_grey = len(shades) - len(coloured) >= least
    told = set()
    for rows, text in (_single(shades), _scales(shades)):
        if len(rows) >= least and (color == "grey" or some_grey):
            told.update(rows)
            log.warning("%s: %s", text, first([names[row] for row in rows]))
    rest = [row for row in coloured if row not in told]
    if color == "grey" and len(rest) >= least:
        log.warning(
            "%d of %d files looked at are in colour (their channels differ)%s, and are read as "
            "grey, as dataset.color or the generator has it: what differs in hue alone becomes "
            "alike; to keep colours, take a generator of colour images and dataset.color=rgb",
            len(rest),
            len(shades),
            ", others grey" if some_grey else "",
        )
    if exchanged := _exchanged(shades, rest, labels):
        log.warning(
            "%d of %d files looked at have the colours of the others once red and blue are "
            "exchanged: saved by OpenCV as if they were BGR? If so, exchange them back "
            "(picture[..., ::-1]): %s",
            len(exchanged),
            len(shades),
            first([names[row] for row in exchanged]),
        )


def _single(shades: Sequence[Shades | None]) -> tuple[list[int], str]:
    rows = [row for row, each in enumerate(shades) if each and each.single >= 0]
    channels = sorted({each.single for each in shades if each and each.single >= 0})
    how = ", ".join(f"{_CHANNELS[channel]} {_SHARES[channel]}%" for channel in channels)
    return rows, (
        f"{len(rows)} of {len(shades)} files looked at hold all in one channel (as grey, {how} of "
        "it count, so that they become darker than grey files); save that channel as a grey file"
    )


def _scales(shades: Sequence[Shades | None]) -> tuple[list[int], str]:
    rows = [row for row, each in enumerate(shades) if each and each.scale]
    return rows, (
        f"{len(rows)} of {len(shades)} files looked at have the colours of a scale, such as jet or "
        "viridis, that stand for values: their brightness as grey, or their hue, is another "
        "than that of grey files; save the values themselves, as grey (matplotlib: "
        "imsave(..., cmap='gray'))"
    )


def _exchanged(
    shades: Sequence[Shades | None], rows: Sequence[int], labels: Mapping[str, Bools]
) -> list[int]:
    """The fewer of two kinds of files, if each is the other with red and blue exchanged.

    Both kinds must occur among at least two labels, unless there is one only: else the labels'
    colours may be so.
    """
    if len(rows) < _FEWEST:
        return []
    slopes = np.array([each.slopes for row in rows if (each := shades[row])])
    lead = slopes[:, 0] - slopes[:, 1]
    usual = np.median(abs(lead))
    red = lead > 0
    clear = (_TIGHT[0] * usual <= abs(lead)) & (abs(lead) <= _TIGHT[1] * usual)
    if not clear.all() or min(red.sum(), (~red).sum()) < max(3, SOME * len(red)):
        return []
    one, other = np.median(slopes[red], axis=0), np.median(slopes[~red], axis=0)
    apart = np.linalg.norm(one - other)
    if np.linalg.norm(one - other[::-1]) > _EXCHANGED * apart:
        return []
    mixed = sum(len(set(red[held[list(rows)]])) == 2 for held in labels.values())
    if mixed < min(2, len(labels)):
        return []
    fewer = red if red.sum() < len(red) / 2 else ~red
    return [row for row, is_one in zip(rows, fewer, strict=True) if is_one]
