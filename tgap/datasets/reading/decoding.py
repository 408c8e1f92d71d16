"""Image files to arrays of one size: decoded in parallel, bad files told by name and reason."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tgap.core import Bools, DataError, Images, Indices, NewImages
from tgap.core.progress import progress
from tgap.core.types import Resumable
from tgap.datasets.base import in_memory
from tgap.datasets.reading.depth import check_depth, chosen_window
from tgap.datasets.reading.dicom_sets import tell_dicom
from tgap.datasets.reading.notes import mostly_of, refuse_or_warn
from tgap.datasets.reading.pixels import read_image
from tgap.datasets.reading.threads import in_threads
from tgap.datasets.reading.window import FULL, Window

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
)
SUFFIXES = (*PICTURES, ".dcm", ".dicom")
COLORS = ("grey", "rgb")
FITS = ("crop", "squash", "pad")
BAD_FILES = ("error", "exclude")
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
        notes: What else is worth knowing.
    """

    images: Images
    kept: Indices
    bad: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)


def decode(
    source: Path | bytes,
    size: int,
    color: str = "grey",
    fit: str = "crop",
    window: Window | None = None,
) -> Images:
    """Decode one image and bring it to ``(size, size)``.

    The picture alone counts, not how it is stored: palettes are resolved, what alpha leaves open
    is black (half transparent is half as bright), the EXIF orientation is applied, and grey is
    ITU-R 601-2 luma. Grey of 16 bits is scaled linearly (65535 -> 255) and rounded, or from the
    window's ends to 0 and 255; of colours of 16 bits the upper 8 are taken, or all of them from the
    window's ends. The first image of an MPO (the .jpg of phones and drones) is the picture, as is a
    TIFF's only page that is no preview.
    Then the image is resampled, with Pillow's bicubic filter, whose support grows with the
    reduction, so that it does not alias (Parmar et al., On aliased resizing and surprising
    subtleties in GAN evaluation, CVPR 2022).
    An image of the right size is not resampled. How the values of DICOM files become brightness
    is said at ``tgap.datasets.reading.dicom.read_dicom``.

    Args:
        source: A file, or a file's content: PNG, JPEG, BMP, TIFF, WEBP, PPM (or PGM, PBM) or, known
            by its prefix whatever the file's name, DICOM.
        size: Height and width of the result.
        color: ``grey`` or ``rgb``.
        fit: ``crop`` takes the central square, ``squash`` stretches the image to a square, and
            ``pad`` adds black on the two shorter sides.
        window: Values that become black and white, of images with more than 8 bits, which may be
            floating point or 32-bit whole numbers then; of others too, if it says so. ``None``:
            what the format can hold.

    Returns:
        ``(size, size, C)`` uint8, C = 1 or 3.

    Raises:
        DataError: With the reason alone, if it is no image of these formats, is truncated or
            otherwise broken, has several frames, more than 100 million pixels, or pixels of
            another kind (without a window: floating point, beyond 16 bits).
    """
    image = _fitted(read_image(source, "L" if color == "grey" else "RGB", window), size, fit)
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
    window: str = FULL,
    labels: Mapping[str, Bools] | None = None,
) -> Decoded:
    """Decode many images, in as many threads as there are cores.

    Few sources are looked at ahead of their turn, so a sequence that reads them when asked may be
    larger than memory. If ``new_images`` is ``Resumable``, rows that an interrupted process filled
    are left as they are. Afterwards it is seen that their values have not been lost
    (``tgap.datasets.reading.depth.check_depth``), and that DICOM files are of one kind and scale
    (``tgap.datasets.reading.dicom_sets.tell_dicom``).

    Args:
        sources: N files, or files' contents; at least one.
        names: What messages call them.
        size: See ``decode``.
        color: See ``decode``.
        fit: See ``decode``.
        new_images: Makes the array that is filled; if files are excluded, a second, smaller one.
        bad_files: ``error``, or ``exclude`` and ``list``, which differ in what is said.
        workers: Threads; all cores by default.
        window: See ``tgap.datasets.reading.depth.chosen_window``.
        labels: ``(N,)`` by name, whether a source has the label: to tell how they differ.

    Returns:
        The images, in the order of ``sources``.

    Raises:
        DataError: If files are bad and ``bad_files`` is ``error``, none can be read, or the
            images are black or flat for want of a window.
    """
    workers = workers or os.cpu_count() or 1
    values = chosen_window(window, sources, workers)
    images = new_images((len(sources), size, size, 1 if color == "grey" else 3))
    filled = _filled(new_images, len(sources))

    def put(row: int, source: Path | bytes) -> str | None:
        try:
            images[row] = decode(source, size, color, fit, values)
        except DataError as error:
            return str(error)
        return None

    bad = _put_all(put, sources, images, filled, workers)
    reasons = {names[row]: reason for row, reason in bad.items()}
    refuse_or_warn(reasons, len(sources), bad_files, mostly_of(labels or {}, list(bad)))
    kept = np.delete(np.arange(len(sources), dtype=np.int64), list(bad))
    if bad:
        images = copied(images, kept, new_images)
    held = {name: column[kept] for name, column in (labels or {}).items()}
    tell_dicom(sources, names, kept, window, held)
    notes = check_depth(images, sources, names, kept, window, values, held)
    return Decoded(images, kept, reasons, notes)


def _filled(new_images: NewImages, count: int) -> Bools:
    """The rows that an interrupted process filled."""
    if isinstance(new_images, Resumable):
        return new_images.filled(count)
    return np.zeros(count, dtype=np.bool_)


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
    calls = ((row, sources[row]) for row in rows)
    with progress("decoding", len(sources)) as advance:
        for row, reason in zip(rows, in_threads(put, calls, workers), strict=True):
            if reason:
                bad[row] = reason
            else:
                good.append(row)
            if len(good) >= FLUSHED:
                _mark(filled, good, images)
            advance(row + 1)
    return bad


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
