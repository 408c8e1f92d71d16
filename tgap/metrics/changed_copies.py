"""Copies changed further than by chance: turned, upside down, inverted, cropped, blurred, erased.

Beside ``tgap.metrics.copies``, which finds lightly changed ones, as a generator makes them.
Nothing is trained: the originals are changed in all these ways and compared with the images.
Pizzi et al. (2022, arXiv 2202.10261) learn a descriptor for this, of millions of photographs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tgap.core import Bools, Floats, Images
from tgap.metrics.copies import Resemblance
from tgap.metrics.overlaying import (
    CANDIDATES,
    CENTRE,
    MARGIN,
    SIDE,
    TINY,
    blurred,
    check_images,
    laid_over,
    reduced,
    relative,
)

if TYPE_CHECKING:
    import torch

ANGLES = (-8, 0, 8)
"""Degrees; laying over finds what lies between them."""
SHIFTS = (-1.5, 0.0, 1.5)
CROPS = {0.85: (-0.7, 0.0, 0.7), 0.75: (-0.9, -0.45, 0.0, 0.45, 0.9)}
"""Shares of the side that a crop leaves, and where it lies, from edge (-1) to edge (1)."""
NEAR, FAINT = 2.5, 8.0
"""Pixels around one within which contrast is made equal, and grey levels that are faint."""
DIMENSIONS = 160
ERASED, BESIDE, STEP = SIDE // 2, 2, 2
"""Side of an erased square, pixels beside it that blurs spoil, and steps of looking for it."""
LEFT = 0.15
"""Of an original's details that must be left beside the erased square."""
FINE = 1.0
"""Pixels; what a blur of this standard deviation leaves is not compared beside an erased square."""
_QUERIES, _PAIRS, _PICTURES = 256, 2048, 64


class _Pose(NamedTuple):
    angle: float
    crop: float
    down: float
    right: float


class _Near(NamedTuple):
    """``(N, K)`` nearest originals in no order, and how each is changed to be near."""

    original: "torch.Tensor"
    change: "torch.Tensor"


