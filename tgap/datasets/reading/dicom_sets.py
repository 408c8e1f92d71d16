"""DICOM files of one data set that are not shown alike, or are no pictures of its kind."""

import io
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tgap.core import Bools, DataError, Indices
from tgap.core.arrays import spread
from tgap.datasets.reading.dicom import Said, said
from tgap.datasets.reading.notes import first, many
from tgap.datasets.reading.pixels import stored_values
from tgap.datasets.reading.threads import in_threads
from tgap.datasets.reading.window import DATA, FULL

LOOKED_AT = 1024
"""If none of so many files, evenly spread, is DICOM, the others are not opened."""
RARE, USUAL = 0.1, 0.9
"""A kind of fewer files is told of, and one that so many of a label's files have."""
FEWEST = 5
"""Labels of fewer files are not compared."""
SHIFTED, NEARLY = 500, 0.2
"""Intercepts that differ by so much are compared, and values must differ so nearly as they do."""
PIXELS_OF = 16
"""Of so many files of an intercept pixels are read."""
_RADIOGRAPH = ("CR", "DX", "RG")
_NO_SCAN = ("OT", "SR", "KO", "PR", "SEG", "DOC", "SC", "RTDOSE")
"""Modalities of reports, key images, annotations and whatever was captured from a screen."""
_WORKERS = 8

log = logging.getLogger(__name__)
Found = Sequence[tuple[str, Said]]
"""Names of files, and what they say."""


def tell_dicom(
    sources: Sequence[Path | bytes],
    names: Sequence[str],
    kept: Indices,
    window: str,
    labels: Mapping[str, Bools],
) -> None:
    """Warn of what the headers of DICOM files say that makes their images unlike.

    Told are CT files whose values are higher than others' by as much as their intercepts differ
    (the same tissue has the same Hounsfield units, so one intercept is wrong); of one modality,
    scales that differ where black and white are what a file can hold; windows that CT files have
    of their own and that differ (radiographs have one each, and should); files of a modality that
    few have, or that is no scanner's; screen captures and localizers among others; and labels of
    different modalities.

    Args:
        sources: N files, or their contents.
        names: What messages call them.
        kept: ``(M,)`` which of them were read.
        window: The setting ``dataset.window``.
        labels: ``(M,)`` by name, whether an image has the label.
    """
    if not any(_said(sources, kept[spread(len(kept), LOOKED_AT)])):
        return
    every = list(_said(sources, kept))
    found = [(names[row], each) for row, each in zip(kept, every, strict=True) if each]
    deep = [(name, each) for name, each in found if each.deep]
    rows = [row for row, each in zip(kept, every, strict=True) if each and each.deep]
    lost = _tell_intercepts(deep, [sources[row] for row in rows])
    if window == FULL and not lost:
        _tell_scales(deep)
    if window in (FULL, DATA):
        _tell_windows(deep)
    capture = _captures(found)
    kinds = [_kind(each, capture) if each else "" for each in every]
    usual = _usual(kinds, labels)
    if len(set(usual.values())) > 1:
        log.warning(
            "files of different labels are of different modalities (%s): what took the picture "
            "tells a classifier the label; take files of the same modality for all",
            first([f"{name}: {kind}" for name, kind in usual.items()]),
        )
    _tell_rare([(name, _kind(each, capture)) for name, each in found], set(usual.values()))


def _said(sources: Sequence[Path | bytes], rows: Indices) -> Iterator[Said | None]:
    return in_threads(_opened, ((sources[row],) for row in rows), _WORKERS)


def _opened(source: Path | bytes) -> Said | None:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return said(file)
    except OSError:  # gone since it was decoded
        return None


def _tell_scales(found: Found) -> None:
    """Of the files of a modality that have no window, and are rescaled."""
    for modality in sorted({each.modality for _, each in found}):
        alike = [each for _, each in found if each.modality == modality and not each.window]
        scales = Counter(each.scale for each in alike)
        if len(scales) > 1 and any(each.rescaled for each in alike):
            log.warning(
                "DICOM files%s without a window of their own have %d different scales (by "
                "RescaleSlope, RescaleIntercept and bits: %s), each of which goes from black to "
                "white: the same value becomes different grey levels; set dataset.window=data, or "
                "LOW:HIGH",
                modality and f" of {modality}",
                len(scales),
                _counts(scales),
            )


