"""Tables as values, and as Markdown, CSV and LaTeX."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.comparison import Comparison
from tgap.metrics.intervals import Interval
from tgap.report.headings import columns_of, decimal, range_of
from tgap.report.notes import notes_on
from tgap.report.table import layout


@dataclass(frozen=True)
class Value:
    """A cell.

    Args:
        lines: As it is read: a text, or a number and below it its interval.
        numbers: What a program reads: nothing of a text, a number, or a mean and both ends.
    """

    lines: tuple[str, ...]
    numbers: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """All lines in one."""
        return " ".join(self.lines)


@dataclass(frozen=True)
class ShownTable:
    """A table.

    Args:
        name: Of its files, without ending.
        title: What it shows.
        headings: Of the columns, and whether they are over text.
        rows: As long as ``headings``; the first cell names the row.
        notes: What must be read with it.
    """

    name: str
    title: str
    headings: Mapping[str, bool]
    rows: Sequence[Sequence[Value]]
    notes: Sequence[str] = ()


NOTHING = Value(("n/a",))


def words(text: object) -> Value:
    """A text as a cell."""
    return Value((str(text),))


def number(value: float, text: str | None = None) -> Value:
    """A number as a cell; NaN is ``n/a``."""
    if math.isnan(value):
        return NOTHING
    return Value((decimal(value) if text is None else text,), (value,))


def with_interval(value: Interval, sign: str = "") -> Value:
    """A mean with its interval as a cell, where there is one."""
    if math.isnan(value.estimate):
        return NOTHING
    numbers = (value.estimate, value.lo, value.hi)
    shown = decimal(value.estimate, sign)
    return Value((shown,) if math.isnan(value.lo) else (shown, range_of(value, sign)), numbers)


def leaderboard(comparison: Comparison, title: str = "All methods") -> ShownTable:
    """The table of ``tgap compare``, in its order."""
    headings, cells = layout(comparison)
    columns = columns_of(comparison.groups, comparison.asked.metrics)
    rows = []
    for group, row in zip(comparison.groups, cells, strict=True):
        values = [Value(cell) for cell in row[: -len(columns)]]
        for cell, name in zip(row[-len(columns) :], columns.values(), strict=True):
            one = group.numbers[name]
            values.append(Value(cell, (one.estimate, one.lo, one.hi)))
        rows.append(values)
    return ShownTable("leaderboard", title, headings, rows, notes_on(comparison.groups))


# Markdown


def as_markdown(table: ShownTable) -> str:
    """A table in Markdown, its notes below it."""
    marks = ["---" if is_text else "---:" for is_text in table.headings.values()]
    cells = [[value.text for value in row] for row in table.rows]
    lines = [[_marked(text) for text in row] for row in ([*table.headings], *cells)]
    lines.insert(1, marks)
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n" + "".join(f"\n{_marked(note)}  " for note in table.notes) + "\n"


def _marked(text: str) -> str:
    """Characters that mean something in Markdown or in HTML, escaped."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*_`\[\]])", r"\\\1", flat)


# CSV


def as_csv(table: ShownTable) -> str:
    """A table for programs: numbers in full, ``{column} lo`` and ``{column} hi`` beside them.

    What is not known is empty.
    """
    ends = [
        any(len(row[column].numbers) > 1 for row in table.rows)
        for column in range(len(table.headings))
    ]
    head: list[str] = []
    for heading, wide in zip(table.headings, ends, strict=True):
        head += [heading, f"{heading} lo", f"{heading} hi"] if wide else [heading]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        writer.writerow(
            [text for value, wide in zip(row, ends, strict=True) for text in _plain(value, wide)]
        )
    return file.getvalue()


def _plain(value: Value, wide: bool) -> list[str]:
    if not wide:
        return [f"{value.numbers[0]!r}" if value.numbers else _known(value.text)]
    numbers = [*value.numbers, *[math.nan] * (3 - len(value.numbers))]
    return ["" if math.isnan(one) else f"{one!r}" for one in numbers]


def _known(text: str) -> str:
    return "" if text == NOTHING.text else text


# LaTeX

ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def as_latex(table: ShownTable) -> str:
    """A table for the package booktabs, intervals in small type; its notes are comments."""
    columns = "".join("l" if is_text else "r" for is_text in table.headings.values())
    lines = [
        "% \\usepackage{booktabs}",
        f"% {_in_one_line(table.title)}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        " & ".join(_typeset(heading) for heading in table.headings) + " \\\\",
        "\\midrule",
        *(" & ".join(_typeset_value(value) for value in row) + " \\\\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
        *(f"% {_in_one_line(note)}" for note in table.notes),
    ]
    return "\n".join(lines) + "\n"


def _typeset_value(value: Value) -> str:
    if not value.numbers:
        return _typeset(value.text)
    mean, *ends = (_typeset(line) for line in value.lines)
    shown = _minus(mean)
    for line in ends:  # of an interval: 1 to 2, or 1-2
        shown += (
            f" {{\\scriptsize ({_minus(line) if ' to ' in line else line.replace('-', '--')})}}"
        )
    return shown


def _minus(text: str) -> str:
    return text.replace("-", "$-$")


def _typeset(text: str) -> str:
    return "".join(ESCAPED.get(character, character) for character in _in_one_line(text))


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


FORMATS = {"md": as_markdown, "csv": as_csv, "tex": as_latex}
"""How tables are written, by the ending of the file."""