class Originals:
    """Images whose changed copies are looked for, made ready once for any number of searches.

    1. *Turned and cropped.* Originals are turned by up to some 10 degrees, shifted, and cropped to
       85 and 75 % at places all over; images are turned by right angles, mirrored and inverted.
       All pairs are compared in whitened principal components of pictures whose contrast is equal
       everywhere; the image is laid over its 8 nearest, which may be blurred, and may turn in
       doing so.
    2. *Erased.* Pairs are compared without one of nine squares, and the 8 nearest without every
       square of a quarter of the area, at the best of which they are judged, the more strictly the
       less is left.

    The larger of the two similarities counts. 488 comparisons with every original: 1,000 images
    and 1,000 originals take some 5 s on a core, of which making the originals ready takes one; the
    memory is 32 kB an original and blocks of 256 x M.

    Args:
        originals: ``(M, H, W, C)`` uint8, M >= 1, no two equal.
        mirror: Whether mirror images count.

    Raises:
        ContractError: If there are no originals, or they are not images.
    """

    def __init__(self, originals: Images, mirror: bool = True) -> None:
        import torch

        check_images(originals, "originals", least=1)
        self._small, self._mirror = torch.from_numpy(reduced(originals)), mirror
        self._poses = _poses()
        self._whiten, self._posed = _whitened(self._small, self._poses)
        self._squares = _squares((1, 8, 15), 1)
        even = _even(self._small)
        self._without = [_coarse(even * square) for square in self._squares]

    def resemblance(self, images: Images) -> Resemblance:
        """How much each image resembles a changed original, as ``copies.resemblance`` tells it.

        Args:
            images: ``(N, H, W, C)`` uint8.

        Returns:
            At most 1; whose copy it may be; whether its mirror image is (upside down is mirrored,
            too).

        Raises:
            ContractError: If they are not images.
        """
        import torch

        check_images(images, "images")
        small = torch.from_numpy(reduced(images))
        return larger(self._turned(small), self._erased(small))

    def _turned(self, images: "torch.Tensor") -> Resemblance:
        near = self._nearest_poses(images)
        count = near.original.shape[1]
        change = near.change.reshape(-1)
        symmetry, pose = change // 2 // len(self._poses), change // 2 % len(self._poses)
        rows = np.repeat(np.arange(len(images)), count)
        correlations = np.empty(len(rows), np.float32)
        for begin in range(0, len(rows), _PAIRS):
            block = slice(begin, begin + _PAIRS)
            moving, fixed = images[rows[block]], self._small[near.original.reshape(-1)[block]]
            for number in symmetry[block].unique().tolist():
                of_pair = symmetry[block] == number
                moving[of_pair] = _symmetric(moving[of_pair], number)
            for number in pose[block].unique().tolist():
                of_pair = pose[block] == number
                fixed[of_pair] = _posed(fixed[of_pair], self._poses[number])
            inverted = change[block] % 2 == 1
            moving[inverted] = -moving[inverted]
            correlations[block] = laid_over(moving.numpy(), fixed.numpy(), changed=True)
        mirrored = (symmetry >= 4).reshape(-1, count).numpy()
        return _best(correlations.reshape(-1, count), near, mirrored)

    def _nearest_poses(self, images: "torch.Tensor") -> _Near:
        """A change is ``2 (symmetry * poses + pose) + inverted``."""
        from torch.nn.functional import normalize

        found = _no_pairs(len(images), len(self._small))
        for begin in range(0, len(images), _QUERIES):
            block = images[begin : begin + _QUERIES]
            vectors = [
                normalize(_coarse(_even(_symmetric(block, number))) @ self._whiten, dim=1, eps=TINY)
                for number in range(8 if self._mirror else 4)
            ]
            rows = slice(begin, begin + len(block))
            found.original[rows] = _nearest(vectors, self._posed, found.original.shape[1])
            found.change[rows] = _changes(vectors, self._posed, found.original[rows])
        return found

    def _erased(self, images: "torch.Tensor") -> Resemblance:
        import torch

        near = self._nearest_without(images)
        count = near.original.shape[1]
        rows = torch.arange(len(images)).repeat_interleave(count)
        mirrored = near.change == 1
        squares = _squares(range(0, SIDE - ERASED + 1, STEP), BESIDE)
        kept = squares[:, MARGIN:-MARGIN, MARGIN:-MARGIN].flatten(1).T.contiguous()
        correlations = np.empty(len(rows), np.float32)
        for begin in range(0, len(rows), _PAIRS):
            block = slice(begin, begin + _PAIRS)
            moving, fixed = images[rows[block]], self._small[near.original.reshape(-1)[block]]
            flipped = mirrored.reshape(-1)[block]
            moving[flipped] = moving[flipped].flip(-1)
            correlations[block] = _alike_without(_fine(moving), _fine(fixed), kept).numpy()
        return _best(correlations.reshape(-1, count), near, mirrored.numpy())

    def _nearest_without(self, images: "torch.Tensor") -> _Near:
        """A change is whether it is mirrored."""
        import torch

        found = _no_pairs(len(images), len(self._small))
        for begin in range(0, len(images), _QUERIES):
            block = images[begin : begin + _QUERIES]
            nearness = torch.full((len(block), len(self._small)), -2.0)
            nearer = torch.zeros(nearness.shape, dtype=torch.bool)
            for mirrored in (False, True)[: 1 + self._mirror]:
                seen = _even(block.flip(-1) if mirrored else block)
                before = nearness.clone()
                for square, reference in zip(self._squares, self._without, strict=True):
                    torch.maximum(nearness, _coarse(seen * square) @ reference.T, out=nearness)
                if mirrored:
                    nearer = nearness > before
            rows = slice(begin, begin + len(block))
            found.original[rows] = nearness.topk(found.original.shape[1], dim=1).indices
            found.change[rows] = nearer.gather(1, found.original[rows]).long()
        return found


def larger(one: Resemblance, other: Resemblance) -> Resemblance:
    """Of each image the resemblance that is larger."""
    second = other.similarity > one.similarity
    return Resemblance(
        np.where(second, other.similarity, one.similarity),
        np.where(second, other.original, one.original),
        np.where(second, other.mirrored, one.mirrored),
    )


def _best(correlations: Floats, near: _Near, mirrored: Bools) -> Resemblance:
    best, each = correlations.argmax(axis=1), np.arange(len(correlations))
    original = near.original.numpy()[each, best]
    return Resemblance(relative(correlations), original, mirrored[each, best])


def _poses() -> list[_Pose]:
    upright = [
        _Pose(angle, 1, down, right) for angle in ANGLES for down in SHIFTS for right in SHIFTS
    ]
    return upright + [
        _Pose(0, crop, (1 - crop) * SIDE / 2 * down, (1 - crop) * SIDE / 2 * right)
        for crop, places in CROPS.items()
        for down in places
        for right in places
    ]


def _posed(images: "torch.Tensor", pose: _Pose) -> "torch.Tensor":
    """``(N, 32, 32)``: turned, or cropped and enlarged again."""
    import torch
    from torch.nn.functional import grid_sample

    grid = torch.arange(SIDE) - CENTRE
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    angle = np.deg2rad(pose.angle)
    along, across = pose.crop * np.cos(angle), pose.crop * np.sin(angle)
    places = [along * x - across * y + pose.right, across * x + along * y + pose.down]
    wanted = (torch.stack(places, dim=2) / CENTRE).float().expand(len(images), -1, -1, -1)
    return grid_sample(images[:, None], wanted, align_corners=True, padding_mode="border")[:, 0]


def _symmetric(images: "torch.Tensor", number: int) -> "torch.Tensor":
    """One of the square's eight symmetries; from 4 on they are mirrored."""
    import torch

    return torch.rot90(images.flip(-1) if number >= 4 else images, number % 4, (-2, -1))


