"""Which of the values that files store become black and white."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import Images
from tgap.datasets.reading.colours import Shades

FULL, DATA = "full", "data"
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"
_ENDS = re.compile(rf"\s*{_NUMBER}\s*[:,]\s*{_NUMBER}\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Window:
    """Values from ``low`` to ``high`` become 0 to 255, linearly; others are clipped.

    Args:
        low: What becomes 0.
        high: What becomes 255.
        eight_bit: Whether it holds for images of 8 bits too, which have a scale of their own.
        given: Whether a person named the ends; a DICOM file's own window gives way to these only.
    """

    low: float
    high: float
    eight_bit: bool
    given: bool

    def levels(self, values: NDArray[np.generic]) -> Images:
        """Grey levels of values, rounded."""
        share = (values.astype(np.float64) - self.low) / (self.high - self.low)
        levels: Images = np.rint(255 * share.clip(0, 1)).astype(np.uint8)
        return levels


@dataclass(frozen=True)
class Stored:
    """What a file stores.

    Args:
        values: Its values, those of padding aside.
        levels: What each of them becomes.
        deep: Whether they have more than 8 bits.
        soft: Share of its pixels that are neither opaque nor transparent, nor as most of these.
        wrapped: Whether they look like greater ones, of which the lower 8 bits were kept.
        swapped: Whether they look like others whose two bytes are in the wrong order.
        blank: Share of its pixels that hold no number (NaN, infinite), which are left out.
        own: Whether a window or table of its own makes the levels.
        shades: Its colours; ``None`` if it has one channel.
    """

    values: NDArray[np.generic]
    levels: Images
    deep: bool
    soft: float = 0.0
    wrapped: bool = False
    swapped: bool = False
    blank: float = 0.0
    own: bool = False
    shades: Shades | None = None

    @property
    def top(self) -> float:
        """The grey level that 99.9 % of the pixels do not exceed."""
        return float(np.quantile(self.levels, 0.999))


def given_window(text: str) -> Window | None:
    """The window that a setting names; ``None`` if it names none.

    >>> given_window("-160:240")
    Window(low=-160.0, high=240.0, eight_bit=False, given=True)
    """
    found = _ENDS.fullmatch(text)
    if found is None:
        return None
    low, high = float(found[1]), float(found[2])
    return Window(low, high, eight_bit=low >= 0 and 1 < high <= 255, given=True)


def setting(low: float, high: float) -> str:
    """A setting that shows values between two ends: a number of bits where these are counts.

    >>> setting(3, 4080), setting(-1000, 3071.5), setting(3000, 4000)
    ('0:4095', '-1000:3071.5', '3000:4000')
    """
    if 0 <= low < high / 4 and float(high).is_integer() and high < 2**15:
        return f"0:{2 ** int(high).bit_length() - 1}"
    return f"{low:.6g}:{high:.6g}"
