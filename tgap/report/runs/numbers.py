"""Numbers of a row's runs that no comparison is made of: costs, shares."""

import math
from collections.abc import Sequence

from tgap.analysis.groups import RunGroup, distinct
from tgap.analysis.redrawn import SPLIT_SEED
from tgap.analysis.rows import RunRow


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


def is_seconds(name: str) -> bool:
    """Whether a metric is a stage's seconds."""
    return name.startswith("seconds/")


def seconds_of(rows: Sequence[RunRow]) -> dict[str, float]:
    """Mean seconds of each stage, of the runs that made something in it."""
    names = dict.fromkeys(name for row in rows for name in row.metrics if is_seconds(name))
    means = {}
    for name in names:
        stage = name.removeprefix("seconds/")
        made = [
            row.metrics[name]
            for row in rows
            if name in row.metrics and row.metrics.get(f"reused/{stage}") == 0
        ]
        if made:
            means[stage] = math.fsum(made) / len(made)
    return means


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
