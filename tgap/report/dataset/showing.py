"""A dataset's description in the terminal: what is doubtful first, a screen or two in all."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.core.words import writable
from tgap.datasets.base import NOTED, OWN_PATIENTS, WARNED
from tgap.datasets.reading.notes import WORDS
from tgap.report.dataset.describing import SIDES, Description
from tgap.report.dataset.doubts import Doubt
from tgap.report.dataset.files import Files

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_ROWS = 30
"""Rows of a table; the page has all."""
MOST_LABELS = 12
"""Labels whose levels and files are shown."""
MOST_COLUMNS = 6
"""Columns of numbers whose ranges are shown."""
BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
"""Heights of a histogram, and what stands for them where there is ASCII only."""
BINS = 32
NOTHING = "nothing looks doubtful: no patient and no image stands on two sides"


def show_description(counts: Description, doubts: Sequence[Doubt], console: "Console") -> None:
    """Print what looks wrong, counts by side, grey levels, files and what was left out."""
    show_lines(_doubtful(doubts), console)
    show_lines([size_told(counts), ""], console)
    console.print(_counts_table(counts, console.encoding), soft_wrap=False)
    console.print()
    levels = _levels_table(counts, console.encoding, plain=console.options.ascii_only)
    console.print(levels, soft_wrap=False)
    console.print()
    show_lines(_details(counts), console)


def show_lines(lines: Iterable[str], console: "Console") -> None:
    """Print sentences; between words they go on in the next line, unless one line is one thing."""
    for line in lines:
        for part in line.split("\n"):
            text = part if console.soft_wrap else _wrapped(part, console.width)
            console.print(text, soft_wrap=True)


def _wrapped(line: str, width: int) -> str:
    return textwrap.fill(
        line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _doubtful(doubts: Sequence[Doubt]) -> Iterator[str]:
    if doubts:
        yield f"Look at this first ({len(doubts)}):"
    else:
        yield NOTHING
    yield from (f"- {doubt}" for doubt in doubts)
    yield ""


def size_told(counts: Description) -> str:
    """How many images and patients there are, and how large images are."""
    height, width, channels = counts.shape
    return (
        f"{counts.images:,} images of {height} x {width}, "
        f"{'grey' if channels == 1 else 'colour'}, {counts.patients:,} patients (images of one: "
        f"median {counts.images_per_patient['median']:g}, "
        f"most {counts.images_per_patient['max']:g})"
    )


def _details(counts: Description) -> Iterator[str]:
    for label, files in list(counts.examples.items())[:MOST_LABELS]:
        more = ", ..." if counts.labels[label]["all"] > len(files) else ""
        yield f"label {label}: {', '.join(files)}{more}"
    if counts.files is not None:
        yield from _files_told(counts.files, counts.images)
    ranges = {name: column for name, column in counts.metadata.items() if "median" in column}
    for name, column in list(ranges.items())[:MOST_COLUMNS]:
        yield f"{name}: {column_told(column)}"
    if len(ranges) > MOST_COLUMNS:
        yield f"and {len(ranges) - MOST_COLUMNS} more columns of numbers (see --html)"
    yield from (f"{name}: {note}" for name, note in notes_told(counts.notes))


def column_told(column: Mapping[str, Any]) -> str:
    """The range of a column of numbers."""
    return (
        f"{column['min']:g} to {column['max']:g}, median {column['median']:g}, "
        f"unknown for {column['unknown']:,}"
    )


def _files_told(files: Files, images: int) -> Iterator[str]:
    kinds = "; ".join(f"{count:,} {kind}" for kind, count in files.kinds.items())
    yield f"files{_sampled(files.looked_at, images)}: {kinds}"
    spans = [_span(span) for span in (files.widths, files.heights)]
    yield (
        f"their sizes: width {spans[0]}, height {spans[1]}, width by height {_span(files.ratios)}"
    )


def _sampled(looked_at: int, images: int) -> str:
    return f" (a sample of {looked_at:,})" if looked_at < images else ""


def _span(span: Sequence[float]) -> str:
    low, middle, high = span
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g} (median {middle:.4g})"


def _counts_table(counts: Description, encoding: str) -> "Table":
    table = _table("images", *("all", *SIDES))
    rows = [*count_rows(counts), *metadata_rows(counts)]
    for name, cells in rows[:MOST_ROWS]:
        table.add_row(writable(name, encoding), *cells)
    if len(rows) > MOST_ROWS:
        table.add_row(f"and {len(rows) - MOST_ROWS} more rows (see --html)")
    return table


def count_rows(counts: Description) -> Iterator[tuple[str, list[str]]]:
    """Images and patients by side, of each label and finding too."""
    totals = _totals(counts)
    patients = {"all": counts.patients} | {side: counts.sides[side]["patients"] for side in SIDES}
    yield "all", _numbers(totals)
    yield "patients", _numbers(patients)
    for name, by_side in counts.labels.items():
        yield f"label {name}", _shares(by_side, totals)
        if counts.patients < counts.images:
            yield "  its patients", _numbers(counts.label_patients[name])
    for name, by_side in counts.findings.items():
        yield f"finding {name}", _shares(by_side, totals)


def metadata_rows(counts: Description) -> Iterator[tuple[str, list[str]]]:
    """Images by side, of each value of columns with few values."""
    for name, column in counts.metadata.items():
        for value, content in column.items():
            if isinstance(content, Mapping):
                yield f"{name} {value or '(empty)'}", _shares(content, _totals(counts))


def _totals(counts: Description) -> dict[str, int]:
    return {"all": counts.images} | {side: counts.sides[side]["images"] for side in SIDES}


def _numbers(by_side: Mapping[str, int]) -> list[str]:
    return [f"{n:,}" for n in by_side.values()]


def _shares(by_side: Mapping[str, int], totals: Mapping[str, int]) -> list[str]:
    return [f"{n:,} ({n / max(1, totals[side]):.1%})" for side, n in by_side.items()]


def _levels_table(counts: Description, encoding: str, *, plain: bool) -> "Table":
    levels = counts.levels
    sampled = _sampled(levels.looked_at, counts.images)
    table = _table(f"grey levels{sampled}", "0 to 255", "mean", "median")
    for name, of_levels in list(levels.counts.items())[: 1 + MOST_LABELS]:
        mean, median = centre(of_levels)
        shown = bars(of_levels, plain=plain)
        table.add_row(writable(name, encoding), shown, f"{mean:.0f}", f"{median}")
    return table


def centre(counts: Sequence[int]) -> tuple[float, int]:
    """Mean and median level."""
    below = np.cumsum(counts)
    mean = float(np.dot(counts, np.arange(len(counts))) / below[-1])
    return mean, int(np.searchsorted(below, below[-1] / 2))


def bars(counts: Sequence[int], *, plain: bool) -> str:
    """A histogram in one line, whose heights are square roots, so that small parts are seen.

    >>> bars([9] * 8 + [0] * 240 + [1] * 8, plain=True)
    '#                              -'
    """
    heights = np.sqrt(np.reshape(counts, (BINS, -1)).sum(axis=1))
    steps = np.ceil(heights / heights.max() * len(BARS)).astype(int)
    signs = " " + (PLAIN_BARS if plain else BARS)
    return "".join(signs[step] for step in steps)


def _table(first_column: str, *columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(first_column, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def notes_told(notes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Notes of the reading in words, without those that are doubts or were warned of."""
    told = (*WORDS, "excluded", "excluded_counts") if WARNED in notes else ()
    for name, note in notes.items():
        if name not in (*NOTED, WARNED, OWN_PATIENTS, *told):
            yield name.replace("_", " "), _note(note)


def _note(note: Any) -> str:
    """A note of the reading, the first of long lists."""
    if isinstance(note, Mapping):
        return "; ".join(f"{name} {_note(value)}" for name, value in note.items())
    if isinstance(note, list):
        return f"{len(note):,} ({', '.join(map(str, note[:5]))}{', ...' if len(note) > 5 else ''})"
    return f"{note:,}" if isinstance(note, int) else str(note)
