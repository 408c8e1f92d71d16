"""What the pixels of a dataset tell at once: grey levels, empty images, copies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import ImageSet, Indices
from tgap.core.arrays import spread
from tgap.report.dataset.samples import called, labels_of

LOOKED_AT = 20_000
"""Images whose levels are counted, and files whose headers are read, at most."""
NAMED = 10
"""Images and pairs that are named, at most."""
WHOLE = 0.95
"""A label holds so many of all images of the others again, and is no label but the whole."""
EMPTY = 2.0
"""An image is near-empty if its levels have a smaller standard deviation."""


@dataclass(frozen=True)
class Levels:
    """How bright pixels are, 0 to 255; of a sample if there are more than ``LOOKED_AT`` images.

    Args:
        looked_at: How many images were counted.
        counts: Pixels of each of the 256 levels, all channels together, under ``all`` and by label.
        used: Different levels in an image, the median over images.
        empty: How many images are near-empty.
        empty_named: The first of them.
    """

    looked_at: int
    counts: dict[str, list[int]]
    used: float
    empty: int
    empty_named: list[str]


@dataclass(frozen=True)
class Copies:
    """Images that are equal pixel by pixel.

    Args:
        copies: Images that equal an earlier one.
        pairs: The first of these and what they equal.
        disputed: Images that equal an earlier one with other labels.
        disputed_pairs: The first of these: image, its labels, the earlier one, its labels.
        whole: The label whose images are those of all others, copied; empty if none is.
    """

    copies: int
    pairs: list[list[str]]
    disputed: int
    disputed_pairs: list[list[str]]
    whole: str


def levels_of(data: ImageSet) -> Levels:
    """Count grey levels, image by image."""
    rows = spread(len(data), LOOKED_AT)
    counts = np.stack([np.bincount(data.images[row].ravel(), minlength=256) for row in rows])
    empty = rows[_deviation(counts) < EMPTY].tolist()
    by_label = {
        f"label {name}": counts[data.labels[rows, number]].sum(axis=0).tolist()
        for number, name in enumerate(data.label_names)
    }
    return Levels(
        looked_at=len(rows),
        counts={"all": counts.sum(axis=0).tolist(), **by_label},
        used=float(np.median((counts > 0).sum(axis=1))),
        empty=len(empty),
        empty_named=[called(data, row) for row in empty[:NAMED]],
    )


def _deviation(counts: Indices) -> NDArray[np.float64]:
    """Standard deviation of the levels of each image."""
    levels, total = np.arange(256), counts.sum(axis=1)
    mean = counts @ levels / total
    variance = np.maximum(counts @ levels**2 / total - mean**2, 0)
    return np.asarray(np.sqrt(variance), np.float64)


def copies_of(data: ImageSet, pixels: NDArray[np.bytes_]) -> Copies:
    """Find equal images.

    Args:
        data: N images.
        pixels: ``(N,)``, the digest of each.
    """
    _, firsts, which = np.unique(pixels, return_index=True, return_inverse=True)
    earlier = firsts[which]
    copies = np.flatnonzero(earlier != np.arange(len(pixels)))
    disputed = copies[(data.labels[copies] != data.labels[earlier[copies]]).any(axis=1)]
    return Copies(
        copies=len(copies),
        pairs=[[called(data, row), called(data, earlier[row])] for row in copies[:NAMED]],
        disputed=len(disputed),
        disputed_pairs=[
            [
                text
                for row in (one, earlier[one])
                for text in (called(data, row), labels_of(data, row))
            ]
            for one in disputed[:NAMED]
        ],
        whole=_whole(data, which) if len(disputed) else "",
    )


def _whole(data: ImageSet, which: Indices) -> str:
    """The one label that holds nearly all images of the others; ``which`` picture each row is."""
    if (data.labels.sum(axis=1) != 1).any():
        return ""
    held = np.zeros((int(which.max()) + 1, len(data.label_names)), bool)
    held[which, data.labels.argmax(axis=1)] = True
    found = [
        name
        for number, name in enumerate(data.label_names)
        if held[np.delete(held, number, axis=1).any(axis=1), number].mean() >= WHOLE
    ]
    return found[0] if len(found) == 1 else ""
