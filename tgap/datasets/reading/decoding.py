"""Image files to arrays of one size: decoded in parallel, bad files told by name and reason."""

import io
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, Images, Indices, NewImages
from tgap.core.progress import progress
from tgap.core.types import Resumable
from tgap.datasets.base import in_memory
from tgap.datasets.reading.dicom import is_dicom, read_dicom
from tgap.datasets.reading.notes import refuse_or_warn

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""What Pillow reads; DICOM is read through pydicom."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".dicom")
MAX_PIXELS = 100_000_000
"""A header that promises more is taken for a decompression bomb."""
COLORS = ("grey", "rgb")
FITS = ("crop", "squash", "pad")
BAD_FILES = ("error", "exclude")
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_COPY_BLOCK = 1024
FLUSHED = 1024
"""So many images are decoded before they are marked as done, for a process that may be killed."""


@dataclass(frozen=True)
class Decoded:
    """Decoded images, and which files they come from.

    Args:
        images: ``(M, size, size, C)`` uint8.
        kept: ``(M,)`` positions of the sources that could be read, rising.
        bad: Reason by name of those that could not.
    """

    images: Images
    kept: Indices
    bad: Mapping[str, str]


def decode(source: Path | bytes, size: int, color: str = "grey", fit: str = "crop") -> Images:
    """Decode one image and bring it to ``(size, size)``.

    The picture alone counts, not how it is stored: 16-bit values are scaled linearly
    (65535 -> 255) and rounded, palettes are resolved, what alpha leaves open is black, the EXIF
    orientation is applied, and grey is ITU-R 601-2 luma. Only then is the image resampled, with
    Pillow's bicubic filter, whose support grows with the reduction, so that it does not alias
    (Parmar et al., On aliased resizing and surprising subtleties in GAN evaluation, CVPR 2022).
    An image of the right size is not resampled. How the values of DICOM files become brightness
    is said at ``tgap.datasets.reading.dicom.read_dicom``.

    Args:
        source: A file, or a file's content: PNG, JPEG, BMP, TIFF, WEBP or, known by its prefix
            whatever the file's name, DICOM.
        size: Height and width of the result.
        color: ``grey`` or ``rgb``.
        fit: ``crop`` takes the central square, ``squash`` stretches the image to a square, and
            ``pad`` adds black on the two shorter sides.

    Returns:
        ``(size, size, C)`` uint8, C = 1 or 3.

    Raises:
        DataError: With the reason alone, if it is no image of these formats, is truncated or
            otherwise broken, has several frames, more than ``MAX_PIXELS`` pixels, or pixels of
            another kind (floating point, beyond 16 bits).
    """
    image = _fitted(_read(source, "L" if color == "grey" else "RGB"), size, fit)
    return np.asarray(image).reshape(size, size, -1)


def decode_all(
    sources: Sequence[Path | bytes],
    names: Sequence[str],
    size: int,
    color: str = "grey",
    fit: str = "crop",
    new_images: NewImages = in_memory,
    bad_files: str = "error",
    workers: int | None = None,
) -> Decoded:
    """Decode many images, in as many threads as there are cores.

    Threads suffice because Pillow frees Python's lock while it decodes and resamples. Few sources
    are looked at ahead of their turn, so a sequence that reads them when asked may be larger than
    memory. If ``new_images`` is ``Resumable``, rows that an interrupted process filled are left as
    they are.

    Args:
        sources: N files, or files' contents; at least one.
        names: What messages call them.
        size: See ``decode``.
        color: See ``decode``.
        fit: See ``decode``.
        new_images: Makes the array that is filled. Called a second time, with fewer rows, if
            files are excluded.
        bad_files: ``error`` or ``exclude``.
        workers: Threads; all cores by default.

    Returns:
        The images, in the order of ``sources``.

    Raises:
        DataError: If files are bad and ``bad_files`` is ``error``, or none can be read.
    """
    images = new_images((len(sources), size, size, 1 if color == "grey" else 3))
    filled = np.zeros(len(sources), dtype=np.bool_)
    if isinstance(new_images, Resumable):
        filled = new_images.filled(len(sources))

    def put(row: int, source: Path | bytes) -> str | None:
        try:
            images[row] = decode(source, size, color, fit)
        except DataError as error:
            return str(error)
        return None

    bad = _put_all(put, sources, images, filled, workers or os.cpu_count() or 1)
    if not bad:
        return Decoded(images, np.arange(len(sources), dtype=np.int64), {})
    reasons = {names[row]: reason for row, reason in bad.items()}
    refuse_or_warn(reasons, len(sources), bad_files)
    kept = np.delete(np.arange(len(sources), dtype=np.int64), list(bad))
    return Decoded(copied(images, kept, new_images), kept, reasons)


