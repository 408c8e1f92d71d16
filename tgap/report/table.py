"""The table of runs: one row per method, size and settings, seeds averaged."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = {
    "TSTR": "tstr/auroc", "TRTS": "trts/auroc", "TRTR": "trtr/auroc",
    "FTER": "fter", "T-Gap": "t_gap",
}  # fmt: skip
"""Metrics shown, by heading; further test sets have their own (``columns_of``)."""
MEANINGFUL = "fter_meaningful"
NAMED = {
    "generator": "generator.class",
    "guidance": "sampler.guidance",
    "protocol": "protocol.class",
}
"""Settings that every table names, varied or not."""
WIDTH = 100


@dataclass(frozen=True)
class RunRow:
    """One run, as a table sees it.

    Args:
        method: Label of the method.
        method_key: Hash of what the method is; runs are grouped by it, not by the label.
        size: Tuning images, per label unless the setting ``size_unit`` is ``total``; ``None`` if
            nothing was tuned.
        seed: The run's seed.
        evaluation_key: Key of the result: runs that share it are one result.
        metrics: Numbers by MLflow name.
        settings: What is neither method, size nor seed, e.g. ``sampler.guidance``, as text.
    """

    method: str
    method_key: str
    size: int | None
    seed: int
    evaluation_key: str
    metrics: Mapping[str, float]
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Spread:
    """Mean and range over seeds; NaN if one of the values is."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupRow:
    """Runs that differ in their seed only.

    Args:
        method: Label; with the start of its key where two methods have the same label.
        size: Tuning images, as of ``RunRow``.
        seeds: Distinct seeds, sorted.
        spreads: By heading (``columns_of``).
        fter_meaningful: Whether FTER means something for every seed.
        settings: Their common settings.
    """

    method: str
    size: int | None
    seeds: tuple[int, ...]
    spreads: Mapping[str, Spread]
    fter_meaningful: bool
    settings: Mapping[str, str]


def summarise(rows: Sequence[RunRow]) -> list[GroupRow]:
    """Average runs over their seeds.

    A group is a method (by key), a size and settings. The mean is over seeds; runs of one seed
    are averaged first, and those with the same evaluation key count once. FTER is the mean of the
    seeds' ratios, not the ratio of means.

    Args:
        rows: One per run.

    Returns:
        Groups in the order in which their methods came, then by size.
    """
    groups: dict[tuple[object, ...], list[RunRow]] = {}
    for row in rows:
        key = (row.method_key, row.size, tuple(sorted(row.settings.items())))
        groups.setdefault(key, []).append(row)
    columns = columns_of(rows)
    order = list(dict.fromkeys(row.method_key for row in rows))
    labels = _labels(rows)
    ordered = sorted(
        groups.values(), key=lambda group: (order.index(group[0].method_key), group[0].size or 0)
    )
    return [_group(group, labels[group[0].method_key], columns) for group in ordered]


def columns_of(rows: Sequence[RunRow]) -> dict[str, str]:
    """Metrics to show, by heading: ``COLUMNS``, and TSTR and TRTR on further test sets."""
    names = sorted({name for row in rows for name in row.metrics})
    found = [re.fullmatch(r"external/(.+)/(tstr|trtr)/auroc", name) for name in names]
    return COLUMNS | {f"{m[2].upper()} {m[1]}": m[0] for m in found if m is not None}


def plain(rows: Sequence[RunRow], width: int | None = None) -> str:
    """The table as text without colour codes, at most ``width`` columns wide.

    By default ``WIDTH``, and more where there are further test sets.
    """
    from rich.console import Console

    if width is None:
        width = WIDTH + sum(len(heading) + 8 for heading in columns_of(rows).keys() - COLUMNS)
    file = io.StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False)
    _print(rows, console)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def render(rows: Sequence[RunRow], console: "Console") -> None:
    """Print the table: as wide as a terminal is, ``WIDTH`` columns elsewhere."""
    if console.is_terminal:
        _print(rows, console)
    else:
        console.print(plain(rows), end="", markup=False, highlight=False, soft_wrap=True)


