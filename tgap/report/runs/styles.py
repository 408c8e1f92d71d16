"""How methods look in figures: colours, markers and dashes, so that grey prints tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from tgap.analysis.groups import RunGroup

# Okabe & Ito's colours that are seen on white and on dark grounds; yellow is not.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
HATCHES = ("", "///", "\\\\\\", "xxx", "|||", "---", "+++")  # no dots: SVG makes 150 kB of them
CONTROL = "#808080"
LONGEST = 34
"""Letters of a name that a figure has room for; tables have the whole."""


@dataclass(frozen=True)
class Look:
    """Of one method.

    Args:
        label: Its name.
        colour: As matplotlib names it.
        marker: The same.
        dashes: The same.
        hatch: The same, of bars.
    """

    label: str
    colour: str
    marker: str
    dashes: Any
    hatch: str

    def bar(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``barh``."""
        return {"color": self.colour, "hatch": self.hatch, "edgecolor": "white", "linewidth": 0}

    def line(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` and ``errorbar``."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dashes,
            "linewidth": 1.3,
            "markersize": 5,
            "markeredgewidth": 0,
        }


def looks_of(groups: Sequence[RunGroup]) -> dict[str, Look]:
    """A look for each method, by its key; controls are grey."""
    methods: dict[str, RunGroup] = {}
    for group in groups:
        methods.setdefault(group.method_key, group)
    marks = zip(cycle(MARKERS), cycle(DASHES), cycle(HATCHES), strict=False)
    colours = cycle(COLOURS)
    return {
        key: Look(group.method, CONTROL if group.is_control else next(colours), *mark)
        for (key, group), mark in zip(methods.items(), marks, strict=False)
    }


def cut(name: str) -> str:
    """A name as long as a figure has room for: its start, and its end, which tells it apart."""
    flat = " ".join(name.split())
    end = LONGEST // 2
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1 - end]}…{flat[-end:]}"
