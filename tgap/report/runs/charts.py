"""A report's figures, each with a text that says in numbers what it shows."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tgap.analysis.comparison import PRIMARY, Comparison
from tgap.analysis.contrasts import Contrast
from tgap.analysis.groups import RunGroup
from tgap.core import Scores
from tgap.metrics.classification import auroc
from tgap.metrics.intervals import Interval
from tgap.metrics.significance import LEVEL, p_text
from tgap.report.headings import decimal, heading_of, joined, label_at_size, told
from tgap.report.runs import panels
from tgap.report.runs.styles import Look
from tgap.report.runs.svg import Picture, as_picture
from tgap.report.runs.thesis import ThesisPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OVER_SIZES = (PRIMARY, "trts/auroc", "fter")
PAIRS = 24
"""Differences that are drawn, at most."""
POINTS = 80
"""Of a ROC curve, at most."""


def draw(name: str, size: tuple[float, float], alt: str, fill: "Callable[[Axes], None]") -> Picture:
    """One panel as a picture, ``size`` inches large."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    fill(figure.subplots())
    return as_picture(figure, name, alt)


def key_chart(name: str, looks: Sequence[Look], bars: bool = False) -> Picture:
    """The methods' marks, or their bars."""
    alt = f"Key: {joined(look.label for look in looks)}"
    size = (4.2, 0.22 * len(looks))
    return draw(name, size, alt, lambda panel: panels.draw_key(panel, looks, bars))


def legs_chart(
    name: str,
    groups: Sequence[RunGroup],
    looks: Mapping[str, Look],
    thesis: Sequence[ThesisPoint] = (),
) -> Picture:
    """TSTR against TRTS."""
    said = [
        f"{label_at_size(one, groups)}: TSTR {told(one.numbers[PRIMARY])}, "
        f"TRTS {told(one.numbers['trts/auroc'])}"
        for one in groups
        if one.seeds
    ]
    said += [
        f"thesis, {one.name}: TSTR {decimal(one.tstr)}, TRTS {decimal(one.trts)}" for one in thesis
    ]
    alt = f"TSTR against TRTS. {'; '.join(said)}"
    return draw(name, (4.4, 4.4), alt, lambda panel: panels.draw_legs(panel, groups, looks, thesis))


def size_charts(
    name: str, groups: Sequence[RunGroup], looks: Mapping[str, Look]
) -> list[tuple[str, Picture]]:
    """Heading and picture of each of ``OVER_SIZES``; none where there is one size."""
    if len({one.size for one in groups if one.size is not None}) < 2:
        return []
    found = []
    for metric in OVER_SIZES:
        level = ceiling_of(groups, metric)
        said = [
            f"{label_at_size(one, groups)}: {told(one.numbers[metric])}"
            for one in groups
            if one.seeds
        ]
        heading = heading_of(metric)
        also = f". The black line is TRTR, {decimal(level)}" if not math.isnan(level) else ""
        alt = f"{heading} over the size of the tuning set. {'; '.join(said)}{also}"

        def fill(panel: "Axes", metric: str = metric, level: float = level) -> None:
            panels.draw_sizes(panel, groups, looks, metric, level)
            panel.set_ylabel(heading_of(metric))

        found.append((heading, draw(f"{name}-{heading}", (3.5, 3.0), alt, fill)))
    return found


def ceiling_of(groups: Sequence[RunGroup], metric: str) -> float:
    """Mean TRTR, what TSTR is measured by; NaN for other metrics."""
    trtr = [one.numbers["trtr/auroc"].estimate for one in groups if one.seeds]
    known = [value for value in trtr if not math.isnan(value)]
    return math.fsum(known) / len(known) if known and metric == PRIMARY else math.nan


def drawn_pairs(comparison: Comparison) -> list[Contrast]:
    """Pairs that have a difference, the largest sizes first; ``PAIRS`` at most."""
    pairs = [pair for pair in comparison.pairs if not math.isnan(pair.difference.estimate)]
    return sorted(pairs, key=lambda pair: -max(one.size or 0 for one in pair.groups))[:PAIRS]


def difference_chart(name: str, comparison: Comparison) -> Picture | None:
    """The forest plot of ``drawn_pairs``."""
    pairs = drawn_pairs(comparison)
    if not pairs:
        return None
    groups = comparison.groups
    alt = f"Differences of TSTR. {'; '.join(_pair_told(pair, groups) for pair in pairs)}"
    size = (4.4, 0.6 + 0.42 * len(pairs))
    return draw(name, size, alt, lambda panel: panels.draw_differences(panel, pairs, groups))


def _pair_told(pair: Contrast, groups: Sequence[RunGroup]) -> str:
    shown = "shown" if pair.p_value <= LEVEL else "not shown"
    test = "no test" if math.isnan(pair.p_value) else f"{shown}, {p_text(pair.p_value)}"
    return (
        f"{label_at_size(pair.first, groups)} minus {label_at_size(pair.second, groups)}: "
        f"{told(pair.difference, '+')}, {test}"
    )


def bar_chart(
    name: str,
    what: str,
    names: Sequence[str],
    values: Mapping[str, Sequence[Interval]],
    looks: Mapping[str, Look],
    reference: Sequence[float],
) -> Picture:
    """TSTR by label or finding."""
    said = [
        f"{label}: "
        + ", ".join(f"{looks[key].label} {told(those[at])}" for key, those in values.items())
        + f", TRTR {decimal(reference[at])}"
        for at, label in enumerate(names)
    ]
    alt = f"TSTR by {what}. {'; '.join(said)}"
    tall = 0.6 + len(names) * max(0.28, 0.13 * (len(values) + 1))
    fill = _bars(names, values, looks, reference)
    return draw(name, (4.4, tall), alt, fill)


def _bars(
    names: Sequence[str],
    values: Mapping[str, Sequence[Interval]],
    looks: Mapping[str, Look],
    reference: Sequence[float],
) -> "Callable[[Axes], None]":
    return lambda panel: panels.draw_bars(panel, names, values, looks, reference)


def roc_chart(
    name: str, label: str, curves: Mapping[str, tuple[Scores, int]], looks: Mapping[str, Look]
) -> Picture:
    """ROC curves of one label.

    Args:
        name: Of the picture.
        label: Of the panel.
        curves: Scores and the label's column, by method's key; ``""`` is TRTR.
        looks: Of the methods.
    """
    points, said = {}, []
    for key, (scores, column) in curves.items():
        points[key] = _curve(scores, column)
        area = auroc(scores.scores[:, column], scores.labels[:, column])
        said.append(f"{looks[key].label if key else 'TRTR'} {decimal(float(area))}")
    alt = f"ROC curves of {label} on real test images; AUROC: {', '.join(said)}"
    return draw(name, (3.0, 3.2), alt, lambda panel: panels.draw_roc(panel, points, looks, label))


def _curve(scores: Scores, column: int) -> tuple[list[float], list[float]]:
    """Rates of false and true positives; nothing without positives or negatives."""
    truth = scores.labels[:, column]
    if truth.all() or not truth.any():
        return [], []
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(truth, scores.scores[:, column])
    kept = np.unique(np.linspace(0, len(false) - 1, POINTS).round().astype(int))
    return false[kept].tolist(), true[kept].tolist()