def _tell_intercepts(found: Found, sources: Sequence[Path | bytes]) -> bool:
    """Whether it warns of CT whose intercept is not of its values."""
    rows: dict[float, list[int]] = {}
    for row, (_, each) in enumerate(found):
        if each.modality == "CT":
            rows.setdefault(each.intercept, []).append(row)
    rows = {of: those for of, those in rows.items() if len(those) >= FEWEST}
    if len(rows) < 2:
        return False
    bright = {of: _brightness([sources[row] for row in those]) for of, those in rows.items()}
    usual = max(rows, key=lambda of: len(rows[of]))
    for of, those in rows.items():
        shift = of - usual
        if abs(shift) >= SHIFTED and abs(bright[of] - bright[usual] - shift) < NEARLY * abs(shift):
            log.warning(
                "the values of %d CT files whose RescaleIntercept is %g are about %g %s than those "
                "of %d whose it is %g (95th percentiles), just as the intercepts differ: the one "
                "or the other is lost or wrong, and the same tissue has other values, which no "
                "window mends; correct it, or leave these files out: %s",
                len(those),
                of,
                round(abs(bright[of] - bright[usual])),
                "higher" if shift > 0 else "lower",
                len(rows[usual]),
                usual,
                first([found[row][0] for row in those]),
            )
            return True
    return False


def _brightness(sources: Sequence[Path | bytes]) -> float:
    """The median over some files of what 5 % of their values exceed: soft tissue of any CT."""
    calls = ((sources[row],) for row in spread(len(sources), PIXELS_OF))
    found = [each for each in in_threads(_exceeded, calls, _WORKERS) if each is not None]
    return float(np.median(found)) if found else math.nan


def _exceeded(source: Path | bytes) -> float | None:
    try:
        return float(np.quantile(stored_values(source).values.astype(np.float64), 0.95))
    except (DataError, IndexError):  # gone since it was decoded, or all padding
        return None


def _tell_windows(found: Found) -> None:
    windows = Counter(each.window or "none" for _, each in found if each.modality == "CT")
    if len(windows) > 1:
        common = next((text for text, _ in windows.most_common() if ":" in text), "LOW:HIGH")
        log.warning(
            "CT files have %d different windows of their own (WindowCenter and WindowWidth, the "
            "first of several, as LOW:HIGH: %s): the same Hounsfield value becomes different grey "
            "levels; set one for all, such as dataset.window=%s",
            len(windows),
            _counts(windows),
            common,
        )


def _captures(found: Found) -> bool:
    """Whether a secondary image of 8 bits is a screen's: most others have more bits."""
    return sum(each.deep for _, each in found) > len(found) / 2


def _kind(each: Said, capture: bool) -> str:
    """The modality, and whether it is a screen's or a scout view; empty if it does not say."""
    modality = "radiographs (CR, DX)" if each.modality in _RADIOGRAPH else each.modality
    secondary = capture and not each.deep and "SECONDARY" in each.image_type
    if "SCREEN SAVE" in each.image_type or secondary:
        return f"{modality or 'unknown'}, captured from a screen"
    return f"{modality}, localizer" if "LOCALIZER" in each.image_type else modality


def _usual(kinds: Sequence[str], labels: Mapping[str, Bools]) -> dict[str, str]:
    """The kind that nearly all files of a label have, by label."""
    usual = {}
    for name, held in labels.items():
        counts = Counter(kind for kind, has in zip(kinds, held, strict=True) if has and kind)
        for kind, count in counts.most_common(1):
            if count >= max(FEWEST, USUAL * held.sum()):
                usual[name] = kind
    return usual


def _tell_rare(kinds: Sequence[tuple[str, str]], usual: set[str]) -> None:
    counts = Counter(kind for _, kind in kinds if kind)
    for kind, count in counts.items():
        no_scan = kind in _NO_SCAN or kind.endswith("screen")
        if kind not in usual and count < counts.total() * (0.5 if no_scan else RARE):
            most = counts.most_common(1)[0][0]
            log.warning(
                "%d of %d DICOM files are %s, most others %s: reports, key images or other "
                "pictures than the rest? If so, leave them out by dataset.exclude: %s",
                count,
                counts.total(),
                kind,
                most,
                first([name for name, its in kinds if its == kind]),
            )


def _counts(counts: Counter[str]) -> str:
    return first([f"{text} in {many(count, 'file')}" for text, count in counts.most_common()])
