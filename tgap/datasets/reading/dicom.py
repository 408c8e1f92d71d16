"""DICOM files to 8-bit arrays, through the grey-scale pipeline of the standard."""

import functools
import importlib
import logging
import math
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tgap.core import DataError, Images
from tgap.datasets.reading.dicom_values import (
    brightness,
    concerns,
    is_padding,
    modality_values,
    number_of,
    own_window,
    stored_range,
)
from tgap.datasets.reading.window import Stored, Window

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PALETTE = ("PALETTE COLOR",)
ONE_FRAME = (
    "only single images are read: save one frame of each as a file (frames of one film or stack "
    "are no independent images), or join channels into one picture"
)
"""What to do with several."""
_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence")
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
"""Height and width of a pixel, in this order; the first that is there counts."""
_SQUARE = 1.02
_SAID = (
    "Modality",
    "ImageType",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
"""Elements of ``said``."""
_REQUIRED = (
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)


def is_dicom(file: BinaryIO) -> bool:
    """Whether a file has the prefix ``DICM`` after a preamble of 128 bytes (PS3.10, 7.1)."""
    head = file.read(132)
    file.seek(0)
    return head[128:] == b"DICM"


def holds_dicom(file: BinaryIO) -> bool:
    """Whether a file has this prefix, or begins with the first elements of a DICOM data set.

    Preamble and prefix are lost where a data set is saved alone, its file meta information (group
    2) before it or not (group 8).
    """
    head = file.read(4)
    file.seek(0)
    return is_dicom(file) or (head[:2] in (b"\2\0", b"\x08\0") and head[3:] == b"\0")


def read_dicom(file: BinaryIO, max_pixels: int, window: Window | None = None) -> NDArray[np.uint8]:
    """Decode one DICOM image as a viewer shows it first.

    Grey values go through the steps of PS3.4, N.2 (sections below are of PS3.3):

    1. Stored values, of ``BitsStored`` bits up to ``HighBit`` (PS3.5, 8.1.1), signed or not
       (C.7.6.3).
    2. Modality: the Modality LUT, or ``RescaleSlope * v + RescaleIntercept``, or none (C.11.1).
    3. Values of interest: the first VOI LUT, or the first window of ``WindowCenter`` and
       ``WindowWidth`` by its ``VOILUTFunction`` (``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``;
       C.11.2). Without any of these it is the identity: black and white are the least and the
       greatest value that step 2 can give, whatever values the image has; or, if a window is
       handed in, its ends. One that a person named goes before what the file says. Images of 8
       bits have a scale of their own, so a window may leave them aside (``Window.eight_bit``).
    4. ``MONOCHROME1`` is inverted: its least value is white (C.7.6.3.1.2). ``PresentationLUTShape``
       says the same once more (C.8.11.3), so it does not count.
    5. Scaled to 0 to 255 and rounded.
    6. Where pixels are higher than wide by more than 2 %, or wider, the picture is enlarged to
       square ones (bicubic), by the first of ``PixelSpacing``, ``ImagerPixelSpacing``,
       ``NominalScannedPixelSpacing`` and ``PixelAspectRatio`` that there is.

    pydicom's own functions for steps 2 and 3 are not used: of an 8-bit table they read the first
    256 entries only, of a 12-bit Modality LUT none, and values between whole numbers are cut off.

    Rescaling, window and spacing may lie in the functional groups of an enhanced image of one frame
    (C.7.6.16), and the data set may come without preamble. Colours (``RGB`` and the kinds of
    ``YBR``, 8 bit) are taken as they are, palettes are resolved (upper 8 bits). Padding values,
    overlays and shutters do not count.

    Args:
        file: A file's content, at its start.
        max_pixels: The most pixels that are decoded.
        window: Of values after step 2, such as Hounsfield units.

    Returns:
        ``(H, W)`` or ``(H, W, 3)`` uint8.

    Raises:
        DataError: With the reason alone, if pydicom is missing, or the file holds no such image:
            no pixels, several frames, other colours or depths, a window of no width, a
            compression for which pydicom has no decoder installed.
    """
    dataset, stored = _decoded(file, max_pixels)
    if dataset.PhotometricInterpretation in _COLOUR:
        levels = window.levels(stored) if window and window.eight_bit else stored.astype(np.uint8)
        return _squared(levels, dataset, max_pixels)
    # There are fewer values than pixels, so each is worked out once
    low, high = stored_range(dataset)
    curve = brightness(dataset, np.arange(low, high + 1.0), window)
    return _squared(curve[stored.astype(np.int32) - low], dataset, max_pixels)


def _squared(levels: Images, dataset: Any, max_pixels: int) -> Images:
    from PIL import Image

    size = _square_size(dataset)
    if size == (dataset.Columns, dataset.Rows):
        return levels
    if size[0] * size[1] > max_pixels:
        raise DataError(f"in square pixels it would be {size[0]} x {size[1]}: a wrong spacing?")
    return np.array(Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC))


