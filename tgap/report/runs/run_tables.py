"""Tables and bars of what no comparison is made of: labels, findings, copies, costs, runs."""

import math
import re
from collections.abc import Sequence

from tgap.analysis.comparison import Comparison
from tgap.analysis.contrasts import Contrast
from tgap.analysis.groups import RunGroup
from tgap.analysis.parts import over_seeds
from tgap.analysis.rows import RunRow
from tgap.analysis.verdicts import verdicts
from tgap.metrics.significance import LEVEL, p_text
from tgap.report.headings import joined, label_at_size, size_of
from tgap.report.runs.content import RecordedRun
from tgap.report.runs.numbers import (
    STAGES,
    duration,
    mean_of,
    reuse_told,
    rows_of,
    rows_of_all,
    seconds_of,
)
from tgap.report.tables import NOTHING, ShownTable, Value, number, with_interval, words

KINDS = {"label": r"tstr/auroc_([^/]+)", "finding": r"tstr/finding_auroc_([^/]+)"}
"""Of what there are bars, and how its metrics are called."""
OF_PARTS = (
    "Intervals are for new test images, and for new seeds as far as these differ; of themselves, "
    "not of their differences. Test images are taken to change all seeds alike. Where a seed's "
    "number is a mean over splits there is none."
)
MEMBERS = "memorization/mia_calibrated_auroc"
MEMBERS_TOLD = "runs that tell members"
FURTHER = {
    "copied": "memorization/copied_fraction",
    "real images taken for copies": "memorization/copied_false_alarms",
    "equal to a tuning image": "memorization/equal_to_tuning",
    "membership inference (AUROC)": MEMBERS,
    "coverage": "fidelity/coverage",
    "coverage, real images": "fidelity/coverage_floor",
    "precision": "fidelity/precision",
    "precision, real images": "fidelity/precision_floor",
    "Frechet distance": "fidelity/frechet",
    "Frechet distance, real images": "fidelity/frechet_floor",
}
COSTS = {
    "tuning steps": "cost/steps",
    "images seen": "cost/images_seen",
    "denoiser passes": "cost/work",
}
COUNTS = {
    "pool": "images/pool",
    "real_train": "images/real_train",
    "real_test": "images/real_test",
    "train the real classifier": "train_images/real",
    "train the synthetic classifier": "train_images/synthetic",
    "independent test images of the rarer label": "images/effective_real_test",
}


def names_of(rows: Sequence[RunRow], kind: str) -> list[str]:
    """Labels or findings that a TSTR is known of, as metrics call them."""
    found = dict.fromkeys(
        match[1]
        for row in rows
        for name, value in row.metrics.items()
        if (match := re.fullmatch(KINDS[kind], name)) and not math.isnan(value)
    )
    return list(found)


def metric_of(kind: str, leg: str, name: str) -> str:
    """``tstr/auroc_even``, ``trtr/finding_auroc_mass``."""
    return f"{leg}/{'auroc' if kind == 'label' else 'finding_auroc'}_{name}"


def by_name(comparison: Comparison, rows: Sequence[RunRow], kind: str) -> ShownTable | None:
    """TSTR of each label or finding, a row per row of the leaderboard."""
    names = names_of(rows, kind)
    groups = [group for group in comparison.groups if rows_of(rows, group)]
    if not names:
        return None
    lines = [
        [
            words(label_at_size(group, comparison.groups)),
            *(
                with_interval(over_seeds(rows_of(rows, group), metric_of(kind, "tstr", n), group))
                for n in names
            ),
        ]
        for group in groups
    ]
    every = rows_of_all(rows, groups)
    real = [with_interval(over_seeds(every, metric_of(kind, "trtr", n))) for n in names]
    lines.append([words("TRTR, of all runs"), *real])
    title = f"TSTR by {kind}: mean over seeds, with 95 % intervals"
    headings = {"method": True, **dict.fromkeys(names, False)}
    return ShownTable(f"{kind}s", title, headings, lines, [OF_PARTS])


def difference_table(comparison: Comparison) -> ShownTable | None:
    """Every pair, and trends over sizes."""
    groups = comparison.groups
    lines = []
    for one in comparison.pairs:
        name = f"{label_at_size(one.first, groups)} - {label_at_size(one.second, groups)}"
        lines.append([words(name), *_found(one)])
    for one in comparison.over_sizes:
        sizes = joined(size_of(group) for group in one.groups)
        step = one.weights == (1.0, -1.0)
        name = f"{one.first.method}, {'step' if step else 'per doubling'} {sizes}"
        lines.append([words(name), *_found(one)])
    if not lines:
        return None
    headings = {
        "what": True,
        "difference of TSTR": False,
        "seeds": False,
        "p": False,
        "shown": True,
    }
    notes = [
        "p-values are adjusted by Holm: over all pairs of this report, and over its trends and "
        "steps from size to size by themselves."
    ]
    title = "Paired differences: seed by seed, with 95 % intervals"
    return ShownTable("differences", title, headings, lines, notes)


