"""Looking at what files store: the range of a data set, and what its grey levels are made of."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgap.core import DataError, Images, Indices
from tgap.core.progress import progress
from tgap.datasets.reading.pixels import stored_values
from tgap.datasets.reading.threads import in_threads
from tgap.datasets.reading.window import DATA, FULL, Stored, Window, given_window, setting

THIN, DIM = 32, 64
"""An image with 99 % of its pixels in fewer grey levels is nearly black or flat; or dim, and looked
at more closely."""
COLLAPSED = 4
"""So many different values for each grey level, and its levels are too few for the file."""
DARK = 0.25
"""Share of such images that makes a data set an error: its contact sheet would be black."""
_LOOKED_AT = 1024
_OPENED = 64

log = logging.getLogger(__name__)


def chosen_window(text: str, sources: Sequence[Path | bytes], workers: int) -> Window | None:
    """The window that images are read with, measured where the setting says so.

    ``data`` takes the least and the greatest value of all files without a window of their own
    (padding of DICOM files aside), whatever their labels. Files of 8 bits count only if no file
    has more, and the window is for the others' kind alone.

    Args:
        text: ``full``, ``data`` or ``LOW:HIGH``.
        sources: All files of the data set, or their contents.
        workers: Threads.

    Returns:
        ``None`` where what the format can hold is the range.

    Raises:
        DataError: If all values are one.
    """
    if text != DATA:
        return given_window(text)
    ends: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    calls = ((sources[row],) for row in range(len(sources)))
    with progress("measuring", len(sources)) as advance:
        for row, found in enumerate(in_threads(_ends, calls, workers)):
            if found is not None:
                deep, low, high = found
                ends[deep].append((low, high))
            advance(row + 1)
    measured = ends[True] or ends[False]
    if not measured:
        log.warning("dataset.window=data changes nothing: every file has a window of its own")
        return None
    low, high = min(least for least, _ in measured), max(most for _, most in measured)
    if low == high:
        raise DataError(
            f"dataset.window=data: every pixel of all {len(measured)} images is {low:g}"
        )
    log.info("dataset.window=data: black is %g, white is %g", low, high)
    return Window(low, high, eight_bit=not ends[True], given=False)


def _ends(source: Path | bytes) -> tuple[bool, float, float] | None:
    """Whether a file has more than 8 bits, its least and its greatest value."""
    try:
        # Any window will do, so that values without a full range are read too
        stored = stored_values(source, Window(0, 1, eight_bit=False, given=False))
    except DataError:  # told when it is decoded
        return None
    if stored is None or not stored.values.size:
        return None
    return stored.deep, float(stored.values.min()), float(stored.values.max())


@dataclass(frozen=True)
class _Collapse:
    """Files of many values that become few grey levels.

    Args:
        share: Of the images.
        thin: Share of the images that have fewer than ``THIN`` levels.
        values: All different values that they store, rising.
        counts: How many pixels have each.
        levels: How many grey levels these become.
    """

    share: float
    thin: float
    values: NDArray[np.generic]
    counts: NDArray[np.int64]
    levels: int

    def setting(self) -> str:
        """A window that shows them: all values, or without the ends of few pixels."""
        values, share = self.values.astype(np.float64), self.counts.cumsum() / self.counts.sum()
        for end in (0, 0.005, 0.05, 0.25):
            low, high = values[np.searchsorted(share, (end, 1 - end)).clip(0, len(values) - 1)]
            levels = Window(low, high, eight_bit=False, given=True).levels(values)
            if common_levels(np.bincount(levels, self.counts, minlength=256)) >= DIM:
                break
        return setting(low, high)


def check_depth(
    images: Images, sources: Sequence[Path | bytes], kept: Indices, text: str, window: Window | None
) -> dict[str, str]:
    """See whether the values of files survived being brought to 8 bits.

    Up to 1,024 images, evenly spread, are looked at; of those with few grey levels up to 64 files
    are opened again.

    Args:
        images: ``(M, H, W, C)`` uint8.
        sources: Files, or their contents.
        kept: ``(M,)`` which source each image is of.
        text: The setting that they were read by.
        window: What it became.

    Returns:
        A note, if some images have lost their values.

    Raises:
        DataError: If at least ``DARK`` of them are nearly black or flat, and nobody named the
            window.
    """
    rows = spread(len(images), _LOOKED_AT)
    few = np.array([row for row in rows if common_levels(_histogram(images[row])) < DIM], int)
    found = _collapse([sources[kept[row]] for row in few[spread(len(few), _OPENED)]], window)
    if found is None:
        return {}
    share = len(few) / len(rows)
    count = max(1, round(found.share * share * len(images)))
    remedy = f"dataset.window={found.setting()}"
    problem = (
        f"{'' if len(rows) == len(images) else 'about '}{count:,} of {len(images):,} images are "
        f"{'nearly black' if found.thin else 'dark'} or flat as dataset.window={text} shows them: "
        "their files store "
        f"{len(found.values):,} different values from {found.values[0]:g} to "
        f"{found.values[-1]:g}, which become {found.levels} of 256 grey levels"
    )
    if text in (FULL, DATA) and found.thin * share >= DARK:
        measured = ", or dataset.window=data for the least and greatest value of all files"
        raise DataError(f"{problem}; set {remedy}{measured if text == FULL else ''}")
    log.warning("%s; %s shows them", problem, remedy)
    return {"few_levels": f"{problem}; {remedy} shows them"}


def _collapse(sources: Sequence[Path | bytes], window: Window | None) -> _Collapse | None:
    """What files store that lose their values; ``None`` if there are none."""
    stored = [each for each in (_stored(source, window) for source in sources) if each is not None]
    kinds = [_levels_of(each) for each in stored]
    lost = [each for each, levels in zip(stored, kinds, strict=True) if levels < DIM]
    if not lost:
        return None
    thin = sum(levels < THIN for levels in kinds) / len(sources)
    pixels = np.concatenate([each.values.ravel() for each in lost])
    values, counts = np.unique(pixels, return_counts=True)
    levels = np.unique(np.concatenate([np.unique(each.levels) for each in lost]))
    return _Collapse(len(lost) / len(sources), thin, values, counts, len(levels))


def _stored(source: Path | bytes, window: Window | None) -> Stored | None:
    try:
        return stored_values(source, window)
    except DataError:  # gone since it was decoded
        return None


def _levels_of(stored: Stored) -> int:
    """How many grey levels a file has become; 256 where these are not too few for its values."""
    levels = common_levels(np.bincount(stored.levels.ravel(), minlength=256))
    lost = stored.deep and len(np.unique(stored.values)) >= COLLAPSED * levels
    return levels if lost else 256


def spread(count: int, most: int) -> Indices:
    """Up to ``most`` of ``count`` rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _histogram(image: Images) -> NDArray[np.int64]:
    return np.bincount(image.ravel(), minlength=256)


def common_levels(counts: NDArray[np.generic]) -> int:
    """The smallest number of grey levels that hold 99 % of the pixels.

    >>> common_levels(np.array([980, 10, 9, 1]))
    2
    """
    share = np.sort(counts)[::-1].cumsum() / counts.sum()
    return int(np.searchsorted(share, 0.99) + 1)
