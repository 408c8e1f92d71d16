"""Draws what moves the gap: guidance, and coverage, in each world.

Usage: ``python -m experiments.thesis.figure [FILE]``. Reads ``runs.csv`` and draws the figure of
``docs/thesis_results.md``, or another file. Above, TSTR and TRTS of random images at each guidance;
below, TSTR by coverage, a point for each row of a table. Means over seeds with 95 % t intervals
over seeds: other than a table's, these leave out that test images are a draw too.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import t as student

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, str]
COLOURS = {"tstr": "#0072b2", "trts": "#d55e00"}
MARKERS: Mapping[str, tuple[str, str]] = {
    "random": ("o", "#0072b2"),
    "clip_spectral": ("s", "#d55e00"),
    "pixel_spectral": ("D", "#009e73"),
    "quantile": ("^", "#cc79a7"),
    "random_skip": ("v", "#999999"),
    "typical": ("*", "#e69f00"),
    "whole": ("*", "#e69f00"),
}
"""By what is in a method's name, the last that is."""
WORDS = {"quantile": "active", "random_skip": "skipped at random", "whole": "textbook"}


class Mean(NamedTuple):
    """Over seeds, with half the width of its interval."""

    value: float
    half: float


def mean(values: Sequence[float]) -> Mean:
    """With a t interval; no width where there is one value."""
    array = np.array(values, dtype=np.float64)
    if len(array) < 2:
        return Mean(float(array.mean()), 0.0)
    half = student.ppf(0.975, len(array) - 1) * array.std(ddof=1) / len(array) ** 0.5
    return Mean(float(array.mean()), float(half))


def tuned(rows: Sequence[Row], world: str) -> list[Row]:
    """Runs of a world that tuned, by the clean protocol."""
    return [
        row
        for row in rows
        if row["world"] == world
        and row["protocol"] == "clean"
        and row["control"] == "no"
        and row["method"] != "none"
    ]


def grouped(rows: Sequence[Row], columns: Sequence[str]) -> dict[tuple[str, ...], list[Row]]:
    """Runs that are alike in some columns, sorted."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return dict(sorted(groups.items()))


def over_guidance(axes: "Axes", rows: Sequence[Row]) -> None:
    """TSTR and TRTS of the runs whose like was drawn at several scales."""
    groups = grouped(rows, ("method", "size", "steps", "guidance"))
    scales: dict[tuple[str, ...], set[str]] = {}
    for key in groups:
        scales.setdefault(key[:3], set()).add(key[3])
    several = [key for key in groups if len(scales[key[:3]]) > 1]
    for name, colour in COLOURS.items():
        points = sorted(
            (float(key[3]), mean([float(r[name]) for r in groups[key]])) for key in several
        )
        axes.errorbar(
            range(len(points)),
            [point.value for _, point in points],
            [point.half for _, point in points],
            color=colour, marker="o", capsize=3, label=name.upper(),
        )  # fmt: skip
        axes.set_xticks(range(len(points)), [f"{scale:g}" for scale, _ in points])
    axes.set_xlabel("guidance")
    axes.set_ylabel("macro AUROC")
    axes.legend(frameon=False)


def over_coverage(axes: "Axes", rows: Sequence[Row]) -> None:
    """TSTR over coverage, a point for each method, size, number of steps and guidance."""
    told = set()
    for key, own in grouped(rows, ("method", "size", "steps", "guidance")).items():
        kind = [name for name in MARKERS if name in key[0]][-1]
        marker, colour = MARKERS[kind]
        words = WORDS.get(kind, kind.replace("_spectral", " clusters").replace("clip", "CLIP"))
        across, up = (mean([float(r[column]) for r in own]) for column in ("coverage", "tstr"))
        axes.errorbar(
            across.value, up.value, up.half, across.half,
            color=colour, marker=marker, markersize=6, elinewidth=0.7,
            label=None if words in told else words,
        )  # fmt: skip
        told.add(words)
    axes.set_xlabel("coverage")
    axes.set_ylabel("TSTR")
    axes.legend(frameon=False, fontsize=8)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Both, of each world that has tuned runs."""
    from matplotlib.figure import Figure

    worlds = [world for world in dict.fromkeys(row["world"] for row in rows) if tuned(rows, world)]
    figure = Figure(figsize=(5 * len(worlds), 8), layout="constrained")
    places = figure.subplots(2, len(worlds), squeeze=False)
    for column, world in enumerate(worlds):
        places[0, column].set_title(world)
        over_guidance(places[0, column], tuned(rows, world))
        over_coverage(places[1, column], tuned(rows, world))
    for place in places.flat:
        place.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    own = Path(__file__).parent
    out = own.parents[1] / "docs" / "thesis_explained.png"
    with (own / "runs.csv").open(encoding="utf-8", newline="") as file:
        draw([*csv.DictReader(file)], Path(sys.argv[1]) if len(sys.argv) > 1 else out)
