"""Numbers of a row's runs that no comparison is made of: costs, shares."""

import math
from collections.abc import Sequence

from tgap.analysis.distinct import distinct
from tgap.analysis.groups import RunGroup
from tgap.analysis.redrawn import SPLIT_SEED
from tgap.analysis.rows import RunRow
from tgap.report.headings import joined, label_of, size_of


def is_of(row: RunRow, group: RunGroup) -> bool:
    """Whether a run is one of a row of the table."""
    settings = dict(row.settings)
    if group.shares:  # a row over several of them, which is none of its settings
        settings.pop(SPLIT_SEED, None)
    of_group = (group.method_key, group.size, group.settings)
    return (row.method_key, row.size, settings) == of_group


def rows_of(rows: Sequence[RunRow], group: RunGroup) -> list[RunRow]:
    """The different results of a row of the table, each once, as the row's own means count them."""
    return distinct(records_of(rows, group))


def records_of(rows: Sequence[RunRow], group: RunGroup) -> list[RunRow]:
    """All finished runs of a row of the table, also those of one result: each has its own cost."""
    return [row for row in rows if is_of(row, group)]


def rows_of_all(rows: Sequence[RunRow], groups: Sequence[RunGroup]) -> list[RunRow]:
    """The different results of all rows of the table."""
    return [row for group in groups for row in rows_of(rows, group)]


def mean_of(rows: Sequence[RunRow], name: str) -> float:
    """The mean over the runs that have a metric; NaN if none has."""
    values = [row.metrics.get(name, math.nan) for row in rows]
    there = [value for value in values if not math.isnan(value)]
    return math.fsum(there) / len(there) if there else math.nan


def percent(share: float) -> str:
    """``1.2 %``."""
    return f"{100 * share:.1f} %"


STAGES = ("prepare", "embed", "select", "finetune", "generate", "classify", "evaluate")


def seconds_of(rows: Sequence[RunRow]) -> dict[str, float]:
    """Mean seconds of each stage when its artifacts were made, whichever run made them."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for stage in STAGES:
            if made := [one.seconds for one in row.costs if one.stage == stage]:
                found.setdefault(stage, []).append(math.fsum(made))
    return {stage: math.fsum(those) / len(those) for stage, those in found.items()}


def seconds_in_all(rows: Sequence[RunRow]) -> float:
    """What all artifacts of some runs took, those that runs share once; NaN if none is known."""
    made = {one.key: one.seconds for row in rows for one in row.costs}
    return math.fsum(made.values()) if made else math.nan


def spent_by(rows: Sequence[RunRow]) -> float:
    """Seconds that the runs themselves took, without what they found in the store."""
    times = (f"seconds/{stage}" for stage in STAGES)
    return math.fsum(row.metrics.get(name, 0.0) for name in times for row in rows)


def reuse_told(rows: Sequence[RunRow]) -> str:
    """``prepare in 24 of 24 runs, embed in 11 of 12``: what was in the store; empty if nothing."""
    told = []
    for stage in STAGES:
        reused = [row.metrics[name] for row in rows if (name := f"reused/{stage}") in row.metrics]
        if any(reused):
            told.append(f"{stage} in {sum(map(bool, reused))} of {len(reused)} runs")
    return ", ".join(told)


def duration(seconds: float) -> str:
    """``0.4 s``, ``26 s``, ``2 min 5 s``, ``3 h 20 min``.

    >>> [duration(s) for s in (0.44, 26.3, 125, 3599.7, 12000)]
    ['0.4 s', '26 s', '2 min 5 s', '1 h', '3 h 20 min']
    """
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(whole / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def together(those: Sequence[RunGroup], groups: Sequence[RunGroup]) -> str:
    """``random+dreambooth at 12, 24; none``."""
    sizes: dict[str, list[str]] = {}
    for one in those:
        of_method = sizes.setdefault(label_of(one, groups), [])
        of_method += [] if one.size is None else [size_of(one)]
    return "; ".join(f"{name} at {joined(of)}" if of else name for name, of in sizes.items())
