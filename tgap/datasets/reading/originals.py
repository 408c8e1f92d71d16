"""What the headers of image files say; no pixel is decoded."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.datasets.reading.dicom import dicom_header, holds_dicom
from tgap.datasets.reading.pixels import FORMATS
from tgap.datasets.reading.sixteen import sixteen_bit_colour
from tgap.datasets.reading.tiff_kinds import without_pillows_log

if TYPE_CHECKING:
    from PIL.Image import Image

_BITS = {"1": 1, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}
"""Of Pillow's modes that have not 8."""
_ORIENTATION, _MODEL, _DETAILS, _TAKEN, _SERIAL = 0x0112, 0x0110, 0x8769, 0x9003, 0xA431
_ON_THEIR_SIDE = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


@dataclass(frozen=True)
class Header:
    """One image file's.

    Args:
        width: In pixels, upright.
        height: In pixels, upright.
        kind: Format, bits and colour, e.g. ``PNG, 8 bit, grey``.
        taken: When, by EXIF, e.g. ``2024:05:01 12:30:10``; empty if it does not say.
        camera: Which took it, its model and number; empty if it does not say.
    """

    width: int
    height: int
    kind: str
    taken: str = ""
    camera: str = ""


def read_headers(files: Sequence[Path]) -> list[Header | None]:
    """The headers of many files, read in threads; ``None`` for those that cannot be read."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_header, files))


def _header(path: Path) -> Header | None:
    from PIL import Image

    try:
        with path.open("rb") as file, without_pillows_log():
            if holds_dicom(file):
                return Header(*dicom_header(file))
            with Image.open(file, formats=FORMATS) as image:
                return _of_picture(image)
    except Exception:  # whatever the parsers run into; decoding has told of bad files
        return None


def _of_picture(image: "Image") -> Header:
    width, height = image.size
    taken = camera = ""
    # Of a PNG without this chunk, Pillow would look behind the pixels.
    if image.format != "PNG" or "exif" in image.info:
        exif = image.getexif()
        if exif.get(_ORIENTATION) in _ON_THEIR_SIDE:
            width, height = height, width
        if _DETAILS in exif:
            details = exif.get_ifd(_DETAILS)
            taken = str(details.get(_TAKEN, ""))
            camera = f"{exif.get(_MODEL, '')} {details.get(_SERIAL, '')}".strip()
    colour = "grey" if image.mode[0] in "1LIF" else "colour"
    sixteen = sixteen_bit_colour(image) or (image.format, image.mode) == ("PPM", "I")
    bits = 16 if sixteen else _BITS.get(image.mode, 8)
    return Header(width, height, f"{image.format}, {bits} bit, {colour}", taken, camera)
