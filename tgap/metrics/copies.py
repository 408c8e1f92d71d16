"""Whether an image is, nearly, one of a set of originals: shifted, zoomed, mirrored, re-coded.

An embedder that was trained to see what matters takes such changes and other images of the same
kind for alike; here the images are laid over each other instead, so nothing need be trained.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Floats, Images, Indices
from tgap.core.digest import image_digests
from tgap.metrics.overlaying import (
    CANDIDATES,
    SIDE,
    TINY,
    check_images,
    laid_over,
    reduced,
    relative,
    usual,
)

SHIFTS = (-2, -1, 0, 1, 2)
"""Pixels by which an image is shifted to look for candidates, down and to the right."""
DOUBT = 0.1
"""Chance at most that more images than asked are taken for copies."""
_QUERIES = 256
_PAIRS = 1024


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


class Among(NamedTuple):
    """For each image the one of another group that it resembles most.

    Args:
        similarity: ``(N,)`` float32, at most 1.
        original: ``(N,)`` int64.
        usual: ``(N,)`` float32, the median correlation with the other candidates.
    """

    similarity: Floats
    original: Indices
    usual: Floats


def distinct(images: Images) -> Indices:
    """``(M,)`` int64, sorted: the first of each content, pixel for pixel.

    >>> distinct(np.array([7, 0, 7], np.uint8).reshape(3, 1, 1, 1)).tolist()
    [0, 1]
    """
    first: dict[bytes, int] = {}
    for position, digest in enumerate(image_digests(images)):
        first.setdefault(digest, position)
    return np.array(list(first.values()), dtype=np.int64)


def resemblance_among(images: Images, groups: Indices) -> Among:
    """``resemblance`` of each image to those of other groups, of which two are needed, unmirrored.

    Args:
        images: ``(N, H, W, C)`` uint8.
        groups: ``(N,)``.

    Raises:
        ContractError: If they are not images.
    """
    check_images(images, "images", least=1)
    small = reduced(images)
    found, correlations = _resembled(small, small, groups[:, None] == groups, mirror=False)
    return Among(found.similarity, found.original, usual(correlations))


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
    check_images(images, "images")
    check_images(originals, "originals", least=1)
    return _resembled(reduced(images), reduced(originals), None, mirror)[0]


def _resembled(
    small: Floats, references: Floats, apart: Bools | None, mirror: bool
) -> tuple[Resemblance, Floats]:
    """The same, of reduced ones, and correlations with all candidates, ``(N, K)``.

    Of pairs that are kept apart, ``(N, M)``, nothing is told.
    """
    candidates, mirrored = _candidates(small, references, apart, mirror)
    count = candidates.shape[1]
    rows = np.repeat(np.arange(len(small)), count)
    correlation = np.empty(len(rows), np.float32)
    for begin in range(0, len(rows), _PAIRS):
        block = slice(begin, begin + _PAIRS)
        queries = small[rows[block]]
        flipped = mirrored.ravel()[block]
        queries[flipped] = queries[flipped, :, ::-1]
        correlation[block] = laid_over(queries, references[candidates.ravel()[block]])
    correlations = correlation.reshape(candidates.shape)
    best = correlations.argmax(axis=1)
    each = np.arange(len(small))
    found = Resemblance(relative(correlations), candidates[each, best], mirrored[each, best])
    return found, correlations


def threshold(similarity: Floats, false_alarms: float, patients: Indices | None = None) -> float:
    """The least similarity that further images of the same kind are nearly sure to exceed rarely.

    Of n images, further ones exceed the k-th largest at a rate that is drawn from
    ``Beta(k, n + 1 - k)``, whatever the similarities' distribution: ``k / (n + 1)`` on average
    (split conformal prediction; Vovk et al. 2005), but of a few hundred images twice that now and
    then. So k is the largest for which the rate is above ``false_alarms`` with a chance of
    ``DOUBT`` at most (a tolerance limit; Wilks 1941).

    Images of one patient say less than as many of several, so n counts patients, and ``k - 1`` is
    the sum over patients of the share of their images that is larger. Patients who are all above
    or all below make that the binomial case again; a rate that is spread over patients scatters
    less, so that the limit is surer than it says. Patients with more images must not be others.

    Below ``log(DOUBT) / log(1 - false_alarms)`` patients, 230 for 1 %, none is that sure: the
    largest is taken, which keeps ``false_alarms`` on average down to ``1 / false_alarms - 1``
    patients, and not below.

    Args:
        similarity: ``(N,)``, of images that are known to be no copies, looked for among the same
            originals as those to be judged.
        false_alarms: In (0, 1).
        patients: ``(N,)``, whose images they are; each another's unless given.

    Returns:
        One of the similarities; NaN below ``1 / false_alarms - 1`` images, which cannot tell.

    >>> threshold(np.arange(999, dtype=np.float32), 0.01)
    993.0
    """
    from scipy.special import betaincc

    if false_alarms * (len(similarity) + 1) + 1e-9 < 1:
        return float("nan")
    whose = np.arange(len(similarity)) if patients is None else np.unique(patients, False, True)[1]
    images = np.bincount(whose)
    values, place = np.unique(-similarity, return_inverse=True)
    of_value = np.bincount(place, weights=1 / images[whose])
    above = of_value.cumsum() - of_value
    doubt = betaincc(above + 1, len(images) - above, false_alarms)
    return float(-values[max(0, int((doubt <= DOUBT).sum()) - 1)])


def _candidates(
    images: Floats, originals: Floats, apart: Bools | None, mirror: bool
) -> tuple[Indices, Bools]:
    """``(N, K)``: nearest originals in no order, and whether it is the mirror image that is near.

    Args:
        images: ``(N, 32, 32)`` float32.
        originals: ``(M, 32, 32)`` float32.
        apart: ``(N, M)``, pairs that are no candidates.
        mirror: Whether mirror images count.
    """
    available = len(originals) - (0 if apart is None else int(apart.sum(axis=1).max()))
    count = min(CANDIDATES, available)
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
        if apart is not None:
            nearness[apart[block]] = -np.inf
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
    raised = variances.clip(0) + 0.05 * max(variances.mean(), TINY**2)
    return _Whitening(mean, (axes / np.sqrt(raised)).astype(np.float32))


def _coarse(images: Floats) -> Floats:
    """``(N, 256)``: sums of 2 x 2 pixels, mean 0 and length 1; zeros for a constant image."""
    rows = images[:, ::2] + images[:, 1::2]
    flat = (rows[:, :, ::2] + rows[:, :, 1::2]).reshape(len(images), -1)
    return _unit(flat - flat.mean(axis=1, keepdims=True))


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return _float32(vectors / np.where(lengths > TINY, lengths, np.inf))


def _float32(array: NDArray[np.floating]) -> Floats:
    return array.astype(np.float32, copy=False)
