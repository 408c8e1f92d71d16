"""Strips of images for a page: several in one picture, so that a page stays small."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tgap.core import Images
from tgap.report.page import encoded

SIDE = 64
"""Pixels of an image at most."""
GAP = 2


@dataclass(frozen=True)
class Strip:
    """Images side by side.

    Args:
        source: A data URI.
        alt: What they are.
        count: How many.
        note: What stands below it.
    """

    source: str
    alt: str
    count: int
    note: str = ""


def strip(images: Sequence[Images], alt: str, side: int = SIDE, note: str = "") -> Strip:
    """Images, ``(H, W, C)`` each, in a row; pairs in which the second stands below the first.

    Args:
        images: At least one; all of one size.
        alt: What they are.
        side: Pixels of an image at most.
        note: What stands below.
    """
    from PIL import Image

    shown = [_small(image, side) for image in images]
    height, width = shown[0].shape[:2]
    canvas = np.full((height, len(shown) * (width + GAP) - GAP, 3), 128, np.uint8)
    for place, image in enumerate(shown):
        canvas[:, place * (width + GAP) :][:, :width] = image
    grey = bool((canvas == canvas[..., :1]).all())
    whole = Image.fromarray(canvas[..., 0] if grey else canvas)
    # Small grey images are smaller without loss; photographs are not.
    kind = "PNG" if grey and max(height, width) <= SIDE // 2 else "JPEG"
    return Strip(encoded(whole, kind), alt, len(shown), note)


def _small(image: Images, side: int) -> Images:
    """``(h, w, 3)``, no side longer than ``side``."""
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert("RGB")
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(picture)


def above_each_other(upper: Images, lower: Images) -> Images:
    """Two images of one size as one, ``(2 H + gap, W, C)``."""
    gap = np.full((max(1, upper.shape[0] // 16), *upper.shape[1:]), 128, np.uint8)
    return np.concatenate([upper, gap, lower])
