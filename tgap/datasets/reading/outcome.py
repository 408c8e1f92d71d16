"""Looking at images once they are read: whether a person would see anything on them."""

import logging
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, Images, ImageSet
from tgap.core.arrays import spread
from tgap.datasets.reading.bars import Bars, bars
from tgap.datasets.reading.damage import MISSING, cut_off
from tgap.datasets.reading.marks import marks
from tgap.datasets.reading.negatives import negatives
from tgap.datasets.reading.notes import first

FLAT = 16
"""An image whose levels span less than this is black or flat to the eye."""
NARROWEST, NARROW = 32, 128
"""All levels of a data set span less than this: an error, and a warning."""
FEWEST = 10
"""Fewer images are not judged: nothing can be learned from them anyway."""
_LOOKED_AT = 1024

log = logging.getLogger(__name__)


def look_at(data: ImageSet, title: str, remedy: str) -> dict[str, str]:
    """See whether images are all one picture, black, flat, negatives, cut off or marked by label.

    Up to 1,024 images, evenly spread, are looked at, for cut ones all; of fewer than ten nothing is
    said.

    Args:
        data: Images, in memory or on disk.
        title: What messages call them.
        remedy: How levels can be mended.

    Returns:
        Notes of what was warned of.

    Raises:
        DataError: If all are one and the same picture, or the levels of all span less than
            ``NARROWEST``.
    """
    if len(data) < FEWEST:
        return {}
    rows = spread(len(data), _LOOKED_AT)
    ends, pictures = _measured(data.images, rows)
    low, high = int(ends[:, 0].min()), int(ends[:, 1].max())
    levels = f"all levels lie between {low} and {high}, of 0 to 255"
    what = f"the images of dataset '{title}'"
    if len(set(pictures.tolist())) == 1:
        raise DataError(f"{what} are all one and the same picture ({levels}); {remedy}")
    if high - low < NARROWEST:
        look = "black" if high < NARROWEST else "flat"
        raise DataError(f"{what} are {look}: {levels}; {remedy}")
    labels = dict(zip(data.label_names, data.labels[rows].T, strict=True))
    warned = _flat(ends[:, 1] - ends[:, 0], labels) | _alike(pictures, labels)
    warned |= _negatives(data, rows) | _cut_off(data) | _marks(data, rows)
    warned |= _bars(data, rows)
    if high - low < NARROW:
        warned["dim"] = f"{levels}; if they should be brighter, {remedy}"
    for text in warned.values():
        log.warning("%s: %s", what, text)
    return warned


def _measured(
    images: Images, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Least and greatest level of some images, ``(n, 2)``, and a digest of each."""
    ends, digests = [], []
    for row in rows:
        image = np.ascontiguousarray(images[row])
        ends.append((image.min(), image.max()))
        digests.append(sha256(image.data).hexdigest())
    return np.array(ends, dtype=np.int64), np.array(digests)


def _flat(spans: NDArray[np.int64], labels: dict[str, Bools]) -> dict[str, str]:
    flat = spans < FLAT
    if not flat.any():
        return {}
    by_label = [
        f"{(flat & held).sum()} of {held.sum()} of '{name}'"
        for name, held in labels.items()
        if (flat & held).any()
    ]
    return {
        "flat": f"{flat.sum()} of {len(flat)} images looked at are black or flat (their levels "
        f"span less than {FLAT} of 256), {(spans == 0).sum()} of a single level: "
        f"{first(by_label)}"
    }


def _alike(pictures: NDArray[np.str_], labels: dict[str, Bools]) -> dict[str, str]:
    alike = [
        name
        for name, held in labels.items()
        if held.sum() > 1 and len(set(pictures[held].tolist())) == 1
    ]
    told = f"all images looked at of label {', of label '.join(alike)} are one and the same picture"
    return {"one_picture": told} if alike else {}


def _negatives(data: ImageSet, rows: NDArray[np.int64]) -> dict[str, str]:
    found = negatives(data.images, rows, data.labels)
    told = (
        f"{len(found)} of {len(rows)} images looked at are dark where the others are bright, and "
        "bright where these are dark, as negatives are (MONOCHROME1 saved as it is, film scans, "
        "white paper among black); if they are, invert them (255 - picture): "
        f"{first(_named(data, found))}"
    )
    return {"negatives": told} if found else {}


def _marks(data: ImageSet, rows: NDArray[np.int64]) -> dict[str, str]:
    side, counts = data.images.shape[1], data.labels[rows].sum(axis=0)
    told = [
        f"{counts[mark.label]} of {counts[mark.label]} images looked at of label "
        f"'{data.label_names[mark.label]}' are the same in rows {mark.top} to {mark.bottom} and "
        f"columns {mark.left} to {mark.right} of {side}, where hardly any other image is so"
        for mark in marks(data.images, rows, data.labels)
    ]
    remedy = (
        "a mark, text or edge there tells a classifier the label: look at it, and cover it in all "
        "images, or crop it away"
    )
    return {"mark": f"{'; '.join(told)}; {remedy}"} if told else {}


def _bars(data: ImageSet, rows: NDArray[np.int64]) -> dict[str, str]:
    told: dict[int, list[str]] = {}
    for found in bars(data.images, rows, data.labels):
        told.setdefault(found.label, []).append(_told_bar(found))
    remedy = (
        "a classifier needs nothing else to tell the label: crop all images in the same way, so "
        "that none has a bar"
    )
    texts = [
        f"images of label '{data.label_names[label]}' have bars of one level along an edge: "
        f"{', '.join(its)}"
        for label, its in told.items()
    ]
    return {"bars": f"{'; '.join(texts)}; {remedy}"} if texts else {}


def _told_bar(found: Bars) -> str:
    others = f"{found.others} of {found.of_others} others"
    if found.others:
        others += f" ({found.other_width:g} pixels)"
    return (
        f"{found.edge} in {found.having} of {found.of} looked at (median {found.width:g} pixels), "
        f"against {others}"
    )


def _named(data: ImageSet, rows: list[int]) -> list[str]:
    names = data.metadata.get("file")
    return [str(row) if names is None else str(names[row]) for row in rows]


def _cut_off(data: ImageSet) -> dict[str, str]:
    told = []
    for level, rows in cut_off(data.images).items():
        named = _named(data, rows)
        told.append(f"{len(rows)} of {len(data)} images are of one level ({level}) from some row")
        told[-1] += f" down to the edge, over {MISSING:.0%} of the height or more: {first(named)}"
    remedy = "if a download or a memory card cut them off, get them again, or leave them out"
    return {"cut_off": f"{'; '.join(told)}; {remedy}"} if told else {}