def _even(images: "torch.Tensor") -> "torch.Tensor":
    """The same contrast everywhere, so that no part of a picture drowns the others."""
    details = images - blurred(images, NEAR)
    return details / (blurred(details**2, NEAR).clamp(min=0).sqrt() + FAINT)


def _coarse(images: "torch.Tensor") -> "torch.Tensor":
    from torch.nn.functional import avg_pool2d, normalize

    return normalize(avg_pool2d(images[:, None], 2).flatten(1), dim=1, eps=TINY)


def _whitened(
    originals: "torch.Tensor", poses: Sequence[_Pose]
) -> "tuple[torch.Tensor, list[torch.Tensor]]":
    """What whitens vectors, and those of all originals in each pose, ``(M, 160)`` of length 1."""
    import torch
    from torch.nn.functional import normalize

    posed = [_vectors(originals, pose) for pose in poses]
    # Without a mean, so that the inverted picture is the negative vector.
    moments = sum((one.T @ one).double() for one in posed) / (len(posed) * len(originals))
    variances, axes = torch.linalg.eigh(moments)
    raised = variances.clamp(min=0) + 0.05 * variances.mean().clamp(min=TINY**2)
    whiten = (axes / raised.sqrt()).float()[:, -DIMENSIONS:]
    return whiten, [normalize(one @ whiten, dim=1, eps=TINY) for one in posed]


def _vectors(originals: "torch.Tensor", pose: _Pose) -> "torch.Tensor":
    """A few originals at a time, whose pictures stay in a processor's cache."""
    import torch

    return torch.cat([_coarse(_even(_posed(few, pose))) for few in originals.split(_PICTURES)])


def _nearest(
    vectors: "Sequence[torch.Tensor]", references: "Sequence[torch.Tensor]", count: int
) -> "torch.Tensor":
    """``(Q, count)`` originals with the largest cosine's size over all changes, in no order.

    By which change is not kept here, since that would take as long as the cosines: it is found for
    the few nearest alone.
    """
    import torch

    nearness = np.full((len(vectors[0]), len(references[0])), -1, np.float32)
    size = np.empty_like(nearness)
    for reference in references:
        for symmetric in vectors:
            np.matmul(symmetric.numpy(), reference.numpy().T, out=size)
            np.abs(size, out=size)
            np.maximum(nearness, size, out=nearness)
    return torch.from_numpy(nearness).topk(count, dim=1).indices


def _changes(
    vectors: "Sequence[torch.Tensor]",
    references: "Sequence[torch.Tensor]",
    originals: "torch.Tensor",
) -> "torch.Tensor":
    """``(Q, K)``: the change with the largest cosine of each image with each of its originals."""
    import torch

    symmetric = torch.stack(list(vectors), dim=1)
    cosines = torch.stack([symmetric @ one[originals].mT for one in references], dim=2)
    of_pairs = cosines.flatten(1, 2).mT
    sizes = of_pairs.abs().numpy()
    best = torch.from_numpy(sizes.argmax(axis=2))  # of equal ones the first
    inverted = of_pairs.gather(2, best[:, :, None])[:, :, 0] < 0
    return 2 * best + inverted


def _no_pairs(images: int, originals: int) -> _Near:
    import torch

    count = min(CANDIDATES, originals)
    return _Near(*(torch.zeros(images, count, dtype=torch.int64) for _ in range(2)))


def _squares(places: Sequence[int], beside: int) -> "torch.Tensor":
    """``(S, 32, 32)``: 0 in a square and beside it, 1 elsewhere."""
    import torch

    kept = torch.ones(len(places), len(places), SIDE, SIDE)
    for row, top in enumerate(places):
        for column, left in enumerate(places):
            down, right = (slice(max(0, at - beside), at + ERASED + beside) for at in (top, left))
            kept[row, column, down, right] = 0
    return kept.flatten(0, 1)


def _fine(images: "torch.Tensor") -> "torch.Tensor":
    return (images - blurred(images, FINE))[:, MARGIN:-MARGIN, MARGIN:-MARGIN].flatten(1)


def _alike_without(
    images: "torch.Tensor", originals: "torch.Tensor", kept: "torch.Tensor"
) -> "torch.Tensor":
    """``(P,)``: the largest correlation over ``(pixels, S)`` masks that leave enough to compare.

    Its distance from 1 is divided by the square root of the share of details that is left, because
    little is more easily alike by chance.
    """
    count, least = kept.sum(dim=0), 1.0
    x, y = images @ kept, originals @ kept
    xx = ((images**2) @ kept - x**2 / count).clamp(min=least)
    yy = ((originals**2) @ kept - y**2 / count).clamp(min=least)
    correlation = ((images * originals) @ kept - x * y / count) / (xx * yy).sqrt()
    left = yy / (originals**2).sum(dim=1, keepdim=True).clamp(min=least)
    alike = 1 - (1 - correlation) / left.clamp(min=TINY, max=1).sqrt()
    return alike.masked_fill(left < LEFT, -1).max(dim=1).values
