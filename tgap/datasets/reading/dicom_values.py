"""From stored values of a DICOM file to brightness, by the grey-scale pipeline of the standard."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import DataError
from tgap.datasets.reading.window import Window

Numbers = NDArray[np.float64]
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def stored_range(dataset: Any) -> tuple[int, int]:
    """The least and the greatest value that can be stored."""
    count = 2**dataset.BitsStored
    return (-count // 2, count // 2 - 1) if dataset.PixelRepresentation == 1 else (0, count - 1)


def brightness(dataset: Any, stored: Numbers, window: Window | None) -> NDArray[np.uint8]:
    """Steps 2 to 5 of ``read_dicom`` for all values that can be stored, rising."""
    values, low, high = modality_values(dataset, stored)
    if window and concerns(window, dataset) and (window.given or not own_window(dataset)):
        shown = np.clip((values - window.low) / (window.high - window.low), 0, 1) - 0.5
    else:
        shown = _values_of_interest(dataset, values, low, high)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = -shown
    return np.rint(255 * (shown + 0.5)).astype(np.uint8)


def concerns(window: Window, dataset: Any) -> bool:
    """Whether a window of values is of files with so many bits."""
    return window.eight_bit or dataset.BitsStored > 8


def modality_values(dataset: Any, stored: Numbers) -> tuple[Numbers, float, float]:
    """The modality's values, and the least and the greatest that there can be (C.11.1)."""
    if dataset.get("ModalityLUTSequence"):
        return _looked_up(dataset, "ModalityLUTSequence", stored)
    slope, intercept = number_of(dataset, "RescaleSlope"), number_of(dataset, "RescaleIntercept")
    if slope is None and intercept is None:
        return stored, stored[0], stored[-1]
    if not slope or intercept is None:
        raise DataError(
            f"a rescale slope of {slope} with an intercept of {intercept}; both must be given, "
            "and the slope must not be 0"
        )
    values = slope * stored + intercept
    return values, values.min(), values.max()


def _values_of_interest(dataset: Any, values: Numbers, low: float, high: float) -> Numbers:
    """Brightness from -0.5 to 0.5, so that inverting is a change of sign and exact (C.11.2)."""
    center, width = number_of(dataset, "WindowCenter"), number_of(dataset, "WindowWidth")
    if dataset.get("VOILUTSequence"):
        values, low, high = _looked_up(dataset, "VOILUTSequence", values)
    elif center is not None and width is not None:
        return _windowed(values, center, width, dataset.get("VOILUTFunction") or "LINEAR")
    return (values - (low + high) / 2) / (high - low)


def _windowed(values: Numbers, center: float, width: float, function: str) -> Numbers:
    if function not in _FUNCTIONS:
        raise DataError(f"a VOI LUT function {function} is not one of {', '.join(_FUNCTIONS)}")
    if width <= 0 or (function == "LINEAR" and width < 1):
        least = "at least 1" if function == "LINEAR" else "above 0"
        raise DataError(f"the width of a {function} window must be {least}, got {width:g}")
    if function == "SIGMOID":
        return 0.5 * np.tanh(2 * (values - center) / width)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return np.where(values > center, 0.5, -0.5)
    return np.clip((values - center) / width, -0.5, 0.5)


def _looked_up(dataset: Any, name: str, values: Numbers) -> tuple[Numbers, float, float]:
    """Values through a sequence's first table, and the range of its entries (C.11.1.1.1)."""
    item = dataset[name].value[0]
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    count = count or 2**16
    data = item.LUTData
    entries = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.atleast_1d(data)
    if len(entries) != count or not 8 <= bits <= 16 or entries.max() >= 2**bits:
        raise DataError(
            f"its {name} has {len(entries)} entries up to {entries.max()}, where its descriptor "
            f"says {count} of {bits} bits"
        )
    rows = np.clip(np.rint(values) - first, 0, count - 1).astype(np.int64)
    return entries[rows].astype(np.float64), 0.0, 2.0**bits - 1


def own_window(dataset: Any) -> str:
    """As ``LOW:HIGH``, or ``a table``; empty if it has none."""
    if dataset.get("VOILUTSequence"):
        return "a table"
    center, width = number_of(dataset, "WindowCenter"), number_of(dataset, "WindowWidth")
    if center is None or width is None:
        return ""
    return f"{center - width / 2:.6g}:{center + width / 2:.6g}"


def is_padding(dataset: Any, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values stand for no measurement (C.7.5.1.1.2)."""
    first = number_of(dataset, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, np.bool_)
    last = number_of(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    return (stored >= low) & (stored <= high)


def number_of(dataset: Any, name: str) -> float | None:
    """A header's number, the first of several; ``None`` if it is absent or empty."""
    value = dataset.get(name)
    if value is None or value == "":
        return None
    number = float(value if isinstance(value, float | int | str) else value[0])
    if not math.isfinite(number):
        raise DataError(f"its {name} is {number}")
    return number