def markdown(rows: Sequence[RunRow]) -> str:
    """The table in Markdown."""
    headings, cells, notes = _layout(summarise(rows))
    right = ["---" if is_text else "---:" for is_text in headings.values()]
    lines = [list(headings), right, *([c.replace("|", "\\|") for c in row] for row in cells)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    escaped = [note.replace("*", "\\*") + "  " for note in notes]
    return "\n".join([*table, "", *escaped]) + "\n"


def _group(runs: Sequence[RunRow], label: str, columns: Mapping[str, str]) -> GroupRow:
    by_seed: dict[int, dict[str, RunRow]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, {})[run.evaluation_key] = run
    results = [list(by_seed[seed].values()) for seed in sorted(by_seed)]

    def spread(name: str) -> Spread:
        values = [_mean([run.metrics.get(name, math.nan) for run in same]) for same in results]
        if any(math.isnan(value) for value in values):
            return Spread(math.nan, math.nan, math.nan)
        return Spread(_mean(values), min(values), max(values))

    return GroupRow(
        method=label,
        size=runs[0].size,
        seeds=tuple(sorted(by_seed)),
        spreads={heading: spread(name) for heading, name in columns.items()},
        fter_meaningful=all(r.metrics.get(MEANINGFUL, 1) != 0 for same in results for r in same),
        settings=runs[0].settings,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _labels(rows: Sequence[RunRow]) -> dict[str, str]:
    """A label per method key; methods that share one get the start of their key."""
    labels = {row.method_key: row.method for row in reversed(rows)}
    shared = list(labels.values())
    return {
        key: f"{label} #{key[:6]}" if shared.count(label) > 1 else label
        for key, label in labels.items()
    }


def _layout(groups: Sequence[GroupRow]) -> tuple[dict[str, bool], list[list[str]], list[str]]:
    """Headings (and whether they are over text), cells, and the notes below."""
    varied, columns = _varied(groups), list(groups[0].spreads) if groups else list(COLUMNS)
    headings = dict.fromkeys(["method", *varied.values()], True)
    headings |= dict.fromkeys(["size", "n", *columns], False)
    cells = [
        [
            group.method,
            *(group.settings.get(name, "-") for name in varied),
            _size(group),
            str(len(group.seeds)),
            *(_cell(group, heading) for heading in columns),
        ]
        for group in groups
    ]
    return headings, cells, _notes(groups)


def _varied(groups: Sequence[GroupRow]) -> dict[str, str]:
    """Settings in which groups differ, with their headings; one for those that vary together."""
    names = dict.fromkeys([*NAMED.values(), *(name for group in groups for name in group.settings)])
    found: dict[tuple[int, ...], str] = {}
    for name in names:
        values = [group.settings.get(name) for group in groups]
        pattern = tuple(values.index(value) for value in values)
        if any(pattern):
            found.setdefault(pattern, name)
    short = {name: _short(name) for name in found.values()}
    every = [*short.values(), "method", "size", "n", *COLUMNS]
    return {name: s if every.count(s) == 1 else name for name, s in short.items()}


def _short(name: str) -> str:
    """``guidance`` for ``sampler.guidance``, ``generator`` for ``generator.class``."""
    return name.removesuffix(".class").rpartition(".")[2]


def _size(group: GroupRow) -> str:
    if group.size is None:
        return "-"
    in_total = group.settings.get("size_unit") == "total"
    return f"{group.size} in total" if in_total else str(group.size)


def _cell(group: GroupRow, heading: str) -> str:
    spread = group.spreads[heading]
    if math.isnan(spread.mean):
        return "n/a"
    text = f"{spread.mean:.3f}"
    if len(group.seeds) > 1:
        half = f"{(spread.high - spread.low) / 2:.3f}"
        text += f"±{half.removeprefix('0')}"
    return text + ("*" if heading == "FTER" and not group.fter_meaningful else "")


def _notes(groups: Sequence[GroupRow]) -> list[str]:
    named = []
    for title, name in NAMED.items():
        values = list(dict.fromkeys(g.settings.get(name, "not recorded") for g in groups))
        named.append(f"{title} {', '.join(values)}")
    notes = [
        "; ".join(named),
        "TSTR, TRTS, TRTR: macro AUROC. FTER = TSTR / TRTS, T-Gap = TRTS - TSTR.",
    ]
    seeds = {group.seeds for group in groups}
    if len(seeds) > 1:
        notes.append("Rows differ in their seeds, so they are no paired comparison.")
    if any(len(group.seeds) > 1 for group in groups):
        listed = ", ".join(map(str, sorted({seed for its in seeds for seed in its})))
        notes.append(f"Mean ± half the range over n seeds ({listed}); no confidence interval.")
    if any(len(group.seeds) == 1 for group in groups):
        notes.append("n = 1: a single seed, so differences may be chance.")
    if not all(group.fter_meaningful for group in groups):
        notes.append("* TSTR or TRTS is near or below chance (0.5): FTER means nothing there.")
    return notes


def _print(rows: Sequence[RunRow], console: "Console") -> None:
    headings, cells, notes = _layout(summarise(rows))
    console.print(_table(headings, cells), "", sep="\n", soft_wrap=False)
    for note in notes:
        console.print(note, style="dim", markup=False, highlight=False, soft_wrap=False)


def _table(headings: Mapping[str, bool], cells: Sequence[Sequence[str]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading, is_text in headings.items():
        # Numbers stay whole; if the table is too wide, long names are folded.
        table.add_column(
            Text(heading),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
            min_width=min(len(heading), 12),
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    return table
