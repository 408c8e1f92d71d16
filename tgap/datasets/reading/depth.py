"""Looking at what files store: the range of a data set, and what its grey levels are made of."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, Images, Indices
from tgap.core.arrays import spread
from tgap.core.progress import progress
from tgap.datasets.reading.collapse import (
    DIM,
    Collapse,
    collapse,
    common_levels,
    counted,
    crushed,
    sampled,
    signed_range,
    spoiled,
    whole_range,
)
from tgap.datasets.reading.colours import tell_colours
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.pixels import stored_values
from tgap.datasets.reading.threads import in_threads
from tgap.datasets.reading.window import DATA, FULL, Stored, Window, given_window

DARK = 0.25
"""Share of such images that makes a data set an error: its contact sheet would be black."""
_LOOKED_AT = 1024
_OPENED = 64
UNLIKE = 1.5
"""Labels are told of whose images are so many times brighter than another's."""
_MIXED = 0.1
"""So many files that a remedy would make white or flat, and it is none."""
_SOFT = 0.5
"""Alpha of so many pixels that is neither opaque, transparent nor constant is no cut-out's."""
_FEWEST = 5
"""Labels of fewer files are not compared."""

_ANY = Window(0, 1, eight_bit=False, given=False)
"""Any window will do, so that values without a full range are read too."""
_UNREAD, _OWN = "unread", "own window"

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
    unread = 0
    calls = ((sources[row],) for row in range(len(sources)))
    with progress("measuring", len(sources)) as advance:
        for row, found in enumerate(in_threads(_ends, calls, workers)):
            if isinstance(found, tuple):
                deep, low, high = found
                ends[deep].append((low, high))
            unread += found is _UNREAD
            advance(row + 1)
    measured = ends[True] or ends[False]
    if not measured and unread:
        return _ANY  # what is wrong with files is told when they are decoded
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


def _ends(source: Path | bytes) -> tuple[bool, float, float] | str:
    """Whether a file has more than 8 bits, its least and its greatest value; or why not."""
    try:
        stored = stored_values(source, _ANY)
    except DataError:
        return _UNREAD
    if stored.own or not stored.values.size:
        return _OWN
    return stored.deep, float(stored.values.min()), float(stored.values.max())


def check_depth(
    images: Images,
    sources: Sequence[Path | bytes],
    names: Sequence[str],
    kept: Indices,
    text: str,
    window: Window | None,
    labels: Mapping[str, Bools] | None = None,
) -> dict[str, str]:
    """See whether the values of files survived being brought to 8 bits, and their colours.

    Resampling makes levels that no file has, so the stored values are judged: of up to 64 files,
    evenly spread, and of up to 64 of those whose images have few grey levels, of 1,024 images.

    Args:
        images: ``(M, H, W, C)`` uint8.
        sources: Files, or their contents.
        names: What messages call them.
        kept: ``(M,)`` which source each image is of.
        text: The setting that they were read by.
        window: What it became.
        labels: ``(M,)`` by name, whether an image has the label.

    Returns:
        Notes, if some images have lost their values, or labels differ in what they store.

    Raises:
        DataError: If at least ``DARK`` of them are nearly black or flat, and nobody named the
            window.
    """
    even = spread(len(images), _OPENED)
    every = _opened([sources[kept[row]] for row in even], window)
    called, held = [names[kept[row]] for row in even], _of(labels or {}, even)
    color = "grey" if images.shape[3] == 1 else "rgb"
    tell_colours([each.shades if each else None for each in every], called, held, color)
    stored = [each if each and not each.own else None for each in every]
    notes = _wrapped([each for each in stored if each and each.deep], text)
    told = _broken([(name, each) for name, each in zip(called, every, strict=True) if each])
    if not notes:
        notes = _lost(images, sources, kept, text, window, stored)
    if text in (FULL, DATA):
        notes |= _unlike(stored, held)
    return notes | told


def _of(labels: Mapping[str, Bools], rows: Indices) -> dict[str, Bools]:
    return {name: held[rows] for name, held in labels.items()}


def _broken(found: Sequence[tuple[str, Stored]]) -> dict[str, str]:
    """Whether alpha is data, bytes are lost or swapped, or windows of their own hide values."""
    stored = [each for _, each in found]
    looked_at, told = f"of {len(stored)} files looked at", {}
    hidden = crushed(stored)
    if len(hidden) >= max(2, _MIXED * len(stored)):
        told["crushed"] = (
            f"{len(hidden)} {looked_at} become about black and white by the window that they have "
            "of their own (WindowCenter, WindowWidth or a table), though they store many values; "
            f"dataset.window={whole_range([each for each in stored if each.own])} shows these of "
            f"all files instead: {first([found[row][0] for row in hidden])}"
        )
    blank = [name for name, each in found if each.blank]
    if blank:
        told["blank"] = (
            f"{len(blank)} {looked_at} have pixels without a number (NaN or infinite, up to "
            f"{max(each.blank for each in stored):.0%} of a file): NaN becomes black and does not "
            "count for the range, infinite ones become black or white; if black would be "
            f"something that images show, write another value there: {first(blank)}"
        )
    swapped = [name for name, each in found if each.swapped]
    if len(swapped) >= max(2, _MIXED * len(stored)):
        told["swapped"] = (
            f"{len(swapped)} {looked_at} are noise as their 16 bits are read, and pictures once "
            "the two bytes are exchanged: written or imported in the wrong byte order; exchange "
            f"them (numpy: picture.byteswap()): {first(swapped)}"
        )
    if (count := sum(each.soft > _SOFT for each in stored)) >= max(2, _MIXED * len(stored)):
        told["alpha"] = (
            f"{count} {looked_at} have a last channel that is read as how opaque a pixel is, but "
            "takes many values over the whole picture: if it is data, such as a dye or a band, it "
            "darkens the others; save the channels that count as grey or RGB without alpha"
        )
    if (count := sum(each.wrapped for each in stored)) >= max(2, _MIXED * len(stored)):
        told["wrapped"] = (
            f"{count} {looked_at} jump from about 255 to about 0 in the midst of gradients, again "
            "and again: values of more than 8 bits of which only the lower 8 were kept "
            "(astype('uint8')); nothing brings the others back: save the originals again, scaled "
            "to 0 to 255, or as 16 bit"
        )
    for text in told.values():
        log.warning("%s", text)
    return told


