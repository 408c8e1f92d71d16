"""Tables with named columns: CSV, as people's programs write it, plain or gzip, and JSONL."""

import csv
import gzip
import itertools
import json
import operator
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from tgap.core import DataError, nearest
from tgap.core.foreign import json_of
from tgap.core.words import quoted
from tgap.datasets.reading import decoding
from tgap.datasets.reading.listing import check_link
from tgap.datasets.reading.notes import first

SUFFIXES = (".csv", ".tsv", ".jsonl")
BETWEEN = (",", ";", "\t")
"""What may stand between a CSV's cells: where the comma is the decimal point, it is another."""
_FLOAT = re.compile(r"\d+\.0*", re.ASCII)
_HEAD = "a line of the columns' names (file,label)"
_SAVE = (
    "save it as CSV: in Excel as 'CSV UTF-8', in pandas by read_excel(...).to_csv(..., index=False)"
)


_TITLE = (
    "its first line seems to be a title ({!r}), and line {} the header: remove the lines above the "
    "header"
)
_TITLES = 10
"""In so many rows a header is looked for that stands below a title."""
FILE = "file"
"""What a first column without a name is called if it holds names of images: pandas' index."""


@dataclass(frozen=True)
class Table:
    """Columns of text.

    Args:
        name: What messages call the table.
        columns: N cells by column, stripped of surrounding space; an empty one is ``""``.
        lines: The line of the file that each row stands on, from 1 on; its last, where a quoted
            cell has several.
    """

    name: str
    columns: dict[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, rows: Sequence[int]) -> "Table":
        """Some rows."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return Table(self.name, columns, [self.lines[row] for row in rows])

    def require(self, name: str, setting: str) -> None:
        """Check that there is a column, which a setting of the dataset names.

        Raises:
            DataError: If there is none of that name; the nearest one is told.
        """
        if name not in self.columns:
            raise DataError(
                f"table {self.name} has no column '{name}'{nearest(name, list(self.columns))}; "
                f"dataset.{setting} names it"
                f"{self._files() if setting == 'file_column' else ''}{self._cause(name)}"
            )

    def _files(self) -> str:
        """Which columns name image files; empty if none does."""
        named = [name for name, cells in self.columns.items() if _are_files([*filter(None, cells)])]
        if not named:
            return ""
        several = (
            "; where a row names several, let each name one (pandas: table.melt(id_vars=[...], "
            f"value_vars={named}, value_name='{FILE}'))"
        )
        return (
            f"; image files stand in {first(list(map(repr, named)))}: set "
            f'"dataset.file_column={quoted(named[0])}"{several if len(named) > 1 else ""}'
        )

    def _cause(self, wanted: str) -> str:
        """Why the first line may be no header; empty if nothing speaks for it."""
        names = list(self.columns)
        if told := _commented(names):
            return told
        if len(names) == 1 and "|" in names[0]:
            return "; its cells are divided by '|': save it with commas, semicolons or tabs"
        if told := _titled(self, wanted):
            return told
        if any(name.lower().endswith(decoding.SUFFIXES) for name in names):
            return f"; its first line seems to be no header, but the first row: write {_HEAD} above"
        return ""

    def refuse(self, name: str, wrong: Callable[[str], Any], what: str) -> None:
        """Check the cells of a column.

        Raises:
            DataError: If some are wrong: ``what`` they must be, and the first with their lines.
        """
        column = self.columns[name]
        refused = {cell for cell in set(column) if wrong(cell)}
        if refused:
            self.refuse_rows(name, [i for i, cell in enumerate(column) if cell in refused], what)

    def refuse_rows(self, name: str, rows: Sequence[int], what: str) -> None:
        """As ``refuse``, if the rows are known whose cells are wrong."""
        if len(rows):
            bad = [f"{self.columns[name][row]!r} on line {self.lines[row]}" for row in rows]
            hint = ""
            if any(_FLOAT.fullmatch(self.columns[name][row]) for row in rows):
                hint = f"; a tool has made numbers of them (pandas: dtype={{'{name}': str}})"
            raise DataError(f"table {self.name}: '{name}' {what}; got {first(bad)}{hint}")

    def refuse_repeats(self, name: str) -> None:
        """Check that no cell of a column stands on two lines.

        Raises:
            DataError: If one does.
        """
        lines: dict[str, int] = {}
        for cell, line in zip(self.columns[name], self.lines, strict=True):
            if cell in lines:
                raise DataError(
                    f"table {self.name}: lines {lines[cell]} and {line} both name {cell} as "
                    f"'{name}'; leave one of them"
                )
            lines[cell] = line


def read_table(path: Path, separator: str = "|") -> Table:
    """Read a table of either kind.

    Args:
        path: ``.csv``, as ``read_csv`` reads it, or ``.jsonl`` (a JSON object a line). In JSONL a
            key may be absent or null, which is an empty cell, and numbers and booleans are kept as
            JSON writes them.
        separator: Put between the items of a list in JSONL, which CSV writes into its cells.

    Returns:
        Its columns, in the order in which the table first names them; at least one row.

    Raises:
        DataError: If the file is missing, of another kind or empty, no UTF-8, or has a line that
            cannot be read; the line is told.
    """
    if problem := wrong_suffix(path.name):
        raise DataError(f"table {path} {problem}")
    return _read_jsonl(path, separator) if path.suffix.lower() == ".jsonl" else read_csv(path)


def wrong_suffix(name: str) -> str:
    """What is wrong with a table by the end of its name; empty if it can be read.

    >>> wrong_suffix("labels.CSV")
    ''
    """
    if name.lower().endswith(SUFFIXES):
        return ""
    return f"must end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; {_SAVE}"


def read_csv(
    path: Path, names: Sequence[str] = (), aliases: Mapping[str, str] | None = None
) -> Table:
    """Read a CSV, or some columns of it.

    Args:
        path: UTF-8 or UTF-16, with commas, semicolons or tabs, and a header line; compressed by
            gzip if it ends with ``.gz``. Of columns without a name, empty ones and a first one of
            whole numbers (pandas' index) are left out, and so are empty lines; a first one of
            names of images is called ``FILE``.
        names: The columns that are kept; all if empty.
        aliases: Names of columns by what they are called in other editions of the table.

    Returns:
        The columns, in the order of ``names``; at least one row.

    Raises:
        DataError: If the file cannot be read, columns are missing (the nearest ones are told) or
            there twice, a line has another number of cells than the header, or there are no rows.
    """
    with _opened(path) as file:
        return csv_table(file, path, names, aliases)


def csv_table(
    lines: Iterable[str],
    path: Path,
    names: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> Table:
    """``read_csv`` of lines that are read already; ``path`` is what messages call them.

    Not pandas: it takes a line that was cut off for one whose last cells are empty.
    """
    between, lines = _between(lines)
    reader = csv.reader(lines, strict=True, delimiter=between)
    numbers: list[int] = []
    picked: list[tuple[str, ...]] = []
    try:
        rows = (row for row in reader if any(map(str.strip, row)))
        header = _header(next(rows, []), aliases or {})
        width = max((number for number, name in enumerate(header, 1) if name), default=0)
        positions = _positions(path, header[:width], names)
        pick = operator.itemgetter(*positions, positions[0])  # of one alone it is no tuple
        for row in rows:
            if len(row) != width and (len(row) < width or any(row[width:])):
                title = "" if picked else _title_above(header, row, reader.line_num)
                raise DataError(
                    f"table {path}, line {reader.line_num}: {len(row)} cells, but the header has "
                    f"{width} columns"
                    + (
                        title
                        if title and not _commented(header)
                        else f"; quote a cell that holds {between!r}, or, if the file is cut off, "
                        f"copy it again{_commented(header)}"
                    )
                )
            numbers.append(reader.line_num)
            picked.append(pick(row))
    except csv.Error as error:
        raise DataError(f"table {path}, line {reader.line_num}: {error}") from error
    if not picked:
        raise DataError(f"table {path} has no rows")
    columns = {}
    for position, cells in zip(positions, zip(*picked, strict=True), strict=False):
        stripped = [*map(str.strip, cells)]
        if header[position]:
            columns[header[position]] = stripped
        elif position == 0 and FILE not in header and _are_files(stripped):
            columns[FILE] = stripped
        elif any(stripped) and not (position == 0 and all(map(str.isdecimal, stripped))):
            raise DataError(
                f"table {path}: column {position + 1} has no name ({first(stripped, most=2)}); "
                "write one into the header (pandas, if it is the index: "
                f"to_csv(..., index_label='{FILE}')), or remove the column (index=False)"
            )
    return Table(path.name, columns, numbers)


def _are_files(cells: Sequence[str]) -> bool:
    """Whether all cells are names of images."""
    return bool(cells) and all(cell.lower().endswith(decoding.SUFFIXES) for cell in cells)


def _between(lines: Iterable[str]) -> tuple[str, Iterator[str]]:
    """What stands between cells, as the first line tells, and all lines.

    It is what occurs most often there outside quotes. ``sep=;`` is Excel's own word for it.
    """
    lines = iter(lines)
    blank: list[str] = []
    head = next(lines, "")
    while head and not head.strip():
        blank.append(head)
        head = next(lines, "")
    head = re.sub("^(\ufeff|ï»¿)+", "", head)  # marks of a byte order, read as text
    told = re.fullmatch(r"sep=(.)\s*", head)
    if told is not None:
        return told[1], itertools.chain([*blank, "\n"], lines)
    bare = re.sub('"[^"]*"', "", head)
    return max(BETWEEN, key=bare.count), itertools.chain([*blank, head], lines)


def _titled(table: Table, wanted: str) -> str:
    """The end of a sentence on a table whose header, as it seems, stands below other lines."""
    for row, line in enumerate(table.lines[:_TITLES]):
        cells = [cells[row] for cells in table.columns.values()]
        parts = re.split("[,;\t]", cells[0]) if len(cells) == 1 else cells
        if wanted.casefold() in (part.strip(' "').casefold() for part in parts):
            return f"; {_TITLE.format(next(iter(table.columns)), line)}"
    return ""


def _title_above(header: Sequence[str], row: Sequence[str], line: int) -> str:
    """The same of a header of one name, below which more cells stand."""
    names = list(filter(None, header))
    named = not any(cell.lower().endswith(decoding.SUFFIXES) for cell in row)
    titled = len(names) == 1 and len(row) > 1 and all(map(str.strip, row)) and named
    return f"; {_TITLE.format(names[0], line)}" if titled else ""


def _commented(header: Sequence[str]) -> str:
    """The end of a sentence on a table that has a comment for its header."""
    if header[0].startswith(("#", "%", "//")):
        return "; the table begins with a comment: remove such lines"
    return ""


def _header(cells: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """The columns' names; ``""`` for those without, which pandas calls ``Unnamed: 0``."""
    names = [cell.strip() for cell in cells]
    names = ["" if re.fullmatch(r"Unnamed: \d+", name) else name for name in names]
    return [aliases.get(name, name) for name in names]


def _positions(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where the wanted columns stand; without names all do, those without a name too."""
    if not header:
        raise DataError(f"table {path} is empty")
    problems = [
        f"two columns named '{name}' (rename one)"
        if name in header
        else f"no column '{name}'{nearest(name, header)}"
        for name in dict.fromkeys(names or filter(None, header))
        if header.count(name) != 1
    ]
    if problems:
        raise DataError(f"table {path} has {'; '.join(problems)}")
    return [header.index(name) for name in names] or list(range(len(header)))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A text file, perhaps compressed by gzip, in UTF-8 or, as Excel can write it, in UTF-16."""
    with _reading(path):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as raw:
            head = raw.read(4)
        if head in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
            raise DataError(f"table {path} is a workbook, whatever its name; {_SAVE}")
        encoding = "utf-8-sig"
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
        elif b"\0" in head[:2]:
            encoding = "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
        with opened(path, "rt", encoding=encoding, newline="") as file:
            yield cast(TextIO, file)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read table {path}: {reason}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"table {path} is not UTF-8 text: {error}; save it as UTF-8 (in Excel as 'CSV UTF-8', "
            f"in pandas by read_csv(..., encoding='cp1252'{_options(path)}).to_csv(..., "
            "index=False))"
        ) from error


def _options(path: Path) -> str:
    """What else pandas must be told to read a table as ``read_csv`` does."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="latin-1", newline="") as file:
        between, lines = _between(cast(TextIO, file))
        skipped = not next(lines, "").strip()
    sep = "" if between == "," else f", sep={between!r}"
    return f"{sep}, skiprows=1" if sep and skipped else sep


def _read_jsonl(path: Path, separator: str) -> Table:
    with _opened(path) as file:
        rows = {
            number: _object(line, f"table {path}, line {number}", separator)
            for number, line in enumerate(file, 1)
            if line.strip()
        }
    if not rows:
        raise DataError(f"table {path} has no rows")
    names = dict.fromkeys(name for row in rows.values() for name in row)
    columns = {name: [row.get(name, "") for row in rows.values()] for name in names}
    return Table(path.name, columns, list(rows))


def _object(line: str, where: str, separator: str) -> dict[str, str]:
    try:
        row = json_of(line)
    except ValueError as error:
        raise DataError(f"{where}: no JSON: {error}") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: must be a JSON object, got {line.strip()[:40]}")
    return {key: _cell(value, f"{where}, '{key}'", separator) for key, value in row.items()}


def _cell(value: Any, where: str, separator: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, dict):
        raise DataError(f"{where}: must be text, a number, true, false, null or a list of these")
    if not isinstance(value, list):
        return json.dumps(value)
    items = [_cell(item, where, separator) for item in value]
    for item in items:
        if separator in item:
            raise DataError(
                f"{where}: the item {item!r} holds the separator {separator!r}; choose another"
            )
    return separator.join(items)


def find_csv(folder: Path, name: str) -> Path | None:
    """The file ``name`` of a folder, else ``name.gz``; ``None`` if there is neither.

    Raises:
        DataError: If it is a link that leads out of the folder.
    """
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            check_link(file.name, file, folder)
            return file
    return None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV: UTF-8, commas, a header line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