def _square_size(dataset: Any) -> tuple[int, int]:
    """Width and height in square pixels, none of which is lost."""
    width, height = int(dataset.Columns), int(dataset.Rows)
    for name in _SPACINGS:
        try:
            down, across = (float(part) for part in dataset.get(name))
        except (TypeError, ValueError):  # absent, empty or no two numbers
            continue
        if 0 < down < math.inf and 0 < across < math.inf:
            ratio = down / across
            if max(ratio, 1 / ratio) <= _SQUARE:
                break
            return (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    return width, height


def stored_dicom(file: BinaryIO, max_pixels: int, window: Window | None = None) -> Stored:
    """The values of one DICOM image after step 2 of ``read_dicom``, and their grey levels.

    Raises:
        DataError: As ``read_dicom``.
    """
    dataset, stored = _decoded(file, max_pixels)
    if dataset.PhotometricInterpretation in _COLOUR:
        return Stored(stored, stored, deep=False)
    named = window is not None and window.given and concerns(window, dataset)
    low, high = stored_range(dataset)
    own = _has_window(dataset) and not named
    rows = stored[~is_padding(dataset, stored)].astype(np.int32) - low
    every = np.arange(low, high + 1.0)
    values, levels = modality_values(dataset, every)[0], brightness(dataset, every, window)
    return Stored(values[rows], levels[rows], deep=dataset.BitsStored > 8, own=own)


def _decoded(file: BinaryIO, max_pixels: int) -> tuple[Any, NDArray[Any]]:
    """A file's header and its stored values, whose number of bits is as it says."""
    dataset = _read(file)
    _check_header(dataset, max_pixels)
    _check_syntax(dataset)
    stored = _shifted(dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = np.asarray(_pydicom("pydicom.pixels").apply_color_lut(stored, dataset))
        stored = stored >> (8 * (stored.itemsize - 1))
        dataset.PhotometricInterpretation = "RGB"
    if dataset.PhotometricInterpretation in _GREY:
        low, high = stored_range(dataset)
        if stored.min() < low or stored.max() > high:
            raise DataError(
                f"values from {stored.min()} to {stored.max()} are beyond its "
                f"{dataset.BitsStored} bits"
            )
    return dataset, stored


def _read(file: BinaryIO, **options: Any) -> Any:
    """A data set, with or without preamble, and what the groups of its only frame say."""
    dataset = _pydicom().dcmread(file, force=True, **options)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, _ = dataset.original_encoding
        uid = _pydicom("pydicom.uid")
        dataset.file_meta.TransferSyntaxUID = (
            uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        )
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for sequence in _GROUPS:
            for group in (dataset.get(groups) or [])[:1]:
                for item in (group.get(sequence) or [])[:1]:
                    dataset.update(item)
    return dataset


def _shifted(dataset: Any) -> NDArray[Any]:
    """Stored values, whose highest bit need not be the one below those not used."""
    bits, high = dataset.BitsStored, dataset.get("HighBit")
    below = 0 if high is None else high + 1 - bits
    packed = dataset.file_meta.TransferSyntaxUID.is_compressed  # decoders differ in what they do
    if below < 0 or bits + below > dataset.BitsAllocated or (below and packed):
        raise DataError(
            f"its highest bit is {high} (HighBit, of 0 to {dataset.BitsAllocated - 1}), which does "
            f"not fit {bits} bits stored{' and compressed' if packed else ''}"
        )
    dataset.BitsStored = bits + below  # so that pydicom knows the sign
    stored = np.asarray(dataset.pixel_array) >> below
    dataset.BitsStored = bits
    return stored


def _has_window(dataset: Any) -> bool:
    return bool(own_window(dataset))


def dicom_header(file: BinaryIO) -> tuple[int, int, str]:
    """Width, height, and the kind of pixels of a file, of which no pixel is read."""
    header = _read(file, stop_before_pixels=True)
    colour = "grey" if header.PhotometricInterpretation in _GREY else "colour"
    window = ", a window of its own" if colour == "grey" and _has_window(header) else ""
    width, height = _square_size(header)
    return width, height, f"DICOM, {header.BitsStored} bit, {colour}{window}"


@dataclass(frozen=True)
class Said:
    """What a file says of how it is to be shown.

    Args:
        modality: Such as ``CT``; empty if it does not say.
        image_type: Such as ``DERIVED``, ``SECONDARY``.
        deep: Whether it is grey, of more than 8 bits.
        window: Its own, as ``LOW:HIGH``, or ``a table``; empty if it has none.
        scale: The least and the greatest value that it can have, as ``-1024 to 3071``.
        rescaled: Whether these are not the stored values.
        intercept: What is added to stored values.
    """

    modality: str
    image_type: tuple[str, ...]
    deep: bool
    window: str
    scale: str
    rescaled: bool
    intercept: float


def said(file: BinaryIO) -> Said | None:
    """See ``Said``; ``None`` if it is no DICOM file, or one that cannot be read."""
    if not holds_dicom(file):
        return None
    try:
        header = _read(file, stop_before_pixels=True, specific_tags=list(_SAID))
        deep = header.PhotometricInterpretation in _GREY and header.BitsStored > 8
        ends = np.array(stored_range(header), np.float64)
        _, low, high = modality_values(header, ends)
        kind = header.get("ImageType") or ()
        return Said(
            str(header.get("Modality") or "").strip(),
            (kind,) if isinstance(kind, str) else tuple(kind),
            deep,
            own_window(header),
            f"{low:.6g} to {high:.6g}",
            (low, high) != tuple(ends),
            number_of(header, "RescaleIntercept") or 0.0,
        )
    except Exception:  # whatever the parser runs into; told of when the file is decoded
        return None


class Person(NamedTuple):
    """What a header says of a patient and the study; empty where it says nothing."""

    id: str = ""
    name: str = ""
    born: str = ""
    sex: str = ""
    age: str = ""
    study: str = ""
    series: str = ""
    frame: str = ""


_PERSON = (
    "PatientID PatientName PatientBirthDate PatientSex PatientAge StudyInstanceUID "
    "SeriesInstanceUID FrameOfReferenceUID"
).split()


def person(file: BinaryIO) -> Person:
    """Of whom a file is, of which nothing else is read.

    What cannot be read is told of when the file is decoded.
    """
    reader = _pydicom()
    try:
        header = reader.dcmread(file, stop_before_pixels=True, force=True, specific_tags=_PERSON)
        return Person(*(str(header.get(name) or "").strip() for name in _PERSON))
    except Exception:  # whatever the parser runs into
        return Person()


def _pydicom(module: str = "pydicom") -> Any:
    _quieten()
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(
            f"a DICOM file needs the package 'pydicom' ({error}): pip install 'tgap[dicom]'"
        ) from error


@functools.cache
def _quieten() -> None:
    """Let pydicom tell a thing once, and not that it reads JPEG colours as they are stored."""
    logging.getLogger("pydicom").addFilter(_is_grave)
    warnings.filterwarnings("ignore", message=".*JFIF APP marker")


def _is_grave(record: logging.LogRecord) -> bool:
    """What is logged for each file is told once through ``warnings`` too, or raised."""
    return record.levelno > logging.ERROR


def _check_header(dataset: Any, max_pixels: int) -> None:
    """What can be told without decoding."""
    if "PixelData" not in dataset:
        raise DataError("a DICOM file without pixel data")
    lacking = [name for name in _REQUIRED if dataset.get(name) is None]
    if lacking:
        raise DataError(f"its DICOM header lacks {', '.join(lacking)}")
    width, height = dataset.Columns, dataset.Rows
    if width * height > max_pixels:
        raise DataError(
            f"{width} x {height} pixels are more than {max_pixels:,}: a decompression bomb?"
        )
    frames = str(dataset.get("NumberOfFrames") or 1)
    if not frames.isdecimal() or int(frames) > 1:
        raise DataError(f"it has {frames} frames; {ONE_FRAME}")
    colours = dataset.PhotometricInterpretation
    if colours not in _GREY + _COLOUR + _PALETTE:
        raise DataError(
            f"DICOM pixels of photometric interpretation {colours} are not read; "
            f"{', '.join(_GREY + _COLOUR + _PALETTE)} are"
        )
    stored, allocated = dataset.BitsStored, dataset.BitsAllocated
    if allocated not in (8, 16) or not 8 <= stored <= (8 if colours in _COLOUR else allocated):
        raise DataError(
            f"DICOM {colours} pixels of {stored} bits, {allocated} allocated, are not read; "
            f"{'8' if colours in _COLOUR else '8 to 16'} bits are"
        )


def _check_syntax(dataset: Any) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = _pydicom("pydicom.pixels").get_decoder(syntax)
    except NotImplementedError:
        raise DataError(f"pydicom has no decoder for the transfer syntax {syntax.name}") from None
    if not decoder.is_available:
        raise DataError(
            f"its transfer syntax {syntax.name} is compressed, and pydicom needs another package "
            f"for it; install one of: {'; '.join(decoder.missing_dependencies)}"
        )
