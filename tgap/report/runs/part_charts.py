"""The figures that a page has about one part, with their captions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.comparison import Comparison
from tgap.analysis.groups import RunGroup
from tgap.analysis.parts import over_seeds
from tgap.analysis.rows import RunRow
from tgap.core import Scores
from tgap.report.runs import charts
from tgap.report.runs.content import Sample
from tgap.report.runs.galleries import named
from tgap.report.runs.numbers import rows_of, rows_of_all
from tgap.report.runs.run_tables import KINDS, metric_of, names_of
from tgap.report.runs.standing import tstr_of
from tgap.report.runs.styles import Look, looks_of
from tgap.report.runs.svg import Picture
from tgap.report.runs.thesis import thesis_points

LEGS = (
    "TSTR against TRTS: means with 95 % intervals; small numbers are sizes; controls are hollow, "
    "with their names. Dotted lines join "
    "points of equal FTER; below the line of 1 images teach less than they seem to. Grey lines "
    "stand at chance (.5)."
)
OF_THESIS = (
    " Crosses are the thesis's (Zhang 2024): other data, few runs, no intervals; no number of this "
    "report may be tested against them."
)
SIZES = (
    "TSTR, TRTS and FTER over the number of tuning images, with 95 % intervals. Level lines are of "
    "methods without a tuning set; the black one is TRTR."
)
DIFFERENCES = (
    "Differences of TSTR, seed by seed, with 95 % intervals of each alone. Filled: shown, after "
    "correction for all pairs. Without that, an interval that leaves 0 out is no finding."
)
BARS = 20
"""Labels or findings that have bars, at most; the table has all."""
PANELS = 8
"""Labels that have ROC curves, at most."""


@dataclass(frozen=True)
class Chart:
    """A figure of the page.

    Args:
        caption: What it shows and how to read it.
        pictures: Its panels.
        key: The marks of its methods, unless it has none.
    """

    caption: str
    pictures: Sequence[Picture]
    key: Picture | None = None


def charts_of(
    anchor: str,
    comparison: Comparison,
    rows: Sequence[RunRow],
    samples: Sequence[Sample],
    thesis: bool = False,
) -> Iterator[tuple[str, Chart]]:
    """All figures of a part, by their place on the page.

    Args:
        anchor: Of the part.
        comparison: Of its rows.
        rows: Its finished runs.
        samples: Runs whose scores were read.
        thesis: Whether the thesis's points are drawn too.
    """
    groups, looks = comparison.groups, looks_of(comparison.groups)
    if any(group.seeds and tstr_of(group) > -math.inf for group in groups):
        key = charts.key_chart(f"{anchor}-legs-key", list(looks.values()))
        points = thesis_points() if thesis else ()
        plot = charts.legs_chart(f"{anchor}-legs", groups, looks, points)
        yield "legs", Chart(LEGS + (OF_THESIS if thesis else ""), [plot], key)
        if over := charts.size_charts(f"{anchor}-size", groups, looks):
            key = charts.key_chart(f"{anchor}-size-key", list(looks.values()))
            yield "sizes", Chart(SIZES, [picture for _, picture in over], key)
    forest = charts.difference_chart(f"{anchor}-pairs", comparison)
    if forest is not None:
        more = " The table has more." if len(comparison.pairs) > charts.PAIRS else ""
        yield "pairs", Chart(DIFFERENCES + more, [forest])
    for kind in KINDS:
        if names_of(rows, kind):
            yield f"{kind}s", _bar_chart(f"{anchor}-{kind}", kind, comparison, rows, looks)
    yield from _roc_charts(anchor, samples, looks)


def _bar_chart(
    name: str, kind: str, comparison: Comparison, rows: Sequence[RunRow], looks: Mapping[str, Look]
) -> Chart:
    """Of each method at its largest size."""
    names = names_of(rows, kind)[:BARS]
    largest: dict[str, RunGroup] = {}
    for group in comparison.groups:
        if group.seeds:
            largest[group.method_key] = group  # sizes ascend
    values = {
        key: [
            over_seeds(rows_of(rows, group), metric_of(kind, "tstr", one), group) for one in names
        ]
        for key, group in largest.items()
    }
    every = rows_of_all(rows, comparison.groups)
    reference = [over_seeds(every, metric_of(kind, "trtr", one)).estimate for one in names]
    at = sorted({group.size for group in largest.values() if group.size is not None})
    of = f" at size {', '.join(map(str, at))}" if at else ""
    more = len(names_of(rows, kind)) - len(names)
    caption = (
        f"TSTR by {kind}{of}: bars begin at chance (.5), whiskers are 95 % intervals, as in "
        "the table. Black strokes: TRTR." + (f" {more} more are in the table." if more else "")
    )
    picture = charts.bar_chart(name, kind, names, values, looks, reference)
    shown = [look for key, look in looks.items() if key in values]
    return Chart(caption, [picture], charts.key_chart(f"{name}-key", shown, bars=True))


def _roc_charts(
    anchor: str, samples: Sequence[Sample], looks: Mapping[str, Look]
) -> Iterator[tuple[str, Chart]]:
    scored = {one.run.method_key: one for one in samples if "tstr" in one.legs}
    if not scored:
        return
    first = next(iter(scored.values()))
    names = first.legs["tstr"].label_names[:PANELS]
    pictures = []
    for column, label in enumerate(names):
        curves: dict[str, tuple[Scores, int]] = {
            key: (one.legs["tstr"], column) for key, one in scored.items()
        }
        if "trtr" in first.legs:
            curves[""] = (first.legs["trtr"], column)
        pictures.append(charts.roc_chart(f"{anchor}-roc{column}", label, curves, looks))
    shown = [looks[key] for key in scored]
    which = "; ".join(named(one.run) for one in scored.values())
    more = len(first.legs["tstr"].label_names) - len(names)
    yield (
        "roc",
        Chart(
            f"ROC curves on real test images, of one run each ({which}). Black: TRTR; grey: chance."
            + (f" {more} more labels are not drawn." if more else ""),
            pictures,
            charts.key_chart(f"{anchor}-roc-key", shown),
        ),
    )
