"""How methods look in figures: colours, markers and dashes, so that grey prints tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from tgap.analysis.groups import RunGroup

# Okabe & Ito's colours that are seen on white and on dark grounds; yellow is not.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h")
HOLLOW = ("o", "s", "^", "D", "v", "p", "h", "<", ">", "*")
"""Markers of controls, which have an inside to be left open."""
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
        control: Whether it is a control: hollow, and named beside its point.
    """

    label: str
    colour: str
    marker: str
    dashes: Any
    hatch: str
    control: bool = False

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
            "markeredgewidth": 1.1 if self.control else 0,
            "markerfacecolor": "none" if self.control else self.colour,
        }


def looks_of(groups: Sequence[RunGroup]) -> dict[str, Look]:
    """A look for each method, by its key; controls are grey and hollow, each of another shape."""
    methods: dict[str, RunGroup] = {}
    for group in groups:
        methods.setdefault(group.method_key, group)
    colours, dashes, hatches = cycle(COLOURS), cycle(DASHES), cycle(HATCHES)
    filled, hollow = cycle(MARKERS), cycle(HOLLOW)
    found = {}
    for key, group in methods.items():
        control = group.is_control
        colour, marker = (CONTROL, next(hollow)) if control else (next(colours), next(filled))
        found[key] = Look(group.method, colour, marker, next(dashes), next(hatches), control)
    return found


def cut(name: str) -> str:
    """A name as long as a figure has room for: its start, and its end, which tells it apart."""
    flat = " ".join(name.split())
    end = LONGEST // 2
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1 - end]}…{flat[-end:]}"
