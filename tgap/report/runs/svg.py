"""Figures as SVG for a page: in its colours, with a text in place of the picture."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMESPACE = "{http://www.w3.org/2000/svg}"
SCALE = 1.33
"""Pixels of a page for a point of a figure."""
LINK = "{http://www.w3.org/1999/xlink}href"
STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, found and copied
    "svg.hashsalt": "tgap",
    "text.parse_math": False,  # names may hold dollar signs
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # laid out alike everywhere
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
}


@dataclass(frozen=True)
class Picture:
    """A figure for a page.

    Args:
        svg: An ``<svg>`` element, without anything that two of a page must not share.
        alt: What it shows, in numbers.
    """

    svg: str
    alt: str


@contextmanager
def page_style() -> Iterator[None]:
    """Inside, figures are made as pages have them."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        yield


def as_picture(figure: "Figure", name: str, alt: str) -> Picture:
    """A figure as an ``<svg>`` element.

    Black becomes ``currentColor``, so that the page's dark and light colours both do.

    Args:
        figure: Of matplotlib, made inside ``page_style``.
        name: Different for each figure of a page: ids begin with it.
        alt: What it shows, in numbers.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ET.fromstring(file.getvalue())
    for unwanted in root.findall(f"{NAMESPACE}metadata"):
        root.remove(unwanted)
    _rename(root, name)
    width = float(root.attrib["width"].removesuffix("pt"))
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    style = f"width: {SCALE * width:.0f}px"  # letters of one size in all figures
    root.attrib |= {"role": "img", "aria-label": alt, "class": "chart", "style": style}
    text = ET.tostring(root, encoding="unicode")
    return Picture(_plain_tags(text), alt)


def _rename(root: ET.Element, name: str) -> None:
    """Take the namespaces off, keep the ids that something points to, and make them the page's."""
    used = {target for element in root.iter() for target in _targets(element)}
    for element in root.iter():
        element.tag = element.tag.removeprefix(NAMESPACE)
        if (target := element.attrib.pop(LINK, None)) is not None:
            element.attrib["href"] = f"#{name}-{target.removeprefix('#')}"
        if (own := element.attrib.pop("id", None)) in used:
            element.attrib["id"] = f"{name}-{own}"
        for key, value in element.attrib.items():
            value = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", value)
            value = re.sub(r"font-family: [^;]*; ?", "", value)  # the page has its own
            element.attrib[key] = value.replace("#000000", "currentColor")


def _targets(element: ET.Element) -> Iterator[str]:
    for value in element.attrib.values():
        yield from re.findall(r"url\(#([^)]+)\)", value)
    yield element.attrib.get(LINK, "").removeprefix("#")


def _plain_tags(text: str) -> str:
    """Without the spaces between elements, of which matplotlib makes many."""
    return re.sub(r">\s+<", "><", text)
