"""Draws what each way adds to the TSTR of the plain one, from ``table.csv``.

Usage: ``python -m experiments.beyond_drawing.figure [TABLE [PNG]]``: a panel for each world and
size, a line for each way, 95 % intervals for new seeds and test images, filled where the
difference is shown (Holm over all ways of a world).
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.beyond_drawing.table import HEADER
from experiments.thesis.runs import lines_of
from tgap.metrics.significance import LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line = Mapping[str, str]
NAMES = {
    "plain": "guidance as a range",
    "guided_from=0.2": "guided from .2 to .8",
    "train_per_label=900": "900 images a label",
    "scheduler=ddpm train_per_label=900": "900 images a label (ddpm)",
    "variation train_per_label=900": "variation, 900 images a label",
    "class=attributes drawn=joint": "attributes in prompts",
    "class=attributes drawn=balanced": "attributes, balanced",
    "value_based (candidates=3, reward=label) scheduler=ddpm": "value_based (ddpm)",
}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


def panel(
    axes: "Axes", lines: Sequence[Line], names: Sequence[str], colour: Mapping[str, str]
) -> None:
    """The differences of one world and size."""
    scales = [scale for scale in colour if any(line["guidance"] == scale for line in lines)]
    for line in lines:
        value, lo, hi = (float(line[name]) for name in ("more", "more_lo", "more_hi"))
        shown = bool(line["p"]) and float(line["p"]) <= LEVEL
        shift = (scales.index(line["guidance"]) - (len(scales) - 1) / 2) * 0.25
        axes.errorbar(
            value, names.index(line["way"]) + shift, xerr=[[value - lo], [hi - value]], fmt="o",
            color=colour[line["guidance"]], markersize=5, elinewidth=1.3,
            markerfacecolor=colour[line["guidance"]] if shown else "white",
        )  # fmt: skip
    axes.axvline(0, color="0.6", linewidth=1, zorder=0)
    axes.set_yticks(range(len(names)), [NAMES.get(name, name) for name in names])
    axes.locator_params(axis="x", nbins=4)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="0.93")
    axes.set_title(f"{lines[0]['world']}, {lines[0]['size']} tuning images", fontsize=10)
    axes.set_xlabel("TSTR minus that of the plain way")


def draw(table: Sequence[Line], path: Path) -> None:
    """A panel for each world and size that has differences."""
    from matplotlib.figure import Figure

    lines = [line for line in table if line["more"] and line["more_lo"]]
    names = list(dict.fromkeys(line["way"] for line in lines))
    places = list(dict.fromkeys((line["world"], line["size"]) for line in lines))
    scales = sorted({line["guidance"] for line in lines})
    colour = dict(zip(scales, COLOURS, strict=False))
    figure = Figure(
        figsize=(3.2 + 3.4 * len(places), 1.6 + 0.42 * len(names)), layout="constrained"
    )
    grid = figure.subplots(1, len(places), squeeze=False, sharex=True, sharey=True)[0]
    for axes, place in zip(grid, places, strict=True):
        own = [line for line in lines if (line["world"], line["size"]) == place]
        panel(axes, own, names, colour)
    for scale in scales:
        axes.plot([], [], "o", color=colour[scale], label=f"guidance {scale}")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    here = Path(__file__).parent
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else here / "table.csv"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else here.parents[1] / "docs/beyond_drawing.png"
    draw(lines_of(source, HEADER), target)
