"""Images of different patients that are nearly the same: one film under two names, resized, coded.

Told before a run too, so nothing but small pictures is compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import Images, ImageSet, Indices
from tgap.core.arrays import spread
from tgap.core.digest import image_digests
from tgap.report.dataset.neighbours import small_pictures
from tgap.report.dataset.samples import called

LOOKED_AT = 6_000
"""Images that are compared, at most."""
ALIKE, NEARER = 0.9, 0.3
"""Correlation of nearly equal pictures, and its distance from 1 over that of the next ones'."""
OTHERS = 8
SHARE = 0.01
"""Of the images that are compared; as many handwritten digits are alike as a third of this."""
NAMED = 3
_BLOCK = 1024


@dataclass(frozen=True)
class Duplicates:
    """Images that nearly equal one of another patient, if they are more than chance explains.

    Args:
        looked_at: How many images were compared.
        alike: How many of them do.
        across: How many nearly equal one on another side of the split.
        pairs: The most alike.
    """

    looked_at: int
    alike: int
    across: int
    pairs: list[list[str]]

    def __str__(self) -> str:
        return (
            f"{self.alike:,} of {self.looked_at:,} images nearly equal one of another patient, "
            f"{self.across:,} of them one on another side of the split"
        )


def duplicates_of(data: ImageSet, sides: Sequence[Indices]) -> Duplicates | None:
    """Look for images of different patients that are nearly the same, not pixel by pixel.

    Args:
        data: All images.
        sides: Positions of each side of the split.

    Returns:
        ``None`` below 1 %.
    """
    rows = _distinct(data.images, spread(len(data), LOOKED_AT))
    side = np.full(len(data), -1)
    for number, of_side in enumerate(sides):
        side[of_side] = number
    pictures, kept = small_pictures(data.images, rows)
    rows = rows[kept]
    pairs = rows[near_duplicates(pictures[kept], data.patients[rows])]
    if len(pairs) <= SHARE * len(rows):
        return None
    across = int((side[pairs[:, 0]] != side[pairs[:, 1]]).sum())
    each = dict.fromkeys(tuple(sorted(pair)) for pair in pairs.tolist())
    named = [[called(data, row) for row in pair] for pair in [*each][:NAMED]]
    return Duplicates(len(rows), len(pairs), across, named)


def copies_elsewhere(images: Images, others: Images) -> int:
    """How many images nearly equal one of the others, of whatever size."""
    rows = [_distinct(one, spread(len(one), LOOKED_AT // 2)) for one in (images, others)]
    parts = [
        small_pictures(one, of_one) for one, of_one in zip((images, others), rows, strict=True)
    ]
    pictures, kept = (np.concatenate(both) for both in zip(*parts, strict=True))
    ours = (np.arange(len(kept)) < len(rows[0]))[kept]
    pairs = near_duplicates(pictures[kept], ours.astype(np.int64))
    return int(ours[pairs[:, 0]].sum())


def near_duplicates(pictures: NDArray[np.float32], groups: Indices) -> Indices:
    """Pictures that are far more like one of another group than like any further one.

    In whitened principal components, since what all pictures have in common tells nothing.

    Args:
        pictures: ``(N, d)``, each of mean 0.
        groups: ``(N,)``.

    Returns:
        ``(P, 2)``: each such picture and what it is like, the most alike first.
    """
    if len(pictures) < OTHERS + 1:
        return np.zeros((0, 2), np.int64)
    variances, axes = np.linalg.eigh(pictures.T @ pictures / len(pictures))
    vectors = pictures @ (axes / np.sqrt(variances.clip(0) + 0.05 * variances.mean()))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-6)
    found = []
    for begin in range(0, len(vectors), _BLOCK):
        alike = vectors[begin : begin + _BLOCK] @ vectors.T
        alike[groups[begin : begin + _BLOCK, None] == groups] = -1
        top = np.argpartition(alike, -OTHERS, axis=1)[:, -OTHERS:]
        values = np.take_along_axis(alike, top, axis=1)
        first = values.argmax(axis=1)
        largest = values.max(axis=1)
        usual = np.median(np.sort(values, axis=1)[:, :-1], axis=1)
        near = (largest >= ALIKE) & (1 - largest <= NEARER * (1 - usual))
        for row in np.flatnonzero(near):
            found.append((-largest[row], begin + row, top[row, first[row]]))
    return np.array([pair for _, *pair in sorted(found)], np.int64).reshape(-1, 2)


def _distinct(images: Images, rows: Indices) -> Indices:
    """Copies pixel by pixel are told of elsewhere."""
    first = dict(reversed(list(zip(_digests(images, rows), rows.tolist(), strict=True))))
    return np.array(sorted(first.values()), np.int64)


def _digests(images: Images, rows: Indices) -> Iterator[bytes]:
    for begin in range(0, len(rows), _BLOCK):
        yield from image_digests(images[rows[begin : begin + _BLOCK]])
