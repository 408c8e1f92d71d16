"""Images of different patients that are nearly the same: one film under two names, resized, coded,
mirrored or turned.

Told before a run too, so nothing but small pictures is compared; where no patients are known, some
are laid over each other, since films of one patient may be shifted too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import Images, ImageSet, Indices
from tgap.core.digest import image_digests
from tgap.datasets.base import OWN_PATIENTS
from tgap.metrics.copies import resemblance_among
from tgap.report.dataset.neighbours import small_pictures
from tgap.report.dataset.samples import called

SEARCH = 2
"""Version of what is found, which is kept."""
FEWEST_FILMS, FILMS = 100, 500
"""Images that are laid over each other, at least (fewer do not tell what is usual) and at most."""
ONE_FILM = 0.96
"""How much two of one film resemble each other: of 1,000 digits of different writers, none do."""
ALL_ALIKE, SHARE_OF_FILMS = 0.93, 0.1
"""Where images usually correlate as much as this with others that are like them, as parts before a
fixed camera or road signs do, films of one are no more alike than films of two (X-ray phantoms:
.90). Of ellipses of random axes a tenth resemble another one by chance as films of one do."""
LOOKED_AT = 6_000
"""Images that are compared, at most; drawn at random, as copies may stand in any order."""
ALIKE, NEARER = 0.9, 0.3
"""Correlation of nearly equal pictures, and its distance from 1 over that of the next ones'."""
OTHERS = 8
SHARE = 0.01
"""Of the images that are compared; as many handwritten digits are alike as a third of this."""
TIMES = 2
"""Copies in one pose are so many times those as they are: round things look alike in all poses."""
POSES = (
    "",
    "turned by 90 degrees",
    "turned by 180 degrees",
    "turned by 270 degrees",
    "mirrored",
    "mirrored and turned by 90 degrees",
    "mirrored top to bottom",
    "mirrored and turned by 270 degrees",
)
NAMED = 3
_BLOCK = 1024


@dataclass(frozen=True)
class Duplicates:
    """Images that nearly equal one of another patient, if they are more than chance explains.

    Args:
        looked_at: How many images were compared.
        alike: How many of them do.
        posed: How many of these do once they are mirrored or turned by right angles.
        across: How many nearly equal one on another side of the split.
        pairs: The most alike, and in what pose the first equals the second, in words.
        disputed: How many pairs have different labels.
        disputed_pairs: The most alike of these, each image with its labels.
    """

    looked_at: int
    alike: int
    posed: int
    across: int
    pairs: list[list[str]]
    disputed: int
    disputed_pairs: list[list[str]]

    @property
    def share(self) -> float:
        """Of the images that were compared."""
        return self.alike / self.looked_at

    def __str__(self) -> str:
        how = f" ({self.posed:,} of them mirrored or turned)" if self.posed else ""
        return (
            f"{self.alike:,} of {self.looked_at:,} images nearly equal one of another patient{how}"
            f", {self.across:,} of them one on another side of the split"
        )


class Near(NamedTuple):
    """Pictures that are far more like one of another group than like any further one.

    Args:
        pairs: ``(P, 2)``, each such picture and what it is like, the most alike first.
        poses: ``(P,)``, the first one's among ``POSES``.
    """

    pairs: Indices
    poses: Indices


def duplicates_of(data: ImageSet, sides: Sequence[Indices]) -> Duplicates | None:
    """Look for images of different patients that are nearly the same, not pixel by pixel.

    Where no patients are known, a few are looked at for shifted and zoomed films too, and the
    search counts that finds the larger share.

    Args:
        data: All images.
        sides: Positions of each side of the split.

    Returns:
        ``None`` below 1 %; of films, 10 %.
    """
    rows = _distinct(data.images, _drawn(len(data), LOOKED_AT))
    pictures, kept = small_pictures(data.images, rows)
    rows = rows[kept]
    near = _told(data, sides, rows, near_duplicates(pictures[kept], data.patients[rows]))
    if OWN_PATIENTS not in data.notes:
        return near
    few = rows[_drawn(len(rows), FILMS)]
    films = _told(data, sides, few, _one_film(data.images[few]), SHARE_OF_FILMS)
    if films is None or (near is not None and near.share >= films.share):
        return near
    # One person's films, from other days, may show other things: these labels are not disputed.
    disputed = (0, []) if near is None else (near.disputed, near.disputed_pairs)
    return replace(films, disputed=disputed[0], disputed_pairs=disputed[1])


