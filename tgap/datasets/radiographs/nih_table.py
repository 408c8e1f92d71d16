"""The table of NIH ChestX-ray14, in the forms in which it has been published."""

import csv
import io
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.errors import DataError, nearest
from tgap.core.types import Bools, Indices
from tgap.datasets.reading.cells import membership, split_cell

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)


NO_FINDING = "No Finding"


OLDEST = 120
"""The list of 2017 has ages up to 414."""


_NAMES = {name.lower(): name for name in (*FINDINGS, NO_FINDING)}


_COLUMNS = {
    "file": ("Image Index",),
    "findings": ("Finding Labels",),
    "follow_up": ("Follow-up #",),
    "patient": ("Patient ID",),
    "age": ("Patient Age",),
    "sex": ("Patient Gender", "Patient Sex"),
    "view": ("View Position",),
}


_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


_FILE = re.compile(r"\d{8}_\d{3}\.png", re.ASCII)


_AGE = re.compile(r"(\d{1,3})([YMWD]?)", re.ASCII)


_PER_YEAR = {"": 1.0, "Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}


_TOLD = 10
"""How many lines or names a message tells."""


@dataclass(frozen=True)
class Metadata:
    """What the table says of each image, in the order of the file names.

    Args:
        files: ``(N,)`` text, e.g. ``00000001_000.png``, each once.
        findings: ``(N, 14)`` bool, in the order of ``FINDINGS``; a row without any is No Finding.
        patients: ``(N,)`` int64.
        follow_up: ``(N,)`` float64; since 2020 the order by age, not the number in the file name.
        age: ``(N,)`` float64, in years, NaN where unknown.
        sex: ``(N,)`` text, ``M`` or ``F``.
        view: ``(N,)`` text, ``PA`` or ``AP``.
        notes: ``duplicate_rows`` that were dropped, and ``ages_above_120`` made unknown.
    """

    files: NDArray[np.str_]
    findings: Bools
    patients: Indices
    follow_up: NDArray[np.float64]
    age: NDArray[np.float64]
    sex: NDArray[np.str_]
    view: NDArray[np.str_]
    notes: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class _Cells:
    """The columns that are read, as text, and the line that each row stands on."""

    table: str
    columns: dict[str, list[str]]
    lines: list[int]

    def refuse(self, column: str, bad: Iterable[int], what: str, hint: str = "") -> None:
        """Raise an error if there are bad rows; it tells the first ones."""
        told = [f"{self.columns[column][row]!r} on line {self.lines[row]}" for row in bad]
        if told:
            raise DataError(f"{self.table}: {what}: {first(told)}{hint}")


def parse(text: str, table: str) -> Metadata:
    """Read ``Data_Entry_2017.csv`` or ``Data_Entry_2017_v2020.csv``.

    Both generations are read alike: ``Patient Gender`` or ``Patient Sex``, a comma at the end of
    lines or none, ages as numbers or as DICOM age strings (``060Y``, ``013M``; PS3.5, 6.2).
    Findings are sets, so their order in a cell does not count. Columns that are not named here,
    such as the original sizes, are not read.

    Args:
        text: The file's content.
        table: What messages call it.

    Raises:
        DataError: If a column is missing, a line has too few or too many cells, a finding is
            unknown or stands beside ``No Finding``, a number cannot be read, a file's name
            disagrees with its patient, or two rows contradict each other; the lines are told.
    """
    cells = _cells(text, table)
    files, patients = _files_and_patients(cells)
    age = _ages(cells)
    above = age > OLDEST
    age[above] = np.nan
    columns: dict[str, NDArray[Any]] = {
        "files": files,
        "findings": _findings(cells),
        "patients": patients,
        "follow_up": _integers(cells, "follow_up").astype(np.float64),
        "age": age,
        "sex": np.array(cells.columns["sex"], dtype=np.str_),
        "view": np.array(cells.columns["view"], dtype=np.str_),
    }
    kept = _distinct(cells, columns)
    counts = {
        "duplicate_rows": len(files) - len(kept),
        "ages_above_120": int(np.count_nonzero(above[kept])),
    }
    notes = {what: count for what, count in counts.items() if count}
    return Metadata(notes=notes, **{name: column[kept] for name, column in columns.items()})


def first(names: Sequence[str]) -> str:
    """The first names of many, and how many more there are.

    >>> first(["a", "b"])
    'a, b'
    """
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def _cells(text: str, table: str) -> _Cells:
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    lines, picked = [], []
    try:
        header = [name.strip() for name in next(rows, [])]
        positions = _positions(header, table)
        width = len(header) - (header[-1] == "")
        pick = operator.itemgetter(*positions.values())
        for row in rows:
            if not row:
                continue
            if len(row) < width or any(row[width:]):
                raise DataError(
                    f"{table}, line {rows.line_num}: {len(row)} cells, but the header names "
                    f"{width} columns; is the file cut off? download it again"
                )
            lines.append(rows.line_num)
            picked.append(pick(row))
    except csv.Error as error:
        raise DataError(f"{table}, line {rows.line_num}: {error}") from error
    if not picked:
        raise DataError(f"{table} has no rows; download it again")
    columns = zip(*picked, strict=True)
    stripped = {
        name: [*map(str.strip, column)] for name, column in zip(positions, columns, strict=True)
    }
    return _Cells(table, stripped, lines)


def _positions(header: Sequence[str], table: str) -> dict[str, int]:
    """Where the columns stand that are read."""
    problems, positions = [], {}
    for name, spellings in _COLUMNS.items():
        found = [i for i, title in enumerate(header) if title in spellings]
        wanted = " or ".join(f"'{spelling}'" for spelling in spellings)
        if not found:
            titles = [title for title in header if title]
            problems.append(f"no column {wanted}{nearest(spellings[0], titles)}")
        elif len(found) > 1:
            problems.append(f"{len(found)} columns {wanted}, where one is expected")
        else:
            positions[name] = found[0]
    if problems:
        raise DataError(f"{table} is no table of ChestX-ray14: {'; '.join(problems)}")
    return positions


def _ages(cells: _Cells) -> NDArray[np.float64]:
    column = cells.columns["age"]
    years = {cell: _years(cell) for cell in set(column)}
    bad = (row for row, cell in enumerate(column) if years[cell] is None)
    cells.refuse("age", bad, "'Patient Age' must be a number of years, or like 060Y, 013M")
    return np.array([years[cell] for cell in column], dtype=np.float64)


def _years(cell: str) -> float | None:
    """An age in years, NaN for an empty cell, ``None`` for one that is no age."""
    match = _AGE.fullmatch(cell)
    if match is None:
        return None if cell else np.nan
    return int(match[1]) / _PER_YEAR[match[2]]


def _integers(cells: _Cells, column: str) -> Indices:
    found = cells.columns[column]
    bad = (row for row, cell in enumerate(found) if not _NUMBER.fullmatch(cell))
    cells.refuse(column, bad, f"'{_COLUMNS[column][0]}' must be a whole number")
    return np.array(found).astype(np.int64)


def _files_and_patients(cells: _Cells) -> tuple[NDArray[np.str_], Indices]:
    files = cells.columns["file"]
    bad = (row for row, name in enumerate(files) if not _FILE.fullmatch(name))
    cells.refuse("file", bad, "'Image Index' must be a name like 00000001_000.png")
    patients = _integers(cells, "patient")
    named = np.array([int(name[:8]) for name in files], dtype=np.int64)
    cells.refuse(
        "file",
        np.flatnonzero(named != patients),
        "the first 8 digits of 'Image Index' must be the 'Patient ID' of the row",
    )
    return np.array(files, dtype=np.str_), patients


def _findings(cells: _Cells) -> Bools:
    """``(N, 14)`` bool; of the cells, 836 differ."""
    column = cells.columns["findings"]
    position = {cell: i for i, cell in enumerate(dict.fromkeys(column))}
    sets = [
        tuple(_NAMES.get(name.lower(), name) for name in split_cell(cell, "|")) for cell in position
    ]
    _refuse_unknown(cells, {name for names in sets for name in names} - set(_NAMES.values()))
    bad = {
        cell
        for cell, names in zip(position, sets, strict=True)
        if not names or (NO_FINDING in names and len(set(names)) > 1)
    }
    cells.refuse(
        "findings",
        (row for row, cell in enumerate(column) if cell in bad),
        f"'Finding Labels' must be '{NO_FINDING}' alone, or findings with | between them",
    )
    found = membership(sets, (*FINDINGS, NO_FINDING))[:, : len(FINDINGS)]
    return found[[position[cell] for cell in column]]


def _refuse_unknown(cells: _Cells, unknown: set[str]) -> None:
    if not unknown:
        return
    rows = (
        row
        for row, cell in enumerate(cells.columns["findings"])
        if unknown & set(split_cell(cell, "|"))
    )
    hint = nearest(min(unknown), list(_NAMES.values()))
    cells.refuse("findings", rows, f"unknown findings {first(sorted(unknown))}", hint)


def _distinct(cells: _Cells, columns: dict[str, NDArray[Any]]) -> Indices:
    """One row of each file, by the files' names; others must say the same."""
    order = np.argsort(columns["files"], kind="stable")
    before, after = order[:-1], order[1:]
    repeats = columns["files"][before] == columns["files"][after]
    before, after = before[repeats], after[repeats]
    for column in columns.values():
        same = column[before] == column[after]
        if column.dtype.kind == "f":
            same |= np.isnan(column[before]) & np.isnan(column[after])
        differing = np.flatnonzero(~same.all(axis=tuple(range(1, same.ndim))))
        if len(differing):
            one, other = before[differing[0]], after[differing[0]]
            raise DataError(
                f"{cells.table}: lines {cells.lines[one]} and {cells.lines[other]} say different "
                f"things of {columns['files'][one]}; leave one of them"
            )
    return np.delete(order, np.flatnonzero(repeats) + 1).astype(np.int64)
