"""What a comparison looks like, a panel at a time, on matplotlib's axes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.analysis.contrasts import Contrast
from tgap.analysis.groups import RunGroup
from tgap.metrics.gap import CHANCE
from tgap.metrics.intervals import Interval
from tgap.metrics.significance import LEVEL
from tgap.report.headings import label_at_size, label_of
from tgap.report.runs.styles import CONTROL, Look, cut
from tgap.report.runs.thesis import ThesisPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GUIDE: dict[str, Any] = {"color": CONTROL, "linewidth": 0.8, "zorder": 0}
STEPS = {0.15: 0.02, 0.35: 0.05, 1.0: 0.1}
"""How far lines of equal FTER are apart, by how much of the axes is shown at most."""
NAME_LINE = 0.042
"""Share of a panel's height that a line of text takes."""
LINES = 5
"""Of equal FTER."""


def draw_key(panel: "Axes", looks: Sequence[Look], bars: bool = False) -> None:
    """The methods' names beside their marks, or beside their bars."""
    panel.set_axis_off()
    panel.set(xlim=(0, 10), ylim=(len(looks) - 0.5, -0.5))
    for place, look in enumerate(looks):
        if bars:
            panel.barh([place], [1.0], 0.7, left=0.1, **look.bar())
        else:
            panel.plot([0.1, 0.6, 1.1], [place] * 3, **look.line())
        panel.text(1.4, place, cut(look.label), va="center")


def draw_legs(
    panel: "Axes",
    groups: Sequence[RunGroup],
    looks: Mapping[str, Look],
    thesis: Sequence[ThesisPoint] = (),
) -> None:
    """TSTR against TRTS with their intervals, and lines of equal FTER."""
    there = [one for one in groups if _is_known(one, "tstr/auroc", "trts/auroc")]
    ends = [_ends(one.numbers[f"{leg}/auroc"]) for one in there for leg in ("tstr", "trts")]
    lowest = [*(lo for lo, _ in ends), *(min(one.tstr, one.trts) for one in thesis)]
    low = max(0.0, min(lowest, default=CHANCE) - 0.03)
    _draw_ratios(panel, low)
    for key, look in looks.items():
        of_method = [one for one in there if one.method_key == key]
        points = np.array(
            [
                [one.numbers[f"{leg}/auroc"].estimate for leg in ("trts", "tstr")]
                for one in of_method
            ]
        )
        if len(points) > 1:
            panel.plot(*points.T, color=look.colour, linestyle=look.dashes, linewidth=0.8)
        for one in of_method:
            _draw_point(panel, one, look, named=len(of_method) > 1)
    for place, point in enumerate(thesis):
        panel.plot([point.trts], [point.tstr], color="black", marker="x", markersize=5)
        off = (-5, 3 if place % 2 else -8)  # neighbours' names above and below
        spot: dict[str, Any] = {"textcoords": "offset points", "fontsize": 6, "ha": "right"}
        panel.annotate(point.name, (point.trts, point.tstr), off, **spot)
    high = 1 + 0.03 * (1 - low)
    _name_controls(panel, [one for one in there if looks[one.method_key].control], low, high)
    panel.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    panel.set(xlabel="TRTS: trained on real, tested on synthetic")
    panel.set(ylabel="TSTR: trained on synthetic, tested on real")


def _draw_ratios(panel: "Axes", low: float) -> None:
    step = next(step for shown, step in STEPS.items() if 1 - low <= shown)
    for ratio in (1 - step * number for number in range(LINES)):
        if ratio > low:
            panel.plot([low, 1], [ratio * low, ratio], linestyle=(0, (1, 2)), **GUIDE)
            text = f"{'FTER ' if ratio == 1 else ''}{ratio:g}"
            panel.text(1.0, ratio, text, color="black", fontsize=7, ha="right", va="bottom")
    for line in (panel.axhline, panel.axvline):
        if low < CHANCE:
            line(CHANCE, linestyle="-", **GUIDE)


def _draw_point(panel: "Axes", group: RunGroup, look: Look, named: bool) -> None:
    trts, tstr = (group.numbers[f"{leg}/auroc"] for leg in ("trts", "tstr"))
    panel.errorbar(
        trts.estimate,
        tstr.estimate,
        xerr=_reach(trts),
        yerr=_reach(tstr),
        **(look.line() | {"linestyle": "none"}),
        elinewidth=0.8,
        capsize=2,
    )
    if named:
        at = (trts.estimate, tstr.estimate)
        panel.annotate(str(group.size), at, (5, -9), textcoords="offset points", fontsize=7)


def _name_controls(panel: "Axes", groups: Sequence[RunGroup], low: float, high: float) -> None:
    """Names above controls' intervals, each on a line of its own; a stroke where that is far."""
    line, middle = NAME_LINE * (high - low), (low + high) / 2
    sizes = Counter(one.method_key for one in groups)
    points = [[one.numbers[f"{leg}/auroc"].estimate for leg in ("trts", "tstr")] for one in groups]
    last = math.inf
    for (trts, tstr), group in sorted(zip(points, groups, strict=True), key=lambda one: -one[0][1]):
        several = sizes[group.method_key] > 1
        name = label_at_size(group, groups) if several else label_of(group, groups)
        wanted = tstr + 0.6 * line
        last = min(wanted, last - line)
        aside = -0.3 * line if trts > middle else 0.3 * line  # towards the side that has room
        stroke = {"arrowstyle": "-", "color": CONTROL, "linewidth": 0.6}
        panel.annotate(
            cut(name),
            (trts, tstr),
            (trts + aside, last),
            ha="right" if trts > middle else "left",
            va="center",
            fontsize=7.5,
            arrowprops=stroke if wanted - last > line else None,
        )


