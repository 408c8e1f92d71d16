"""A sweep's table: a row per method, size and settings, and in words below it what differs."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from tgap.analysis.comparison import Comparison
from tgap.analysis.groups import RunGroup, varied
from tgap.analysis.readings import COPIED, TUNING_KNOWN, unknown_copies
from tgap.analysis.splits import listed, short
from tgap.core.words import writable
from tgap.report.differences import differences
from tgap.report.headings import COLUMNS, averages, columns_of, decimal, joined, range_of, size_of
from tgap.report.notes import notes_on

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")
WIDTH = 100
LEAST_TEXT = 22
"""Columns of a method's name, below which the table is rather divided than names folded."""
Cell = tuple[str, ...]
"""Its lines."""


def plain(comparison: Comparison, width: int | None = None) -> str:
    """The table as text without colour codes, at most ``width`` columns wide.

    By default ``WIDTH``, and more where numbers need more; long names are folded.
    """
    from rich.console import Console

    width = width or max(WIDTH, least_width(*layout(comparison)))
    file = io.StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False)
    _print(comparison, console)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def render(comparison: Comparison, console: "Console") -> None:
    """Print the table: as wide as a terminal is, ``WIDTH`` columns elsewhere."""
    if console.is_terminal:
        _print(comparison, console)
    else:
        text = plain(comparison)
        console.print(text, end="", markup=False, highlight=False, soft_wrap=True)


def markdown(comparison: Comparison) -> str:
    """The table in Markdown."""
    headings, cells = layout(comparison)
    right = ["---" if is_text else "---:" for is_text in headings.values()]
    flat = [[" ".join(cell).replace("|", "\\|") for cell in row] for row in cells]
    table = ["| " + " | ".join(line) + " |" for line in (headings, right, *flat)]
    blocks = [table, [f"{note}  " for note in notes_on(comparison.groups)]]
    for title, sentences in differences(comparison).items():
        blocks += [[title], [f"- {sentence}" for sentence in sentences]]
    escaped = [[line.replace("*", "\\*") for line in block] for block in blocks]
    return "\n\n".join("\n".join(block) for block in escaped) + "\n"


def layout(comparison: Comparison) -> tuple[dict[str, bool], list[list[Cell]]]:
    """Headings (and whether they are over text), and cells."""
    groups = comparison.groups
    settings, columns = _varied(groups), columns_of(groups, comparison.asked.metrics)
    headings = dict.fromkeys(["method", *settings.values()], True)
    several = [kind for kind in ("folds", "splits") if any(averages(g) == kind for g in groups)]
    headings |= dict.fromkeys(["size", "seeds", *several, *columns], False)
    cells = [
        [
            (group.method,),
            *((group.settings.get(name, "-"),) for name in settings),
            (size_of(group),),
            _of_all(list(group.seeds), group.missing, joined)
            + (("(one set)",) if group.one_set else ()),
            *(
                _of_all(group.splits, group.missing_splits, listed)
                if kind == averages(group)
                else ("1" if group.seeds else "0",)
                for kind in several
            ),
            *(cell_of(group, name) for name in columns.values()),
        ]
        for group in groups
    ]
    return headings, cells


def _varied(groups: Sequence[RunGroup]) -> dict[str, str]:
    """Settings in which groups differ, with their headings."""
    names = {name: short(name) for name in varied(groups)}
    every = [*names.values(), "method", "size", "seeds", "folds", "splits", *COLUMNS]
    return {name: s if every.count(s) == 1 else name for name, s in names.items()}


def _of_all(there: Sequence[T], missing: Sequence[T], words: Callable[[Sequence[T]], str]) -> Cell:
    """How many there are, and which are missing."""
    if not missing:
        return (str(len(there)),)
    return f"{len(there)} of {len(there) + len(missing)}", f"(missing {words(missing)})"


def cell_of(group: RunGroup, name: str) -> Cell:
    """A mean, and its interval where there is one."""
    number = group.numbers[name]
    known = group.numbers.get(TUNING_KNOWN)
    if name == COPIED and known is not None and unknown_copies(number.estimate, known.estimate):
        return ("not known",)
    if math.isnan(number.estimate):
        return ("n/a",)
    mark = "*" if name == "fter" and not group.fter_meaningful else ""
    if math.isnan(number.lo):
        return (decimal(number.estimate) + mark,)
    return decimal(number.estimate) + mark, range_of(number)


def _print(comparison: Comparison, console: "Console") -> None:
    for headings, cells in _fitting(comparison, console.width, console.encoding):
        console.print(rich_table(headings, cells), "", sep="\n", soft_wrap=False)
    lines = notes_on(comparison.groups)
    for title, sentences in differences(comparison).items():
        lines += ["", title, *(f"  {sentence}" for sentence in sentences)]
    for line in lines:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=False)


def _fitting(
    comparison: Comparison, width: int, encoding: str
) -> list[tuple[dict[str, bool], list[list[Cell]]]]:
    """The table, or where it is too wide several ones, each with the columns that name a row."""
    headings, cells = layout(comparison)
    cells = [[tuple(writable(line, encoding) for line in cell) for cell in row] for row in cells]
    metrics = len(columns_of(comparison.groups, comparison.asked.metrics))
    naming = list(range(len(headings) - metrics))
    parts = [naming]
    for column in range(len(naming), len(headings)):
        fits = least_width(*_columns(headings, cells, [*parts[-1], column])) <= width
        if fits or parts[-1] == naming:
            parts[-1] = [*parts[-1], column]
        else:
            parts.append([*naming, column])
    return [_columns(headings, cells, part) for part in parts]


def _columns(
    headings: Mapping[str, bool], cells: Sequence[Sequence[Cell]], chosen: Sequence[int]
) -> tuple[dict[str, bool], list[list[Cell]]]:
    """Some columns of a table."""
    items = list(headings.items())
    return dict(items[i] for i in chosen), [[row[i] for i in chosen] for row in cells]


def least_width(headings: Mapping[str, bool], cells: Sequence[Sequence[Cell]]) -> int:
    """How wide a table is at least, with its texts folded."""
    from rich.console import Console

    wide = Console(width=1000)
    return wide.measure(rich_table(headings, cells), options=wide.options).minimum


def rich_table(headings: Mapping[str, bool], cells: Sequence[Sequence[Cell]]) -> "Table":
    """A table for a console: numbers stay whole, and where it is too wide long names are folded."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, (heading, is_text) in enumerate(headings.items()):
        longest = max((len(line) for row in cells for line in row[column]), default=0)
        least = max(len(heading), longest)
        table.add_column(
            Text(heading),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
            min_width=min(least, LEAST_TEXT) if is_text else least,
        )
    for row in cells:
        table.add_row(*(Text("\n".join(cell)) for cell in row))
    return table
