"""Images brought to another size and number of channels, as datasets bring theirs."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tgap.core import Images, Indices


def resized(images: Images, size: int | None, channels: int, rows: Indices | None = None) -> Images:
    """Some images as squares of ``size`` pixels, by Pillow's bicubic filter, which does not alias.

    The same as ``tgap.datasets.reading.decoding.decode`` makes of a picture, in as many threads as
    there are cores. An image is read when its turn comes, so ``images`` may be larger than memory.

    Args:
        images: ``(N, H, W, C)`` uint8.
        size: Height and width; ``None`` leaves them as they are.
        channels: 1 (ITU-R 601-2 luma of colours) or 3 (grey repeated).
        rows: ``(M,)`` positions of the images that are wanted, all by default.

    Returns:
        ``(M, size, size, channels)`` uint8.
    """
    chosen = np.arange(len(images)) if rows is None else rows
    height, width = (size, size) if size is not None else images.shape[1:3]
    made = np.empty((len(chosen), height, width, channels), np.uint8)

    def put(position: int) -> None:
        made[position] = _resized(images[chosen[position]], (width, height), channels)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(put, range(len(chosen))):
            pass
    return made


def _resized(image: Images, to: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != to:
        picture = picture.resize(to, Image.Resampling.BICUBIC)
    return np.asarray(picture).reshape(to[1], to[0], channels)


def as_kept(images: Images, size: int | None, channels: int) -> Images:
    """Drawn images as they are kept: in the dataset's channels, reduced if asked for."""
    if size in (None, images.shape[1]) and images.shape[3] == channels:
        return images
    return resized(images, size, channels)