def _wrapped(stored: list[Stored], text: str) -> dict[str, str]:
    """Whether they are signed values that were saved as unsigned ones."""
    shows = signed_range(*counted(stored)) if stored else None
    if shows is None:
        return {}
    problem = (
        "files store values at both ends of 0 to 65535 and hardly any between: negative ones saved "
        "as if they were positive (-1000 as 64536), so that dark becomes bright; "
        "save them with their sign, in Python PIL.Image.fromarray(numpy.asarray(PIL.Image.open("
        "'1.png')).astype('int16').astype('int32')).save('1.tif'), and set "
        f"dataset.window={shows}"
    )
    if text in (FULL, DATA):
        raise DataError(problem)
    log.warning("%s", problem)
    return {"few_levels": problem}


def _lost(
    images: Images,
    sources: Sequence[Path | bytes],
    kept: Indices,
    text: str,
    window: Window | None,
    even: Sequence[Stored | None],
) -> dict[str, str]:
    rows = spread(len(images), _LOOKED_AT)
    few = np.array([row for row in rows if common_levels(_histogram(images[row])) < DIM], int)
    dark = _opened([sources[kept[row]] for row in few[spread(len(few), _OPENED)]], window)
    dark = [each if each and not each.own else None for each in dark]
    given = window is not None and window.given
    found = [
        (each, each.share * share, each.thin * share)
        for stored, share in ((even, 1.0), (dark, len(few) / len(rows)))
        if (each := collapse([one for one in stored if one], len(stored), given)) is not None
    ]
    if not found:
        return {}
    worst, share, thin = max(found, key=lambda each: each[1])
    count = max(1, round(share * len(images)))
    problem = (
        f"{'' if len(images) <= _OPENED else 'about '}{count:,} of {len(images):,} images are "
        f"{'nearly black' if thin else 'dark'} or flat as dataset.window={text} shows them: their "
        f"files store {worst.what}"
    )
    others = spoiled(worst.setting, [one for one in even if one])
    remedy = _remedy(worst, text, others)
    if text in (FULL, DATA) and thin >= DARK:
        raise DataError(f"{problem}; {remedy}")
    log.warning("%s; %s", problem, remedy)
    return {"few_levels": f"{problem}; {remedy}"}


def _remedy(found: Collapse, text: str, others: float) -> str:
    """A window, or that there is none."""
    window = f"dataset.window={found.setting}"
    if others > _MIXED:
        return (
            f"no window shows all: {window} makes {others:.0%} of the files that were looked at "
            "white or flat; bring all files to one scale, such as 12 bits to 16 by times 16"
        )
    measured = ", or dataset.window=data for the least and greatest value of all files"
    also = measured if text == FULL and not found.clipped else ""
    return f"set {window}{found.clipped}{also}"


def _unlike(stored: Sequence[Stored | None], labels: Mapping[str, Bools]) -> dict[str, str]:
    """Whether one label's files are brighter than another's, and some have more than 8 bits."""
    if not any(each and each.deep for each in stored):
        return {}
    tops = np.array([each.top if each else np.nan for each in stored])
    medians = {
        name: max(1, round(float(np.nanmedian(tops[held]))))
        for name, held in labels.items()
        if (~np.isnan(tops[held])).sum() >= _FEWEST
    }
    if not medians:
        return {}
    low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    if medians[high] < UNLIKE * medians[low]:
        return {}
    told = (
        f"the brightest pixels of label {low} become grey level {medians[low]} of 255, those of "
        f"label {high} {medians[high]} (medians), and files have more than 8 bits: brightness may "
        "tell a classifier the label; if bits or scanners differ, bring all files to one scale"
    )
    log.warning("%s", told)
    return {"ranges": told}


def _opened(sources: Sequence[Path | bytes], window: Window | None) -> list[Stored | None]:
    calls = ((source, window) for source in sources)
    return list(in_threads(_stored, calls, os.cpu_count() or 1))


def _stored(source: Path | bytes, window: Window | None) -> Stored | None:
    try:
        stored = stored_values(source, window)
    except DataError:  # gone since it was decoded
        return None
    return sampled(stored) if stored.values.size else None


def _histogram(image: Images) -> NDArray[np.int64]:
    return np.bincount(image.ravel(), minlength=256)
