"""Tables with named columns: CSV, plain or compressed by gzip, and JSONL."""

import csv
import gzip
import json
import operator
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tgap.core.errors import DataError, nearest

SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Table:
    """Columns of text.

    Args:
        name: What messages call the table.
        columns: N cells by column; an empty cell is ``""``.
        lines: The line of the file that each row stands on, from 1 on; its last, where a quoted
            cell has several.
    """

    name: str
    columns: dict[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def require(self, name: str) -> None:
        """Check that there is a column.

        Raises:
            DataError: If there is none of that name; the nearest one is told.
        """
        if name not in self.columns:
            raise DataError(
                f"table {self.name} has no column '{name}'{nearest(name, list(self.columns))}"
            )


def read_table(path: Path, separator: str = "|") -> Table:
    """Read a table.

    Args:
        path: ``.csv`` (UTF-8, commas, a header line) or ``.jsonl`` (a JSON object a line). In
            JSONL a key may be absent or null, which is an empty cell, and numbers and booleans
            are kept as JSON writes them.
        separator: Put between the items of a list in JSONL, which CSV writes into its cells.

    Returns:
        Its columns, in the order in which the table first names them; at least one row.

    Raises:
        DataError: If the file is missing, of another kind or empty, no UTF-8, or has a line that
            cannot be read; the line is told.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"table {path} must end with {' or '.join(SUFFIXES)}")
    try:
        table = reader(path, separator)
    except OSError as error:
        raise DataError(f"cannot read table {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"table {path} is not UTF-8 text: {error}; save it as UTF-8") from error
    if len(table) == 0:
        raise DataError(f"table {path} has no rows")
    return table


def _read_csv(path: Path, separator: str) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            numbered = [(rows.line_num, row) for row in rows if row]
        except csv.Error as error:
            raise DataError(f"table {path}, line {rows.line_num}: {error}") from error
    if not numbered:
        raise DataError(f"table {path} is empty")
    (_, header), *body = numbered
    _check_header(path, header)
    for line, row in body:
        if len(row) != len(header):
            raise DataError(
                f"table {path}, line {line}: {len(row)} cells, but the header has {len(header)} "
                "columns; quote a cell that holds a comma"
            )
    columns = {name: [row[i] for _, row in body] for i, name in enumerate(header)}
    return Table(path.name, columns, [line for line, _ in body])


def _check_header(path: Path, header: Sequence[str]) -> None:
    for number, name in enumerate(header, 1):
        if not name.strip():
            raise DataError(f"table {path}: column {number} has no name")
        if name in header[: number - 1]:
            raise DataError(f"table {path} has two columns named '{name}'")


def _read_jsonl(path: Path, separator: str) -> Table:
    rows = list(_objects(path, separator))
    names = dict.fromkeys(name for _, row in rows for name in row)
    columns = {name: [row.get(name, "") for _, row in rows] for name in names}
    return Table(path.name, columns, [line for line, _ in rows])


def _objects(path: Path, separator: str) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"table {path}, line {number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{where}: no JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{where}: must be a JSON object, got {line.strip()[:40]}")
            yield (
                number,
                {key: _cell(v, f"{where}, '{key}'", separator) for key, v in row.items()},
            )


def _cell(value: Any, where: str, separator: str) -> str:
    if isinstance(value, str):
        return value
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
            if not file.resolve().is_relative_to(folder.resolve()):
                raise DataError(
                    f"{file} is a link to {file.resolve()}; only links to files inside the folder "
                    "are followed: copy it with its links resolved (cp -rL)"
                )
            return file
    return None


def read_csv(path: Path, names: Sequence[str]) -> Table:
    """Read some columns; the others are not kept.

    Args:
        path: A CSV (UTF-8, commas, a header line), compressed by gzip if it ends with ``.gz``.
        names: At least two columns.

    Returns:
        The columns, stripped of surrounding space, in the order of ``names``; at least one row.

    Raises:
        DataError: If the file cannot be read, columns are missing (the nearest ones are told),
            a line has another number of cells than the header, or there are no rows.
    """
    lines: list[int] = []
    picked: list[tuple[str, ...]] = []
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            pick = operator.itemgetter(*_positions(path, header, names))
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"table {path}, line {rows.line_num}: {len(row)} cells, but the header "
                        f"names {len(header)} columns; is the file cut off? copy it again"
                    )
                lines.append(rows.line_num)
                picked.append(pick(row))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot read table {path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"table {path} is not UTF-8 text: {error}; save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"table {path}, line {rows.line_num}: {error}") from error
    if not picked:
        raise DataError(f"table {path} has no rows")
    columns = zip(*picked, strict=True)
    return Table(
        path.name, {n: [*map(str.strip, c)] for n, c in zip(names, columns, strict=True)}, lines
    )


def _positions(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    wrong = [
        f"no column '{name}'{nearest(name, header)}"
        if name not in header
        else f"two columns '{name}'"
        for name in names
        if header.count(name) != 1
    ]
    if wrong:
        raise DataError(f"table {path} has {'; '.join(wrong)}")
    return [header.index(name) for name in names]
