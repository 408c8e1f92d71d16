"""Pages: one HTML file each, which loads nothing from elsewhere and runs no script.

Templates lie in ``pages/``; ``base.html`` has the looks, ``parts.html`` what pages share. Whatever
is put into them is escaped: names of labels and files may be anything.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.core import Images
from tgap.core.files import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

TEMPLATES = Path(__file__).parent / "pages"
SIDE = 96
"""Pixels of a picture at most."""


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write it.

    Args:
        path: The HTML file, which is written anew if it is there.
        template: Its name in ``pages/``.
        values: What it needs, by name.

    Raises:
        DataError: If the file cannot be written.
    """
    write_whole(path, page_text(template, **values), "the page")


def page_text(template: str, **values: Any) -> str:
    """A filled template, in which everything is escaped that a template does not mark as safe.

    Args:
        template: Its name in ``pages/``.
        values: What it needs, by name.
    """
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(template).render(version=version("tgap"), **values)


def picture(image: Images) -> str:
    """An image, ``(H, W, C)`` uint8, as a data URI; a large one is reduced, and kept as JPEG."""
    from PIL import Image

    shown = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    if max(shown.size) <= SIDE:
        return encoded(shown, "PNG")
    shown.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return encoded(shown, "JPEG")


def encoded(shown: "Image", kind: str) -> str:
    """A picture as a data URI; ``kind`` is PNG or JPEG."""
    buffer = io.BytesIO()
    shown.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def bars_path(counts: Sequence[int], bins: int) -> str:
    """The outline of a histogram as an SVG path, in a box of ``bins`` by 100.

    Heights are square roots, so that small parts are seen beside large ones.
    """
    heights = np.sqrt(np.reshape(counts, (bins, -1)).sum(axis=1))
    tops = 100 - 100 * heights / max(heights.max(), 1)
    return "M0 100" + "".join(f"V{top:.1f}h1" for top in tops) + "V100Z"


@dataclass(frozen=True)
class LogAxis:
    """Powers of two that hold all values, as places from 0 to 1.

    Args:
        low: Least power.
        high: Greatest power.
    """

    low: int
    high: int

    @classmethod
    def over(cls, values: Sequence[float]) -> "LogAxis":
        """The axis of positive values, none of which stands at its ends."""
        return cls(math.ceil(math.log2(min(values))) - 1, math.floor(math.log2(max(values))) + 1)

    def place(self, value: float) -> float:
        """Where a value stands."""
        return (math.log2(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[int]:
        """The powers."""
        return [2**power for power in range(self.low, self.high + 1)]
