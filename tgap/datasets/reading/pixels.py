"""One image file to an upright 8-bit picture, and the values that it stores."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tgap.core import DataError, Images
from tgap.datasets.reading.dicom import ONE_FRAME, holds_dicom, read_dicom, stored_dicom
from tgap.datasets.reading.netpbm import check_netpbm
from tgap.datasets.reading.sixteen import (
    colour_values,
    coloured,
    lower_bytes,
    sixteen_bit_colour,
    without_alpha,
)
from tgap.datasets.reading.tiff_kinds import HEADS, unread_tiff, without_pillows_log
from tgap.datasets.reading.window import Stored, Window

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
"""What Pillow reads; DICOM is read through pydicom."""
MAX_PIXELS = 100_000_000
"""A header that promises more is taken for a decompression bomb."""
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_DEEP = (*_SIXTEEN_BIT, "F")
_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_OTHERS = {
    b"version https://git-lfs": "it is a pointer of Git LFS, and not the file itself: get the "
    "files with 'git lfs pull' in their repository",
    b"GIF8": "its content is a GIF, whatever its name; GIF is not read: convert it to PNG",
}
_REMEDY = "name the values that become black and white with dataset.window=data or LOW:HIGH"


def read_image(source: Path | bytes, mode: str, window: Window | None = None) -> "Image":
    """An image in mode ``L`` or ``RGB``, upright; see ``tgap.datasets.reading.decoding.decode``.

    Raises:
        DataError: With the reason alone, if it cannot be read.
    """
    from PIL import Image

    with _reading(source) as file:
        if holds_dicom(file):
            return _converted(Image.fromarray(read_dicom(file, MAX_PIXELS, window)), mode)
        with _loaded(file, window) as (image, low):
            if image.mode in _DEEP:
                return _converted(Image.fromarray(_grey_levels(image, window)), mode)
            if low is not None:
                return _converted(coloured(image, low, window), mode)
            picture = _converted(image, mode)
            if window is None or not window.eight_bit:
                return picture
            return picture.point(window.levels(np.arange(256)).tolist() * len(mode))


def stored_values(source: Path | bytes, window: Window | None = None) -> Stored:
    """The values that a file stores, and the levels that they become.

    Raises:
        DataError: As ``read_image``.
    """
    with _reading(source) as file:
        if holds_dicom(file):
            return stored_dicom(file, MAX_PIXELS, window)
        with _loaded(file, window) as (image, low):
            if image.mode in _DEEP:
                return _stored_grey(_values(image), _grey_levels(image, window))
            if low is not None:
                values = without_alpha(image, colour_values(image, low))
                levels = np.asarray(coloured(image, low, window))
                return Stored(values, without_alpha(image, levels), deep=True, soft=_soft(image))
            pixels = np.asarray(_converted(image, "RGB"))
            shown = window.levels(pixels) if window and window.eight_bit else pixels
            return Stored(pixels, shown, deep=False, soft=_soft(image))


@contextmanager
def _reading(source: Path | bytes) -> Iterator[BinaryIO]:
    """A file's content, and whatever is wrong with it as a ``DataError``."""
    from PIL import UnidentifiedImageError

    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            head = file.read(24)
            if not head:
                raise DataError("it is empty (0 bytes)")
            file.seek(0)
            with without_pillows_log():
                yield file
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise DataError(_what_else(source, head)) from None
    except OSError as error:
        raise DataError(error.strerror or str(error)) from error
    except Exception as error:  # whatever the parsers run into in a broken file
        raise DataError(str(error) or type(error).__name__) from error


def _what_else(source: Path | bytes, head: bytes) -> str:
    """What a file is that holds no picture of ours, by its first bytes or its tags."""
    if head.startswith(HEADS):
        try:
            with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
                return unread_tiff(file)
        except Exception as error:  # whatever the parser runs into in a broken file
            return f"a broken TIFF: {error or type(error).__name__}"
    for start, told in _OTHERS.items():
        if head.startswith(start):
            return told
    return f"its content is none of {', '.join(FORMATS)}, DICOM"


@contextmanager
def _loaded(file: BinaryIO, window: Window | None) -> "Iterator[tuple[Image, Image | None]]":
    """The picture that a file holds, upright; of 16-bit colours that of the lower bytes too."""
    from PIL import Image, ImageOps

    with Image.open(file, formats=FORMATS) as image:
        _choose_picture(image)
        _check_header(image, window)
        raw, low = sixteen_bit_colour(image), None
        image.load()
        if raw is not None:
            file.seek(0)
            second = Image.open(file, formats=FORMATS)
            second.seek(image.tell())
            low = lower_bytes(second, raw)
            ImageOps.exif_transpose(low, in_place=True)
        ImageOps.exif_transpose(image, in_place=True)
        yield image, low