def _one_film(images: Images) -> Near:
    """Images that are another one but for shift, zoom, contrast and noise.

    Of up to five of one film: of more, those that an image resembles most are as near as that one.
    """
    none = Near(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
    if len(images) < FEWEST_FILMS:
        return none
    found = resemblance_among(images, np.arange(len(images)))
    if np.median(found.usual) > ALL_ALIKE:
        return none
    order = np.argsort(-found.similarity, kind="stable")
    rows = order[found.similarity[order] >= ONE_FILM]
    return Near(np.stack([rows, found.original[rows]], axis=1), np.zeros(len(rows), np.int64))


def _told(
    data: ImageSet, sides: Sequence[Indices], rows: Indices, near: Near, share: float = SHARE
) -> Duplicates | None:
    """What was found among some images, in words; ``None`` below a share of them."""
    if len(near.pairs) <= share * len(rows):
        return None
    side = np.full(len(data), -1)
    for number, of_side in enumerate(sides):
        side[of_side] = number
    pairs = rows[near.pairs]
    across = int((side[pairs[:, 0]] != side[pairs[:, 1]]).sum())
    each: dict[tuple[int, int], list[str]] = {}
    for pair, pose in zip(pairs.tolist(), near.poses.tolist(), strict=True):
        names = [called(data, row) for row in pair] if len(each) < NAMED else []
        each.setdefault((min(pair), max(pair)), [*names, POSES[pose]])
    posed = int((near.poses > 0).sum())
    unlike = [pair for pair in each if (data.labels[pair[0]] != data.labels[pair[1]]).any()]
    return Duplicates(
        len(rows),
        len(pairs),
        posed,
        across,
        list(each.values())[:NAMED],
        len(unlike),
        [[_labelled(data, row) for row in pair] for pair in unlike[:NAMED]],
    )


def _labelled(data: ImageSet, row: int) -> str:
    """An image's name and labels."""
    labels = [data.label_names[n] for n in np.flatnonzero(data.labels[row]).tolist()]
    return f"{called(data, row)} ({', '.join(labels) or 'none'})"


def copies_elsewhere(images: Images, others: Images) -> int:
    """How many images nearly equal one of the others, of whatever size and in whatever pose."""
    rows = [_distinct(one, _drawn(len(one), LOOKED_AT // 2)) for one in (images, others)]
    parts = [
        small_pictures(one, of_one) for one, of_one in zip((images, others), rows, strict=True)
    ]
    pictures, kept = (np.concatenate(both) for both in zip(*parts, strict=True))
    ours = (np.arange(len(kept)) < len(rows[0]))[kept]
    near = near_duplicates(pictures[kept], ours.astype(np.int64))
    return int(ours[near.pairs[:, 0]].sum())


def near_duplicates(pictures: NDArray[np.float32], groups: Indices) -> Near:
    """Pictures that nearly equal one of another group, as they are, mirrored or turned.

    In whitened principal components, since what all pictures have in common tells nothing. Poses
    count if one of them has ``TIMES`` as many pairs as there are without: among things that look
    alike in all poses, chance finds as many in each.

    Args:
        pictures: ``(N, h, w)``, each of mean 0; if ``h != w``, nothing is turned by 90 degrees.
        groups: ``(N,)``.
    """
    if len(pictures) < OTHERS + 1:
        return Near(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
    plain = _search(_whitened(pictures, (0,)), groups, (0,))
    square = pictures.shape[1] == pictures.shape[2]
    poses = (1, 2, 3, 4, 5, 6, 7) if square else (2, 4, 6)
    posed = _search(_whitened(pictures, (0, *poses)), groups, poses)
    own = {row for _, row, _, _ in plain}
    posed = [match for match in posed if match[1] not in own]
    each = np.bincount([pose for *_, pose in posed], minlength=len(POSES))
    enough = len(posed) > SHARE * len(pictures) and each.max() > TIMES * len(plain)
    found = sorted([*plain, *(posed if enough else [])])
    pairs = np.array([match[1:] for match in found], np.int64).reshape(-1, 3)
    return Near(pairs[:, :2], pairs[:, 2])


def _posed(pictures: NDArray[np.float32], pose: int) -> NDArray[np.float32]:
    """``(N, h * w)``: pictures mirrored left to right (poses 4 to 7), then turned to the left."""
    mirrored = pictures[:, :, ::-1] if pose >= 4 else pictures
    turned = np.rot90(mirrored, pose % 4, (1, 2))
    return np.ascontiguousarray(turned.reshape(len(pictures), -1))


def _whitened(pictures: NDArray[np.float32], poses: Sequence[int]) -> NDArray[np.float32]:
    """Unit vectors in the form of pictures, whitened over poses, which then can still be turned."""
    flat = [_posed(pictures, pose) for pose in poses]
    variances, axes = np.linalg.eigh(
        sum(each.T @ each for each in flat) / (len(poses) * len(pictures))
    )
    scale = np.sqrt(variances.clip(0) + 0.05 * variances.mean())
    vectors = flat[0] @ ((axes / scale) @ axes.T)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-6)
    return np.asarray(vectors, np.float32).reshape(pictures.shape)


def _search(
    vectors: NDArray[np.float32], groups: Indices, poses: Sequence[int]
) -> list[tuple[float, int, int, int]]:
    """Minus the likeness, position, that of what it is like, and pose of each that is found.

    Of several poses the likeliest counts, and only if it is as much nearer to 1 as the next
    pictures are than the same pair without it: else both are symmetric.
    """
    plain = _posed(vectors, 0)
    found: dict[int, tuple[float, int, int, int]] = {}
    for pose in poses:
        turned = _posed(vectors, pose)
        for begin in range(0, len(vectors), _BLOCK):
            alike = turned[begin : begin + _BLOCK] @ plain.T
            if not pose:
                alike[groups[begin : begin + _BLOCK, None] == groups] = -1
            for row in np.flatnonzero(alike.max(axis=1) >= ALIKE).tolist():
                its = np.where(groups == groups[begin + row], -1, alike[row])
                other = int(its.argmax())
                usual = np.median(np.sort(np.partition(its, -OTHERS)[-OTHERS:])[:-1])
                likeness, least = float(its[other]), 1 - NEARER * (1 - usual)
                if pose:
                    own = float(plain[begin + row] @ plain[other])
                    least = max(least, 1 - NEARER * (1 - own))
                match = (-likeness, begin + row, other, pose)
                if likeness >= max(ALIKE, least):
                    found[begin + row] = min(found.get(begin + row, match), match)
    return list(found.values())


def _drawn(count: int, most: int) -> Indices:
    """Positions, rising: all, or as many as are looked at, always the same."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False)).astype(np.int64)


def _distinct(images: Images, rows: Indices) -> Indices:
    """Copies pixel by pixel are told of elsewhere."""
    first = dict(reversed(list(zip(_digests(images, rows), rows.tolist(), strict=True))))
    return np.array(sorted(first.values()), np.int64)


def _digests(images: Images, rows: Indices) -> Iterator[bytes]:
    for begin in range(0, len(rows), _BLOCK):
        yield from image_digests(images[rows[begin : begin + _BLOCK]])
