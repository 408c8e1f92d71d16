"""Whether an image is, nearly, one of a set of originals: shifted, zoomed, mirrored, re-coded.

An embedder that was trained to see what matters takes such changes and other images of the same
kind for alike; here the images are laid over each other instead, so nothing need be trained.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ContractError, Floats, Images, Indices
from tgap.core.digest import image_digests

if TYPE_CHECKING:
    import torch

SIDE = 32
"""Height and width that images are compared at."""
MARGIN = 3
"""Pixels of an original's edge that are not compared, since a shifted copy may lack them."""
CANDIDATES = 8
"""Originals that an image is laid over."""
SHIFTS = (-2, -1, 0, 1, 2)
"""Pixels by which an image is shifted to look for candidates, down and to the right."""
STEPS = 6
"""Gauss-Newton steps of laying over."""
FURTHEST = 0.11
"""Of the side: the largest shift, and the largest movement of an edge by zooming."""
SMOOTH = 0.6
"""Pixels; standard deviation of a blur of all images, as resampling blurs some of them anyway."""
DETAIL = 1.5
"""Pixels; what a blur of this standard deviation leaves of an image is not compared."""
_QUERIES = 256
_PAIRS = 1024
_PIXELS = 2**22
_TINY = 1e-3


class Resemblance(NamedTuple):
    """For each image the original that it resembles most.

    Args:
        similarity: ``(N,)`` float32, at most 1.
        original: ``(N,)`` int64.
        mirrored: ``(N,)`` bool, whether it is the image's mirror image that resembles it.
    """

    similarity: Floats
    original: Indices
    mirrored: Bools


def distinct(images: Images) -> Indices:
    """``(M,)`` int64, sorted: the first of each content, pixel for pixel.

    >>> distinct(np.array([7, 0, 7], np.uint8).reshape(3, 1, 1, 1)).tolist()
    [0, 1]
    """
    first: dict[bytes, int] = {}
    for position, digest in enumerate(image_digests(images)):
        first.setdefault(digest, position)
    return np.array(list(first.values()), dtype=np.int64)


def resemblance(images: Images, originals: Images, mirror: bool = True) -> Resemblance:
    """How much each image resembles the original that it resembles most.

    1. All are reduced to 32 x 32 grey pixels. Contrast and brightness never count: every
       comparison is a correlation.
    2. The image, shifted to all sides and mirrored, is compared coarsely with every original, in
       the whitened principal components of the originals, because what all images of a domain
       have in common tells nothing. The 8 nearest are its candidates.
    3. It is laid over each candidate: the shift and zoom with the highest correlation, by
       Gauss-Newton steps (Lucas & Kanade 1981; inverse compositional with gain and bias projected
       out, Baker & Matthews, IJCV 2004). Edges are left out.
    4. ``s``, a candidate's correlation after that, is taken of what a blur removes, since strokes
       and edges tell two images apart better than shapes do.
    5. ``similarity = 1 - (1 - s_best) / sqrt(1 - s_other)``, ``s_other`` the median of the other
       candidates (0 if there are none). A copy is nearer to its original than images of that kind
       are to each other; dividing by all of ``1 - s_other`` would be Lowe's ratio (IJCV 2004), or
       nearly Carlini et al.'s (2023, arXiv 2301.13188), dividing by nothing a plain distance. In
       between both are beaten, on digits and on X-ray phantoms. The median lets a few originals
       be nearly alike (one person's); where more than half of the candidates are, only copies
       without changes stand out.

    An image or original without any detail, e.g. black, resembles nothing: ``s`` is 0.

    O(N M); memory is that of the reduced images and blocks of 256 x M.

    Args:
        images: ``(N, H, W, C)`` uint8.
        originals: ``(M, H, W, C)`` uint8 of any size and number of channels, M >= 1. Equal ones
            should be one (``distinct``), or an image resembles none of them more than another.
        mirror: Whether mirror images (left to right) count.

    Returns:
        Similarity 1 for an equal image, and whose it is.

    Raises:
        ContractError: If there are no originals, or arrays are not images.
    """
    _check(images, "images")
    _check(originals, "originals")
    if len(originals) == 0:
        raise ContractError("originals must be at least one image, got none")
    reduced, references = _reduced(images), _reduced(originals)
    candidates, mirrored = _candidates(reduced, references, mirror)
    count = candidates.shape[1]
    rows = np.repeat(np.arange(len(images)), count)
    laid_over = np.empty(len(rows), np.float32)
    for begin in range(0, len(rows), _PAIRS):
        block = slice(begin, begin + _PAIRS)
        queries = reduced[rows[block]]
        flipped = mirrored.ravel()[block]
        queries[flipped] = queries[flipped, :, ::-1]
        laid_over[block] = _laid_over(queries, references[candidates.ravel()[block]])
    correlations = laid_over.reshape(candidates.shape)
    best = correlations.argmax(axis=1)
    each = np.arange(len(images))
    return Resemblance(
        similarity=_relative(correlations),
        original=candidates[each, best],
        mirrored=mirrored[each, best],
    )