def draw_sizes(
    panel: "Axes",
    groups: Sequence[RunGroup],
    looks: Mapping[str, Look],
    metric: str,
    reference: float = math.nan,
) -> None:
    """A metric over the tuning set's size with intervals; without a size, a level line."""
    sizes = sorted({one.size for one in groups if one.size is not None})
    for number, (key, look) in enumerate(looks.items()):
        of_method = [one for one in groups if one.method_key == key and _is_known(one, metric)]
        sized = [one for one in of_method if one.size is not None]
        if sized:
            # Beside each other, so that intervals at one size can all be seen.
            at = [(one.size or 1) * 1.025 ** (number - (len(looks) - 1) / 2) for one in sized]
            values = [one.numbers[metric] for one in sized]
            reach = np.array([_reach(value)[:, 0] for value in values]).T
            means = [value.estimate for value in values]
            panel.errorbar(at, means, yerr=reach, **look.line(), elinewidth=0.8, capsize=2)
        for one in of_method:
            if one.size is None:
                dashes = {"color": look.colour, "linestyle": look.dashes, "linewidth": 1}
                panel.axhline(one.numbers[metric].estimate, **dashes)
    if not math.isnan(reference):
        panel.axhline(reference, color="black", linewidth=0.8)
    panel.set_xscale("log")
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.minorticks_off()
    panel.set(xlabel="tuning images", xlim=(min(sizes) / 1.25, max(sizes) * 1.25))


def draw_differences(panel: "Axes", pairs: Sequence[Contrast], groups: Sequence[RunGroup]) -> None:
    """Paired differences with their intervals; filled where the difference is shown."""
    panel.axvline(0, **(GUIDE | {"linewidth": 1.0}))
    for place, pair in enumerate(pairs):
        value, shown = pair.difference, pair.p_value <= LEVEL
        panel.errorbar(
            value.estimate,
            place,
            xerr=_reach(value),
            color="black",
            marker="D" if shown else "o",
            markerfacecolor="black" if shown else "none",
            markersize=5,
            elinewidth=0.9,
            capsize=2,
        )
        name = (
            f"{cut(label_at_size(pair.first, groups))} - {cut(label_at_size(pair.second, groups))}"
        )
        panel.text(
            0, place - 0.28, name, transform=panel.get_yaxis_transform(), fontsize=7.5, va="bottom"
        )
    panel.set(ylim=(len(pairs) - 0.5, -0.8), yticks=[], xlabel="difference of TSTR")
    panel.spines["left"].set_visible(False)


def draw_bars(
    panel: "Axes",
    names: Sequence[str],
    values: Mapping[str, Sequence[Interval]],
    looks: Mapping[str, Look],
    reference: Sequence[float],
) -> None:
    """AUROCs by label as bars from chance; the real classifier's as upright strokes.

    Args:
        panel: To draw on.
        names: Of labels or findings.
        values: By method's key, one per name.
        looks: Of the methods.
        reference: TRTR, one per name.
    """
    thick = 0.8 / max(1, len(values))
    for number, (key, of_method) in enumerate(values.items()):
        at = np.arange(len(names)) - 0.4 + thick * (number + 0.5)
        means = np.array([one.estimate for one in of_method])
        reach = np.concatenate([_reach(one) for one in of_method], axis=1)
        panel.barh(
            at,
            np.nan_to_num(means, nan=CHANCE) - CHANCE,
            thick * 0.9,
            left=CHANCE,
            **looks[key].bar(),
            xerr=reach,
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "ecolor": "black"},
        )
    edges = np.arange(len(names))
    panel.vlines(reference, edges - 0.42, edges + 0.42, color="black", linewidth=1.5)
    panel.axvline(CHANCE, **GUIDE)
    panel.set_yticks(edges, [cut(name) for name in names])
    panel.set(ylim=(len(names) - 0.5, -0.5), xlabel="AUROC on real test images")


def draw_roc(
    panel: "Axes",
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    looks: Mapping[str, Look],
    title: str,
) -> None:
    """ROC curves of one label: TSTR of each method, and TRTR in black, under the key ``""``."""
    panel.plot([0, 1], [0, 1], **GUIDE)
    for key, (false, true) in curves.items():
        style: dict[str, Any] = {"color": "black", "linestyle": "-", "linewidth": 0.9}
        if key:
            look = looks[key]
            style = {"color": look.colour, "linestyle": look.dashes, "linewidth": 1.4}
        panel.plot(false, true, **style)
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    panel.set(xlabel="false positive rate", ylabel="true positive rate")
    panel.set_title(cut(title))


def _is_known(group: RunGroup, *metrics: str) -> bool:
    return bool(group.seeds) and not any(
        math.isnan(group.numbers[name].estimate) for name in metrics
    )


def _ends(value: Interval) -> tuple[float, float]:
    known = not math.isnan(value.lo)
    return (value.lo, value.hi) if known else (value.estimate, value.estimate)


def _reach(value: Interval) -> np.ndarray:
    """``(2, 1)``: how far the interval reaches to both sides; 0 where there is none."""
    lo, hi = _ends(value)
    return np.nan_to_num([[max(0.0, value.estimate - lo)], [max(0.0, hi - value.estimate)]])
