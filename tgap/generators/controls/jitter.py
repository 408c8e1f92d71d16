"""Light changes that leave an image recognisably the same: what a near copy looks like."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tgap.core import ContractError, Floats, Images

KINDS = ("shift", "zoom", "contrast", "noise", "flip")
MOST_SHIFT = 0.2  # of height and width, at strength 1
MOST_ZOOM = 0.2
MOST_CONTRAST = 2 / 3
MOST_NOISE = 0.1  # of the grey levels
BATCH_PIXELS = 2**22
Seeds = Sequence[int] | NDArray[np.integer]


def jittered(
    images: Images,
    strength: float,
    seeds: Seeds,
    kinds: Sequence[str] = ("shift", "zoom", "contrast"),
) -> Images:
    """Change each image a little, at random.

    Of each kind an amount is drawn uniformly from minus to plus the most; at strength 0.3 that is:

    - ``shift``: 6 % of height and of width (1.9 of 32 pixels), each for itself
    - ``zoom``: 6 % larger or smaller about the centre
    - ``contrast``: 20 % more or less deviation from the image's mean, then 20 % brighter or darker
      (a factor on all pixels), cut off at black and white
    - ``noise``: Gaussian, its standard deviation drawn from 0 to 3 % of the grey levels
    - ``flip``: left and right exchanged in every second image, whatever the strength

    Shift and zoom interpolate linearly; what comes in over an edge repeats the edge's pixels.

    Args:
        images: ``(N, H, W, C)`` uint8; left as they are.
        strength: In [0, 1]; all amounts but the flip's grow in proportion to it.
        seeds: N seeds. An image's changes follow from its seed alone, and those of one kind do not
            depend on which other kinds there are.
        kinds: Of ``KINDS``, in any order.

    Returns:
        ``(N, H, W, C)`` uint8, at strength 0 without ``flip`` the same pixels.

    Raises:
        ContractError: If the strength or a kind is unknown, or there are not N seeds.
    """
    _check(images, strength, seeds, kinds)
    changed = np.empty_like(images)
    step = max(1, BATCH_PIXELS // max(1, images[:1].size))
    for start in range(0, len(images), step):
        batch = slice(start, start + step)
        changed[batch] = _jittered(images[batch], strength, seeds[batch], kinds)
    return changed


def _check(images: Images, strength: float, seeds: Seeds, kinds: Sequence[str]) -> None:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ContractError(f"kinds of jitter are {', '.join(KINDS)}; got {', '.join(unknown)}")
    if not 0 <= strength <= 1:
        raise ContractError(f"strength of jitter must be in [0, 1], got {strength}")
    if len(seeds) != len(images):
        raise ContractError(f"{len(images)} images need as many seeds, got {len(seeds)}")


def _jittered(images: Images, strength: float, seeds: Seeds, kinds: Sequence[str]) -> Images:
    rngs = [np.random.default_rng(int(seed)) for seed in seeds]
    # All amounts are drawn, wanted or not, so that one kind does not depend on the others.
    drawn = np.array([rng.uniform(-1, 1, size=7) for rng in rngs]).reshape(-1, 7)
    flipped = drawn[:, 6] > 0
    down, right, zoom, contrast, brightness, noise = strength * drawn[:, :6].T
    height, width = images.shape[1:3]
    pixels = images.astype(np.float32)
    if "shift" in kinds or "zoom" in kinds:
        shifted, zoomed = "shift" in kinds, 1 + MOST_ZOOM * zoom * ("zoom" in kinds)
        pixels = _resampled(pixels, 1, MOST_SHIFT * height * down * shifted, zoomed)
        pixels = _resampled(pixels, 2, MOST_SHIFT * width * right * shifted, zoomed)
    if "contrast" in kinds:
        means = pixels.mean(axis=(1, 2, 3), keepdims=True)
        pixels = means + (pixels - means) * _each(1 + MOST_CONTRAST * contrast)
        pixels *= _each(1 + MOST_CONTRAST * brightness)
    if "noise" in kinds:
        deviations = np.abs(MOST_NOISE * 255 * noise)
        for i, rng in enumerate(rngs):
            pixels[i] += deviations[i] * rng.standard_normal(images.shape[1:], dtype=np.float32)
    if "flip" in kinds:
        pixels[flipped] = pixels[flipped, :, ::-1]
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def _each(values: NDArray[np.float64]) -> Floats:
    """``(N,)`` as ``(N, 1, 1, 1)``."""
    return values.astype(np.float32)[:, None, None, None]


def _resampled(
    pixels: Floats, axis: int, shift: NDArray[np.float64], zoom: NDArray[np.float64]
) -> Floats:
    """Zoom about the centre and then shift along one axis, ``shift`` and ``zoom`` by image."""
    length = pixels.shape[axis]
    centre = (length - 1) / 2
    source = (np.arange(length) - centre - shift[:, None]) / zoom[:, None] + centre
    source = source.clip(0, length - 1)
    before = np.floor(source).astype(np.int64)
    after = np.minimum(before + 1, length - 1)
    shape = [len(pixels), 1, 1, 1]
    shape[axis] = length
    weight = (source - before).astype(np.float32).reshape(shape)
    low = np.take_along_axis(pixels, before.reshape(shape), axis)
    high = np.take_along_axis(pixels, after.reshape(shape), axis)
    between: Floats = low + (high - low) * weight
    return between