def threshold(similarity: Floats, false_alarms: float) -> float:
    """The least similarity that further images of the same kind exceed rarely enough.

    The k-th largest of n is exceeded by the next image with a chance of ``k / (n + 1)``, if images
    come independently of each other (split conformal prediction; Vovk et al. 2005). So k is the
    largest with ``k / (n + 1) <= false_alarms``.

    Args:
        similarity: ``(N,)``, of images that are known to be no copies.
        false_alarms: In (0, 1).

    Returns:
        One of the similarities; NaN below ``1 / false_alarms - 1`` images, which cannot tell.

    >>> threshold(np.arange(199, dtype=np.float32), 0.01)
    197.0
    """
    count = int(false_alarms * (len(similarity) + 1) + 1e-9)
    return float(np.sort(similarity)[-count]) if count else float("nan")


def _check(images: Images, name: str) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
        raise ContractError(f"{name} must be (N, H, W, C) uint8, got {images.shape} {images.dtype}")


def _reduced(images: Images) -> Floats:
    """``(N, 32, 32)`` float32, channels averaged, a little blurred."""
    import torch
    from torch.nn.functional import interpolate

    reduced = np.empty((len(images), SIDE, SIDE), np.float32)
    step = max(1, _PIXELS // (images.shape[1] * images.shape[2]))
    for begin in range(0, len(images), step):
        grey = torch.from_numpy(images[begin : begin + step].mean(axis=3, dtype=np.float32))
        small = interpolate(grey[:, None], size=(SIDE, SIDE), mode="bilinear", antialias=True)
        reduced[begin : begin + step] = _blurred(small[:, 0], SMOOTH).numpy()
    return reduced


def _candidates(images: Floats, originals: Floats, mirror: bool) -> tuple[Indices, Bools]:
    """``(N, K)``: nearest originals in no order, and whether it is the mirror image that is near.

    Args:
        images: ``(N, 32, 32)`` float32.
        originals: ``(M, 32, 32)`` float32.
        mirror: Whether mirror images count.
    """
    count = min(CANDIDATES, len(originals))
    nearest = np.empty((len(images), count), np.int64)
    mirrored = np.zeros((len(images), count), np.bool_)
    whiten = _whitening(_coarse(originals))
    references = _unit(whiten(_coarse(originals))).T.copy()
    for begin in range(0, len(images), _QUERIES):
        block = slice(begin, begin + _QUERIES)
        nearness = _nearness(images[block], references, whiten)
        if mirror:
            other = _nearness(images[block, :, ::-1], references, whiten)
            nearer = other > nearness
            np.maximum(nearness, other, out=nearness)
        top = np.argpartition(nearness, -count, axis=1)[:, -count:]
        nearest[block] = top
        if mirror:
            mirrored[block] = np.take_along_axis(nearer, top, axis=1)
    return nearest, mirrored


def _nearness(images: Floats, references: Floats, whiten: "_Whitening") -> Floats:
    """``(N, M)``: the largest cosine over all shifts of the images."""
    most = max(SHIFTS)
    padded = np.pad(images, ((0, 0), (most, most), (most, most)), mode="edge")
    nearness = np.full((len(images), references.shape[1]), -np.inf, np.float32)
    for down in SHIFTS:
        for right in SHIFTS:
            top, left = most + down, most + right
            shifted = padded[:, top : top + SIDE, left : left + SIDE]
            vectors = _unit(whiten(_coarse(shifted)))
            np.maximum(nearness, vectors @ references, out=nearness)
    return nearness


class _Whitening(NamedTuple):
    mean: Floats
    matrix: Floats

    def __call__(self, vectors: Floats) -> Floats:
        return _float32((vectors - self.mean) @ self.matrix)


def _whitening(vectors: Floats) -> _Whitening:
    """Principal components of ``(M, d)`` vectors, scaled to nearly the same variance.

    Variances are raised by a twentieth of their mean, so that noise is not blown up.
    """
    mean = vectors.mean(axis=0)
    centred = (vectors - mean).astype(np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
    raised = variances.clip(0) + 0.05 * max(variances.mean(), _TINY**2)
    return _Whitening(mean, (axes / np.sqrt(raised)).astype(np.float32))


def _coarse(images: Floats) -> Floats:
    """``(N, 256)``: sums of 2 x 2 pixels, mean 0 and length 1; zeros for a constant image."""
    rows = images[:, ::2] + images[:, 1::2]
    flat = (rows[:, :, ::2] + rows[:, :, 1::2]).reshape(len(images), -1)
    return _unit(flat - flat.mean(axis=1, keepdims=True))


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return _float32(vectors / np.where(lengths > _TINY, lengths, np.inf))


def _float32(array: NDArray[np.floating]) -> Floats:
    return array.astype(np.float32, copy=False)


def _laid_over(images: Floats, originals: Floats) -> Floats:
    """``(P,)``: correlation of the details of each pair, after the best shift and zoom."""
    import torch

    with torch.no_grad():
        moving, fixed = torch.from_numpy(images), torch.from_numpy(originals)
        grid = torch.arange(MARGIN, SIDE - MARGIN) - (SIDE - 1) / 2
        y, x = (axis.reshape(-1) for axis in torch.meshgrid(grid, grid, indexing="ij"))
        window = _window(fixed)
        target, length = _standardised(window)
        # How the window changes, per pixel, as the original moves right, down, and grows.
        down, right = (_window(one) / length for one in torch.gradient(fixed, dim=(1, 2)))
        reach = SIDE / 2
        slopes = torch.stack([right, down, (right * x + down * y) / reach], dim=1)
        slopes = slopes - slopes.mean(dim=2, keepdim=True)
        slopes = slopes - (slopes @ target[:, :, None]) * target[:, None]
        curvature = slopes @ slopes.mT + 1e-4 * torch.eye(3)
        moves = torch.zeros(len(images), 3)
        best = torch.full((len(images),), -1.0)
        overlaid = torch.zeros_like(target)
        for _ in range(STEPS + 1):
            seen, _ = _standardised(_sampled(moving, x, y, moves, reach))
            correlation = (seen * target).sum(dim=1)
            overlaid = torch.where((correlation > best)[:, None], seen, overlaid)
            best = torch.maximum(correlation, best)
            error = seen / correlation.clamp(min=0.2)[:, None] - target
            step = torch.linalg.solve(curvature, slopes @ error[:, :, None])[:, :, 0]
            moves = (moves - step).clamp(-FURTHEST * SIDE, FURTHEST * SIDE)
        correlations: Floats = (_details(overlaid) * _details(target)).sum(dim=1).numpy()
    return correlations


def _sampled(
    images: "torch.Tensor",
    x: "torch.Tensor",
    y: "torch.Tensor",
    moves: "torch.Tensor",
    reach: float,
) -> "torch.Tensor":
    """``(P, pixels)``: images at ``(x, y)``, zoomed and shifted by ``moves``."""
    import torch
    from torch.nn.functional import grid_sample

    zoom = torch.exp(moves[:, 2:] / reach)
    places = torch.stack([x * zoom + moves[:, :1], y * zoom + moves[:, 1:2]], dim=2)
    return grid_sample(
        images[:, None],
        places[:, None] / ((SIDE - 1) / 2),
        align_corners=True,
        padding_mode="border",
    )[:, 0, 0]


def _window(images: "torch.Tensor") -> "torch.Tensor":
    return images[:, MARGIN:-MARGIN, MARGIN:-MARGIN].reshape(len(images), -1)


def _standardised(flat: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Mean 0 and length 1, and the length before; a constant image becomes zeros."""
    centred = flat - flat.mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    divisor = length.masked_fill(length < _TINY, float("inf"))
    return centred / divisor, divisor


def _details(windows: "torch.Tensor") -> "torch.Tensor":
    """``(P, pixels)`` standardised: without what a Gaussian blur leaves."""
    side = SIDE - 2 * MARGIN
    images = windows.reshape(len(windows), side, side)
    return _standardised((images - _blurred(images, DETAIL)).reshape(len(windows), -1))[0]


def _blurred(images: "torch.Tensor", deviation: float) -> "torch.Tensor":
    """``(N, n, n)`` Gaussian means; at the edges of fewer pixels."""
    import torch

    along = torch.arange(images.shape[-1], dtype=torch.float32)
    blur = torch.exp(-(((along - along[:, None]) / deviation) ** 2) / 2)
    blur = blur / blur.sum(dim=1, keepdim=True)
    return blur @ images @ blur.mT


def _relative(correlations: Floats) -> Floats:
    """``(N,)`` similarities from ``(N, K)`` correlations, see ``resemblance``."""
    ordered = np.sort(correlations, axis=1)
    best = ordered[:, -1]
    others = ordered[:, :-1]
    other = np.median(others, axis=1) if others.shape[1] else np.zeros_like(best)
    distance = np.maximum(1 - best, 0)  # rounding may lift a correlation above 1
    return _float32(1 - distance / np.sqrt(np.maximum(1 - other, _TINY)))