def _found(one: Contrast) -> list[Value]:
    seeds = Value((str(len(one.seeds)),), (len(one.seeds),))
    untested = math.isnan(one.p_value)
    shown = "no test" if untested else "yes" if one.p_value <= LEVEL else "no"
    shown += f" (collapsed: seed {joined(one.collapsed)})" if one.collapsed else ""
    p_value = NOTHING if untested else number(one.p_value, p_text(one.p_value).removeprefix("p = "))
    return [with_interval(one.difference, "+"), seeds, p_value, words(shown)]


def further_table(comparison: Comparison, rows: Sequence[RunRow]) -> ShownTable | None:
    """Copies and likeness, beside what real images have."""
    known = {
        heading: metric
        for heading, metric in FURTHER.items()
        if any(not math.isnan(row.metrics.get(metric, math.nan)) for row in rows)
    }
    if not known:
        return None
    lines = [
        [
            words(label_at_size(group, comparison.groups)),
            *(_likeness(rows_of(rows, group), metric, group) for metric in known.values()),
        ]
        for group in comparison.groups
    ]
    headings, notes = dict.fromkeys(known, False), list[str]()
    if MEMBERS in known.values():
        headings[MEMBERS_TOLD] = False
        for line, group in zip(lines, comparison.groups, strict=True):
            line.append(_members_told(rows_of(rows, group)))
        notes.append(
            "Membership inference: calibrated, with 95 % intervals. Runs that tell members: those "
            f"of the verdict members_told. {OF_PARTS}"
        )
    return ShownTable(
        "likeness",
        "Copies and likeness to real images: means over seeds",
        {"method": True, **headings},
        lines,
        ["n/a: not looked at, or too few images to know.", *notes],
    )


def _likeness(rows: Sequence[RunRow], metric: str, group: RunGroup) -> Value:
    """A mean; of membership inference with its interval, which says if it is above chance."""
    if metric == MEMBERS:
        return with_interval(over_seeds(rows, metric, group))
    return number(mean_of(rows, metric))


def _members_told(rows: Sequence[RunRow]) -> Value:
    """In how many runs it can be told who was tuned on, of those that were looked at."""
    those = [row.metrics for row in rows if not math.isnan(row.metrics.get(MEMBERS, math.nan))]
    if not those:
        return words("n/a")
    told = sum(any(one.code == "members_told" for one in verdicts(found)) for found in those)
    return words(f"{told} of {len(those)}")


def cost_table(comparison: Comparison, rows: Sequence[RunRow]) -> ShownTable | None:
    """Seconds by stage and what tuning took, means over the runs."""
    lines, stages_there = [], set()
    costs = {h: m for h, m in COSTS.items() if any(m in row.metrics for row in rows)}
    for group in comparison.groups:
        stages_there |= set(seconds_of(rows_of(rows, group)))
    stages = [stage for stage in STAGES if stage in stages_there]
    if not stages and not costs:
        return None
    for group in comparison.groups:
        those = rows_of(rows, group)
        seconds = seconds_of(those)
        made = [
            number(seconds[stage], duration(seconds[stage])) if stage in seconds else words("-")
            for stage in stages
        ]
        counts = [mean_of(those, metric) for metric in costs.values()]
        told = [number(value, f"{value:,.0f}") for value in counts]
        lines.append([words(label_at_size(group, comparison.groups)), *made, *told])
    reused = reuse_told(rows)
    return ShownTable(
        "cost",
        "Cost of a run: seconds by stage, and what fine-tuning took",
        {"method": True, **dict.fromkeys([*stages, *costs], False)},
        lines,
        [
            "Means over runs, of the seconds when things were made, by these runs or before them. "
            "A denoiser pass is one image once through the denoiser; training on it counts as 3.",
            *([f"In the store already: {reused}."] if reused else []),
        ],
    )


def run_table(runs: Sequence[RecordedRun]) -> ShownTable:
    """Every finished run."""
    metrics = {"TSTR": "tstr/auroc", "TRTS": "trts/auroc", "TRTR": "trtr/auroc", "FTER": "fter"}
    lines = []
    for run in runs:
        row = run.row
        split = "".join(f", {name} {value}" for name, value in row.split.items())
        lines.append(
            [
                words(f"{row.method}{split}"),
                words("-") if row.size is None else Value((str(row.size),), (row.size,)),
                Value((str(row.seed),), (row.seed,)),
                *(number(row.metrics.get(metric, math.nan)) for metric in metrics.values()),
                words(run.key[:8]),
                words(run.words),
            ]
        )
    headings = {"method": True, "size": False, "seed": False, **dict.fromkeys(metrics, False)}
    return ShownTable(
        "runs", "Every finished run", {**headings, "key": True, "overrides": True}, lines
    )


def count_table(rows: Sequence[RunRow]) -> list[tuple[str, str]]:
    """How many images there are, as text."""
    found = []
    for name, metric in COUNTS.items():
        values = sorted({row.metrics[metric] for row in rows if metric in row.metrics})
        if values:
            ends = [f"{value:,.0f}" for value in dict.fromkeys([values[0], values[-1]])]
            found.append((name, " to ".join(ends)))
    return found