def _put_all(
    put: Callable[[int, Path | bytes], str | None],
    sources: Sequence[Path | bytes],
    images: Images,
    filled: Bools,
    workers: int,
) -> dict[int, str]:
    """Decode the sources that are not ``filled`` in threads; the reasons of those that are bad."""
    bad: dict[int, str] = {}
    good: list[int] = []
    rows = np.flatnonzero(~filled).tolist()
    with ThreadPoolExecutor(workers) as pool, progress("decoding", len(sources)) as advance:
        jobs = (pool.submit(put, row, sources[row]) for row in rows)
        for row, reason in zip(rows, _in_order(jobs, 4 * workers), strict=True):
            if reason:
                bad[row] = reason
            else:
                good.append(row)
            if len(good) >= FLUSHED:
                _mark(filled, good, images)
            advance(row + 1)
    return bad


def _in_order(jobs: Iterator[Future[str | None]], ahead: int) -> Iterator[str | None]:
    """Results of jobs, so many of which are begun before their turn: sources may be large."""
    waiting = deque(itertools.islice(jobs, ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(itertools.islice(jobs, 1))


def _mark(filled: Bools, rows: list[int], images: Images) -> None:
    """Note rows as filled, once they are on disk; empties ``rows``."""
    if isinstance(images, np.memmap):
        images.flush()
    filled[rows] = True
    if isinstance(filled, np.memmap):
        filled.flush()
    rows.clear()


def copied(images: Images, rows: Indices, new_images: NewImages) -> Images:
    """Some images in an array of their own."""
    result = new_images((len(rows), *images.shape[1:]))
    copy_rows(images, rows, result)
    return result


def copy_rows(images: Images, rows: Indices, to: Images) -> None:
    """Copy images in blocks: the arrays may be larger than memory."""
    for start in range(0, len(rows), _COPY_BLOCK):
        block = slice(start, start + _COPY_BLOCK)
        to[block] = images[rows[block]]


def _read(source: Path | bytes, mode: str) -> "Image":
    """An image in mode ``L`` or ``RGB``, upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with _opened(source) as file:
            if is_dicom(file):
                return _converted(Image.fromarray(read_dicom(file, MAX_PIXELS)), mode)
            with Image.open(file, formats=FORMATS) as image:
                _check_header(image)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return _converted(image, mode)
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise DataError(f"its content is none of {', '.join(FORMATS)}, DICOM") from None
    except OSError as error:
        raise DataError(error.strerror or str(error)) from error
    except Exception as error:  # whatever the parsers run into in a broken file
        raise DataError(str(error) or type(error).__name__) from error


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _check_header(image: "Image") -> None:
    """What can be told without decoding."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{width} x {height} pixels are more than {MAX_PIXELS:,}: a decompression bomb?"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise DataError(f"it has {frames} frames; only single images are read")
    if image.mode not in _EIGHT_BIT + _SIXTEEN_BIT:
        raise DataError(f"pixels of mode {image.mode} are not read; 8 and 16 bit are")
    if image.format == "TIFF" and image.mode in _SIXTEEN_BIT:
        _check_tiff(image)


def _check_tiff(image: Any) -> None:
    """Refuse what Pillow reads as if it were plain 16 bit: it would come out dark or inverted."""
    photometric, bits = image.tag_v2.get(262), image.tag_v2.get(258, (1,))
    if photometric != 1 or max(bits) < 16:
        raise DataError(
            f"a TIFF of {max(bits)} bits with photometric interpretation {photometric} is not "
            "read; save it as 16 bit, black is zero"
        )


def _converted(image: "Image", mode: str) -> "Image":
    from PIL import Image

    if image.mode in _SIXTEEN_BIT:
        image = Image.fromarray(_eight_bit(image))
    elif image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    if image.mode in ("P", "PA", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _eight_bit(image: "Image") -> NDArray[np.uint8]:
    """16 bit to 8 bit, 65535 -> 255, rounded: ``257 v`` gives ``v``."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"values from {values.min()} to {values.max()} are beyond 16 bit (0 to 65535)"
        )
    eight = ((values + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if transparent is not None:
        eight[values == transparent] = 0
    return eight


def _fitted(image: "Image", size: int, fit: str) -> "Image":
    from PIL import Image

    width, height = image.size
    if fit == "crop" and width != height:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if fit == "pad" and width != height:
        scale = size / max(width, height)
        inside = (max(1, round(width * scale)), max(1, round(height * scale)))
        square = Image.new(image.mode, (size, size))
        offset = ((size - inside[0]) // 2, (size - inside[1]) // 2)
        square.paste(_resized(image, inside), offset)
        return square
    return _resized(image, (size, size))


def _resized(image: "Image", size: tuple[int, int]) -> "Image":
    from PIL import Image

    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
