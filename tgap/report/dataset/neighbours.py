"""Images that resemble those next to them: frames, bursts, slices, channels, edited copies."""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import Images, ImageSet, Indices
from tgap.report.dataset.clips import clips_in
from tgap.report.dataset.samples import called

LOOKED_AT, RUN = 3_000, 100
"""Images that are compared, at most, and of more, how many in a row."""
SIDE = 16
SHARE, CHANCE = 0.25, 1e-6
"""Told if more images are most like one next to them, which chance gives less often than this."""
FEWEST = 5
"""Of fewer images of a label, those next to one another are nearly all."""
FLAT = 1.0
"""Images whose small picture has a smaller standard deviation resemble nothing."""
NAMED = 3


@dataclass(frozen=True)
class Neighbours:
    """Images that resemble one next to them, in the order of names, most of all of their label.

    Args:
        looked_at: How many images were compared.
        alike: How many of them do.
        expected: How many would by chance.
        pairs: Those that resemble each other most.
        clips: Whether they are not most like these, but far more than like images far away.
    """

    looked_at: int
    alike: int
    expected: int
    pairs: list[list[str]]
    clips: bool = False


def neighbours_of(data: ImageSet) -> Neighbours | None:
    """Whether images that are next to each other are too much alike to be independent.

    In no order, the nearest is next to it for two images of a label, on average. Names are ordered
    with numbers in them as numbers, or by the numbers alone (``IMG_7``, ``IMG_E7``). Of a clip's
    frames any may be the nearest: see ``clips_in``.

    Args:
        data: Images whose files are known.

    Returns:
        ``None`` if there is no such finding.
    """
    if "file" not in data.metadata:
        return None
    which = np.unique(data.labels, axis=0, return_inverse=True)[1].ravel()
    names = data.metadata["file"].tolist()
    ordered = np.array(sorted(range(len(data)), key=lambda n: (which[n], _key(names[n]))))
    places = _sample(np.arange(len(data)))
    small, kept = small_pictures(data.images, ordered[places])
    places, small = places[kept], small[kept]
    rows = ordered[places]
    nearest, likeness = _nearest(small, which[rows])
    orders = [
        np.arange(len(rows)),
        np.argsort(
            sorted(range(len(rows)), key=lambda n: (which[rows[n]], _numbers(names[rows[n]])))
        ),
    ]
    known = nearest >= 0
    next_to = max(
        (known & (np.abs(order - order[nearest]) == 1) for order in orders), key=np.count_nonzero
    )
    looked_at, alike = int(known.sum()), int(next_to.sum())
    expected = 2 * len(np.unique(which[rows[known]]))
    if _by_chance(alike, looked_at, expected):
        return _clips(data, rows, small, places)
    return Neighbours(looked_at, alike, expected, _named(data, rows, next_to, nearest, likeness))


def _clips(
    data: ImageSet, rows: Indices, small: NDArray[np.float32], places: Indices
) -> Neighbours | None:
    """Images that go on those before them; ``rows`` and pictures in the order of ``places``."""
    which = np.unique(data.labels, axis=0, return_inverse=True)[1].ravel()
    found = clips_in(small, places, which[rows])
    alike, looked_at = int(found.next_to.sum()), found.looked_at
    if _by_chance(alike, looked_at, found.chance * looked_at):
        return None
    before = np.arange(len(rows)) - 1
    pairs = _named(data, rows, found.next_to, before, found.likeness)
    return Neighbours(looked_at, alike, round(found.chance * looked_at), pairs, clips=True)


def neighbours_of_patients(data: ImageSet) -> Neighbours | None:
    """Whether patients that are next to each other, by their names, are too much alike.

    Then they may be visits, sides or slides of one person. A patient counts once: it is like the
    next one if most of its images are, among all of other patients with the same labels.

    Args:
        data: Images whose patients are numbered in the order of their names.

    Returns:
        ``None`` if there is no such finding, or no patient has several images.
    """
    if len(np.unique(data.patients)) == len(data):
        return None
    which = np.unique(data.labels, axis=0, return_inverse=True)[1].ravel()
    rows = _sample(np.lexsort((data.patients, which)))
    small, kept = small_pictures(data.images, rows)
    rows, small = rows[kept], small[kept]
    groups = data.patients[rows]
    nearest, likeness = _nearest(small, which[rows], groups)
    known = nearest >= 0
    # the place of each patient among those of the label
    pairs = np.unique(np.stack([which[rows], groups], axis=1), axis=0, return_inverse=True)
    place = pairs[1].ravel()
    total = np.bincount(place[known], minlength=len(pairs[0]))
    next_to = known & (np.abs(place - place[nearest]) == 1)
    counted = np.bincount(place[next_to], minlength=len(pairs[0]))
    looked_at, alike = int((total > 0).sum()), int((2 * counted > total).sum())
    expected = 2 * len(np.unique(which[rows[known]]))
    if _by_chance(alike, looked_at, expected):
        return None
    return Neighbours(looked_at, alike, expected, _named(data, rows, next_to, nearest, likeness))


