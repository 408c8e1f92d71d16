"""Base of datasets whose files may store values of more than 8 bits."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from tgap.core import option
from tgap.datasets.reading.resized import ResizedDataset
from tgap.datasets.reading.window import DATA, FULL, given_window


@dataclass(kw_only=True)
class WindowedDataset(ResizedDataset):
    """Images whose values become black and white by a window.

    Args:
        window: ``full``: black and white are what the format can hold (0 and 65535 of 16 bits; of a
            DICOM file its own window, or what its bits can hold). ``data``: the least and the
            greatest value of all files without a window of their own, labelled as they may be, test
            set included. ``LOW:HIGH``: these values, such as ``0:4095``, or ``-160:240`` Hounsfield
            units; it goes before what DICOM files say. Images of 8 bits have a scale of their own:
            ``data`` concerns them if no file has more bits, ``LOW:HIGH`` if both lie within 0 to
            255 and the upper one is above 1 (0:1 is of fractions).
    """

    version: ClassVar[int] = 3
    """3: DICOM images of oblong pixels are shown undistorted, and more is told of what files hold.
    2: what earlier versions read as black, in other colours or as other people is not reused."""

    window: str = option(
        FULL, "values that become black and white: full, data (least and greatest) or LOW:HIGH"
    )

    def problems(self) -> list[str]:
        """What is wrong with the window."""
        given, problems = given_window(self.window), super().problems()
        if given is None and self.window not in (FULL, DATA):
            problems.append(
                f"window must be {FULL}, {DATA} or two numbers LOW:HIGH such as 0:4095, got "
                f"{self.window!r}"
            )
        elif given is not None and not given.low < given.high < math.inf:
            problems.append(f"window must be LOW:HIGH with LOW below HIGH, got {self.window!r}")
        return problems

    def identity(self) -> dict[str, Any]:
        """With the window in one form, and without the usual one."""
        identity, given = super().identity(), given_window(self.window)
        identity["window"] = [given.low, given.high] if given else self.window
        return {key: value for key, value in identity.items() if (key, value) != ("window", FULL)}

    def remedy(self) -> str:
        """By the window."""
        if self.window != FULL:
            return f"dataset.window={self.window} leaves little of them: set other values LOW:HIGH"
        return (
            "set dataset.window=data, so that the least and greatest value of all files are black "
            "and white, or LOW:HIGH; what is transparent becomes black: put such images on white"
        )