def _choose_picture(image: Any) -> None:
    """Go to the only picture of a file; previews, overviews and masks beside it do not count.

    The first image of an MPO, as phones and drones write under the name .jpg, is the picture.
    """
    frames = list(range(getattr(image, "n_frames", 1)))
    if len(frames) == 1 or image.format == "MPO":
        return
    if image.format == "TIFF":
        frames = [frame for frame in frames if not _is_preview(image, frame)]
    if len(frames) != 1:
        raise DataError(f"it has {len(frames)} frames; {ONE_FRAME}")
    image.seek(frames[0])


def _is_preview(image: Any, page: int) -> bool:
    """Whether a TIFF's page says that it is a smaller version (bit 0) or a mask (bit 2)."""
    image.seek(page)
    return bool(int(image.tag_v2.get(254, 0)) & 5)


def _check_header(image: "Image", window: Window | None) -> None:
    """What can be told without decoding."""
    if image.format == "PPM":
        check_netpbm(image)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{width} x {height} pixels are more than {MAX_PIXELS:,}: a decompression bomb?"
        )
    if image.mode == "F" and window is None:
        raise DataError(f"floating point pixels have no full range; {_REMEDY}")
    if image.mode not in _EIGHT_BIT + _DEEP:
        raise DataError(f"pixels of mode {image.mode} are not read; 8 and 16 bit are")
    if image.format == "TIFF":
        _check_tiff(image)


def _check_tiff(image: Any) -> None:
    """Refuse what Pillow reads as if it were something else: dark, inverted or wrapped."""
    photometric, bits = image.tag_v2.get(262), image.tag_v2.get(258, (1,))
    if image.mode in _DEEP and (photometric != 1 or max(bits) < 16):
        raise DataError(
            f"a TIFF of {max(bits)} bits with photometric interpretation {photometric} is not "
            "read; save it as 16 bit, black is zero"
        )
    if image.mode not in _DEEP and 2 in image.tag_v2.get(339, (1,)):
        raise DataError("a TIFF of signed 8-bit values is not read; save it as 16 bit")
    if image.tag_v2.get(262) == 2 and len(bits) == 4 and 338 not in image.tag_v2:
        raise DataError(
            "a TIFF of 4 channels that does not say whether the fourth is alpha or a band such as "
            "near infrared (tag ExtraSamples) is not read; save three of them as RGB"
        )


def _converted(image: "Image", mode: str) -> "Image":
    """8 bits in another mode, on black."""
    from PIL import Image

    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    if image.mode in ("P", "PA", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _soft(image: "Image") -> float:
    """See ``Stored``; levels next to opaque and transparent are taken for these."""
    if image.mode not in ("RGBA", "LA", "PA"):
        return 0.0
    counts = np.array(image.getchannel("A").histogram())
    between = counts[3:253]
    return float((between.sum() - between.max()) / counts.sum())


def _values(image: Any) -> NDArray[Any]:
    """Values of more than 8 bits, as they are stored."""
    values = np.asarray(image)
    if values.dtype.kind == "f" and not np.isfinite(values).any():
        raise DataError("none of its values is a number (all are NaN or infinite)")
    unsigned = image.format == "TIFF" and image.tag_v2.get(339, (1,))[0] == 1
    if values.dtype == np.int32 and unsigned and values.min() < 0:
        raise DataError("unsigned 32-bit values above 2147483647 are not read")
    return values


def _stored_grey(values: NDArray[Any], levels: Images) -> Stored:
    """A file's numbers alone, if some of its values are none."""
    numbers = np.isfinite(values)
    if numbers.all():
        return Stored(values, levels, deep=True)
    return Stored(values[numbers], levels[numbers], deep=True, blank=float(1 - numbers.mean()))


def _grey_levels(image: "Image", window: Window | None) -> Images:
    """Values of more than 8 bits to 8 bits; without a window 65535 -> 255, ``257 v`` -> ``v``.

    What is no number (NaN), as outside a field of view, becomes black.
    """
    values = _values(image)
    if window is not None:
        levels = window.levels(np.nan_to_num(values, nan=window.low, posinf=None, neginf=None))
        levels[np.isnan(values)] = 0
    elif values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"values from {values.min()} to {values.max()} are beyond 16 bit (0 to 65535); "
            f"{_REMEDY}"
        )
    else:
        levels = ((values.astype(np.int64) + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if transparent is not None:
        levels[values == transparent] = 0
    return levels
