"""The files that a dataset was read from: sizes, aspect ratios, kinds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tgap.core import ImageSet
from tgap.core.arrays import spread
from tgap.datasets.base import Dataset
from tgap.datasets.reading.originals import Header, read_headers
from tgap.report.dataset.moments import Moments, moments_of
from tgap.report.dataset.pixels import LOOKED_AT, NAMED
from tgap.report.dataset.samples import called

ENLARGED = 1.5
"""Files are told of whose sides grow by more than this factor."""
CUT = 0.25
"""And those that lose more than this share of their pixels, or are stretched as much."""
DRAWN = 400
"""Different sizes that are kept, at most."""


@dataclass(frozen=True)
class Files:
    """What the headers say; of a sample if there are more than ``LOOKED_AT`` files.

    Args:
        looked_at: How many headers were read.
        unread: How many of them could not be.
        kinds: Files by format, bits and colour.
        label_kinds: The same by label.
        widths: Least, median and greatest, in pixels.
        heights: The same.
        ratios: The same of width by height.
        sizes: Width, height and how many files have them, rising; evenly spaced ones if many.
        shortest: Least and greatest of the shorter sides, in pixels.
        sides: Median of the shorter side by label.
        shapes: Median of width by height by label.
        enlarged: How many files have fewer pixels than the images, by ``ENLARGED``.
        enlarged_named: The first of them.
        misfits: How many lose much to the crop, or are stretched much.
        misfits_named: The first of them.
        cropped: Whether it is the crop, and not stretching.
        moments: Photographs of one moment; ``None`` if there are few.
    """

    looked_at: int
    unread: int
    kinds: dict[str, int]
    label_kinds: dict[str, dict[str, int]]
    widths: list[float]
    heights: list[float]
    ratios: list[float]
    sizes: list[list[int]]
    shortest: list[float]
    sides: dict[str, float]
    shapes: dict[str, float]
    enlarged: int
    enlarged_named: list[str]
    misfits: int
    misfits_named: list[str]
    cropped: bool
    moments: Moments | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What ``dataclasses.asdict`` gave."""
        moments = value["moments"]
        return cls(**{**value, "moments": None if moments is None else Moments(**moments)})


def files_of(dataset: Dataset, data: ImageSet) -> Files | None:
    """Read the headers of a dataset's files; ``None`` where it knows of none, or none is there.

    Args:
        dataset: The source.
        data: What was read of it.
    """
    rows = spread(len(data), LOOKED_AT)
    sample = data.without_images().take(rows)
    originals = dataset.originals(sample)
    if originals is None:
        return None
    headers = read_headers([each.file for each in originals])
    there = np.array([row for row, header in enumerate(headers) if header], dtype=np.int64)
    if not len(there):
        return None
    fits = np.array([originals[row].fit for row in there])
    seen = [header for header in headers if header]
    return _summary(sample.take(there), seen, fits, data.images.shape[1], len(headers))


def _summary(
    data: ImageSet, headers: Sequence[Header], fits: NDArray[np.str_], side: int, looked_at: int
) -> Files:
    sizes = np.array([(header.width, header.height) for header in headers], np.float64)
    short, long = sizes.min(axis=1), sizes.max(axis=1)
    enlarged = np.flatnonzero(side > ENLARGED * np.where(fits == "pad", long, short))
    misfits = np.flatnonzero((short < (1 - CUT) * long) & (fits != "pad"))
    return Files(
        looked_at=looked_at,
        unread=looked_at - len(headers),
        kinds=_kinds(headers),
        label_kinds={
            name: _kinds(headers[row] for row in np.flatnonzero(held).tolist())
            for name, held in zip(data.label_names, data.labels.T, strict=True)
            if held.any()
        },
        widths=_range(sizes[:, 0]),
        heights=_range(sizes[:, 1]),
        ratios=_range(sizes[:, 0] / sizes[:, 1]),
        sizes=_distinct(sizes),
        shortest=[float(short.min()), float(short.max())],
        sides=_medians(short, data),
        shapes=_medians(sizes[:, 0] / sizes[:, 1], data),
        enlarged=len(enlarged),
        enlarged_named=[called(data, row) for row in enlarged[:NAMED]],
        misfits=len(misfits),
        misfits_named=[called(data, row) for row in misfits[:NAMED]],
        cropped=bool((fits[misfits] == "crop").any()),
        moments=moments_of(headers, [called(data, row) for row in range(len(data))]),
    )


def _medians(values: NDArray[np.float64], data: ImageSet) -> dict[str, float]:
    """Of each label that has images."""
    return {
        name: float(np.median(values[held]))
        for name, held in zip(data.label_names, data.labels.T, strict=True)
        if held.any()
    }


def _kinds(headers: Iterable[Header]) -> dict[str, int]:
    return dict(Counter(header.kind for header in headers).most_common())


def _range(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.quantile(values, [0, 0.5, 1])]


def _distinct(sizes: NDArray[np.float64]) -> list[list[int]]:
    """Different sizes and how often they occur."""
    values, counts = np.unique(sizes.astype(np.int64), axis=0, return_counts=True)
    kept = spread(len(values), DRAWN)
    return [[*map(int, values[row]), int(counts[row])] for row in kept]
