"""Colours of 16 bits: Pillow keeps the upper 8 of them, so the lower 8 are read a second time."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import DataError, Images
from tgap.datasets.reading.window import Window

if TYPE_CHECKING:
    from PIL.Image import Image

_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""The order of bytes by which Pillow's unpackers, made for the upper byte, take the lower one."""
_READ = ("RGB", "RGBA", "RGBX", "LA")


def sixteen_bit_colour(image: Any) -> str | None:
    """How a file of 16-bit colours that is not loaded yet is packed, e.g. ``RGB;16B``.

    Raises:
        DataError: If it is a packing of which only the upper 8 bits could be read.
    """
    if not image.tile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return None
    args = image.tile[0].args
    raw = args if isinstance(args, str) else args[0]
    deep = ";16" in raw or (image.format == "TIFF" and max(image.tag_v2.get(258, (1,))) > 8)
    if deep and raw.partition(";16")[0] not in _READ:
        raise DataError(
            f"colours of 16 bits packed as {raw} are not read; save them as 8 bit, or as RGB of "
            "16 bits, channel beside channel"
        )
    return raw if deep else None


def lower_bytes(image: Any, raw: str) -> Any:
    """Load a picture by its lower bytes."""
    from PIL import Image

    grey = raw.startswith("LA")  # Pillow makes RGBA of it, and so we can of its four bytes
    low = "RGBA" if grey else raw[:-1] + _OTHER[raw[-1]]
    image.tile = [
        tile._replace(args=low if isinstance(tile.args, str) else (low, *tile.args[1:]))
        for tile in image.tile
    ]
    image.load()
    if grey:
        _, level, _, alpha = image.split()
        return Image.merge("RGBA", (level, level, level, alpha))
    return image


def colour_values(image: "Image", low: "Image") -> NDArray[np.uint16]:
    """``(H, W, C)`` values of a picture of upper bytes and its ``lower_bytes``; with alpha."""
    values: NDArray[np.uint16] = np.asarray(image).astype(np.uint16) * 256 + np.asarray(low)
    return values


def without_alpha(image: "Image", channels: NDArray[Any]) -> NDArray[Any]:
    """The channels of colour."""
    return channels[..., :-1] if image.mode == "RGBA" else channels


def coloured(image: "Image", low: "Image", window: Window | None) -> "Image":
    """A picture of 8 bits: the upper ones, or from the window's ends to 0 and 255."""
    from PIL import Image

    if window is None:
        return image
    levels: Images = np.array(image)
    without_alpha(image, levels)[:] = window.levels(without_alpha(image, colour_values(image, low)))
    return Image.fromarray(levels)
