"""A dataset's description in the terminal: what is doubtful first, a screen or two in all."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.report.dataset.describing import SIDES, Description
from tgap.report.dataset.doubts import Doubt
from tgap.report.dataset.files import Files
from tgap.report.dataset.pixels import LOOKED_AT, Levels

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_ROWS = 30
"""Rows of a table; the page has all."""
MOST_LABELS = 12
"""Labels whose levels and files are shown."""
BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
"""Heights of a histogram, and what stands for them where there is ASCII only."""
BINS = 32
NOTHING = "nothing looks doubtful: no patient and no image stands on two sides"


def show_description(counts: Description, doubts: Sequence[Doubt], console: "Console") -> None:
    """Print what looks wrong, counts by side, grey levels, files and what was left out."""
    _say(console, _doubtful(doubts))
    _say(console, [_size(counts), ""])
    console.print(_counts_table(counts), soft_wrap=False)
    console.print()
    console.print(_levels_table(counts.levels, plain=console.options.ascii_only), soft_wrap=False)
    console.print()
    _say(console, _details(counts))


def _say(console: "Console", lines: Iterable[str]) -> None:
    """Print sentences; between words they go on in the next line, unless one line is one thing."""
    for line in lines:
        text = line if console.soft_wrap else _wrapped(line, console.width)
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
    yield from (f"- {doubt.what}. {doubt.remedy}" for doubt in doubts)
    yield ""


def _size(counts: Description) -> str:
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
        yield from files_told(counts.files)
    for name, column in counts.metadata.items():
        if "median" in column:
            yield (
                f"{name}: {column['min']:g} to {column['max']:g}, median {column['median']:g}, "
                f"unknown for {column['unknown']:,}"
            )
    for name, note in counts.notes.items():
        yield f"{name.replace('_', ' ')}: {note_told(note)}"


def files_told(files: Files) -> Iterator[str]:
    """Kinds and sizes of files, in sentences."""
    kinds = "; ".join(f"{count:,} {kind}" for kind, count in files.kinds.items())
    yield f"files{_sampled(files.looked_at)}: {kinds}"
    spans = [_span(span) for span in (files.widths, files.heights)]
    yield (
        f"their sizes: width {spans[0]}, height {spans[1]}, width by height {_span(files.ratios)}"
    )


def _sampled(looked_at: int) -> str:
    return f" (a sample of {looked_at:,})" if looked_at == LOOKED_AT else ""


def _span(span: Sequence[float]) -> str:
    low, middle, high = span
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g} (median {middle:.4g})"


def _counts_table(counts: Description) -> "Table":
    table = _table("images", *("all", *SIDES))
    totals = {"all": counts.images} | {side: counts.sides[side]["images"] for side in SIDES}
    patients = {"all": counts.patients} | {side: counts.sides[side]["patients"] for side in SIDES}
    table.add_row("all", *(f"{total:,}" for total in totals.values()))
    table.add_row("patients", *(f"{count:,}" for count in patients.values()))
    rows = list(count_rows(counts, totals))
    for name, cells in rows[:MOST_ROWS]:
        table.add_row(name, *cells)
    if len(rows) > MOST_ROWS:
        table.add_row(f"and {len(rows) - MOST_ROWS} more rows (see --html)")
    return table


def count_rows(counts: Description, totals: Mapping[str, int]) -> Iterator[tuple[str, list[str]]]:
    """Images by side, of each label, finding and metadata value; patients by label."""
    for name, by_side in counts.labels.items():
        yield f"label {name}", _shares(by_side, totals)
        if counts.patients < counts.images:
            yield "  its patients", [f"{n:,}" for n in counts.label_patients[name].values()]
    for name, by_side in counts.findings.items():
        yield f"finding {name}", _shares(by_side, totals)
    for name, column in counts.metadata.items():
        for value, content in column.items():
            if isinstance(content, Mapping):
                yield f"{name} {value}", _shares(content, totals)


def _shares(by_side: Mapping[str, int], totals: Mapping[str, int]) -> list[str]:
    return [f"{n:,} ({n / max(1, totals[side]):.1%})" for side, n in by_side.items()]


def _levels_table(levels: Levels, *, plain: bool) -> "Table":
    table = _table(f"grey levels{_sampled(levels.looked_at)}", "0 to 255", "mean", "median")
    for name, counts in list(levels.counts.items())[: 1 + MOST_LABELS]:
        mean, median = centre(counts)
        table.add_row(name, bars(counts, plain=plain), f"{mean:.0f}", f"{median}")
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


def note_told(note: Any) -> str:
    """A note of the reading, the first of long lists."""
    if isinstance(note, Mapping):
        return "; ".join(f"{name} {note_told(value)}" for name, value in note.items())
    if isinstance(note, list):
        return f"{len(note):,} ({', '.join(map(str, note[:5]))}{', ...' if len(note) > 5 else ''})"
    return f"{note:,}" if isinstance(note, int) else str(note)