def _by_chance(alike: int, looked_at: int, expected: float) -> bool:
    from scipy.special import bdtrc

    few = alike <= SHARE * looked_at or expected >= looked_at
    return few or bool(bdtrc(alike - 1, looked_at, expected / looked_at) >= CHANCE)


def _named(
    data: ImageSet,
    rows: Indices,
    next_to: NDArray[np.bool_],
    nearest: Indices,
    likeness: NDArray[np.float32],
) -> list[list[str]]:
    """The files of the pairs that resemble each other most."""
    best = np.flatnonzero(next_to)[np.argsort(-likeness[next_to], kind="stable")]
    pairs = dict.fromkeys(tuple(sorted((n, int(nearest[n])))) for n in best.tolist())
    return [[called(data, int(rows[n])) for n in pair] for pair in [*pairs][:NAMED]]


def _key(name: str) -> list[str | int]:
    """Numbers count as numbers: 9 comes before 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdecimal() else part for part in parts]


def _numbers(name: str) -> tuple[list[int], str]:
    return [int(part) for part in re.findall(r"\d+", name.rpartition("/")[2])], name


def _sample(rows: Indices) -> Indices:
    """Rows in runs, evenly spaced, for whose sake neighbours stay next to each other."""
    if len(rows) <= LOOKED_AT:
        return rows
    starts = np.linspace(0, len(rows) - RUN, LOOKED_AT // RUN).astype(np.int64)
    return rows[np.unique(starts[:, None] + np.arange(RUN))]


def small_pictures(images: Images, rows: Indices) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Grey pictures, brightness and contrast aside, and which of them are any.

    Returns:
        ``(N, h, w)``, h and w from SIDE to twice as many, of mean 0 and length 1; ``(N,)``.
    """
    height, width = images.shape[1:3]
    step = max(1, min(height, width) // (4 * SIDE))
    small = np.stack([_mean(images[row, ::step, ::step]) for row in rows])
    deviation = small.std(axis=(1, 2), keepdims=True)
    norm = np.maximum(deviation, FLAT) * np.sqrt(small[0].size)
    unit = (small - small.mean(axis=(1, 2), keepdims=True)) / norm
    return unit.astype(np.float32), deviation.ravel() >= FLAT


def _mean(picture: Images) -> NDArray[np.float64]:
    """Of blocks of pixels and their channels."""
    high, wide = (max(1, side // SIDE) for side in picture.shape[:2])
    rows, columns = picture.shape[0] // high, picture.shape[1] // wide
    blocks = picture[: rows * high, : columns * wide].reshape(rows, high, columns, wide, -1)
    return np.asarray(blocks.mean(axis=(1, 3, 4)))


def _nearest(
    small: NDArray[np.float32], which: Indices, groups: Indices | None = None
) -> tuple[Indices, NDArray[np.float32]]:
    """Of each picture the most alike of its label, -1 for none, and their correlation.

    With ``groups``, those of its own group are left out.
    """
    nearest, likeness = np.full(len(small), -1), np.zeros(len(small), np.float32)
    small = small.reshape(len(small), math.prod(small.shape[1:]))
    for label in np.unique(which):
        rows = np.flatnonzero(which == label)
        if len(rows) >= FEWEST:
            alike = np.abs(small[rows] @ small[rows].T)  # a negative is the same picture too
            np.fill_diagonal(alike, -1)
            if groups is not None:
                alike[groups[rows][:, None] == groups[rows]] = -1
            best = alike.max(axis=1)
            nearest[rows] = np.where(best < 0, -1, rows[alike.argmax(axis=1)])
            likeness[rows] = best
    return nearest, likeness
