"""The table of NIH ChestX-ray14, in the forms in which it has been published."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, Indices, nearest
from tgap.datasets.reading.alike import filled, is_missing
from tgap.datasets.reading.cells import membership, split_cell
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.tables import Table, read_csv

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
COLUMNS = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
)
ALIASES = {"Patient Sex": "Patient Gender"}
"""As the edition of 2017 has it since 2020."""
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_FILE = re.compile(r"\d{8}_\d{3}\.png", re.ASCII)
_AGE = re.compile(r"(\d{1,3})([YMWD]?)", re.ASCII)
_PER_YEAR = {"": 1.0, "Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}


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


def read(path: Path) -> Metadata:
    """Read ``Data_Entry_2017.csv`` or ``Data_Entry_2017_v2020.csv``; see ``parse``."""
    return parse(read_csv(path, COLUMNS, ALIASES))


def parse(table: Table) -> Metadata:
    """Columns of the table to arrays.

    Both generations are read alike: ``Patient Gender`` or ``Patient Sex``, ages as numbers or as
    DICOM age strings (``060Y``, ``013M``; PS3.5, 6.2). Findings are sets, so their order in a cell
    does not count. Other columns, such as the original sizes, are not read.

    Args:
        table: The file's ``COLUMNS``.

    Raises:
        DataError: If a finding is unknown or stands beside ``No Finding``, a number cannot be
            read, a file's name disagrees with its patient, or two rows contradict each other; the
            lines are told.
    """
    files, patients = _files_and_patients(table)
    age = _ages(table)
    above = age > OLDEST
    age[above] = np.nan
    columns: dict[str, NDArray[Any]] = {
        "files": files,
        "findings": _findings(table),
        "patients": patients,
        "follow_up": _integers(table, "Follow-up #").astype(np.float64),
        "age": age,
        "sex": np.array(filled(table.columns["Patient Gender"]), dtype=np.str_),
        "view": np.array(filled(table.columns["View Position"]), dtype=np.str_),
    }
    kept = _distinct(table, columns)
    counts = {
        "duplicate_rows": len(files) - len(kept),
        "ages_above_120": int(np.count_nonzero(above[kept])),
    }
    notes = {kind: count for kind, count in counts.items() if count}
    return Metadata(notes=notes, **{name: column[kept] for name, column in columns.items()})


def _ages(table: Table) -> NDArray[np.float64]:
    column = table.columns["Patient Age"]
    years = {cell: _years(cell) for cell in set(column)}
    what = "must be a number of years, or like 060Y, 013M"
    table.refuse("Patient Age", lambda cell: years[cell] is None, what)
    return np.array([years[cell] for cell in column], dtype=np.float64)


def _years(cell: str) -> float | None:
    """An age in years, NaN for a missing value, ``None`` for one that is no age."""
    match = _AGE.fullmatch(cell)
    if match is None:
        return np.nan if is_missing(cell) else None
    return int(match[1]) / _PER_YEAR[match[2]]


def _integers(table: Table, name: str) -> Indices:
    table.refuse(name, lambda cell: not _NUMBER.fullmatch(cell), "must be a whole number")
    return np.array(table.columns[name]).astype(np.int64)


def _files_and_patients(table: Table) -> tuple[NDArray[np.str_], Indices]:
    name, what = "Image Index", "must be a name like 00000001_000.png"
    table.refuse(name, lambda cell: not _FILE.fullmatch(cell), what)
    files = np.array(table.columns[name], dtype=np.str_)
    patients = _integers(table, "Patient ID")
    wrong = np.flatnonzero(files.astype("U8").astype(np.int64) != patients)
    what = "must begin with the 8 digits of the row's 'Patient ID'"
    table.refuse_rows(name, wrong.tolist(), what)
    return files, patients


def _findings(table: Table) -> Bools:
    """``(N, 14)`` bool; of the cells, 836 differ."""
    name = "Finding Labels"
    column = table.columns[name]
    sets = {
        cell: tuple(_NAMES.get(part.lower(), part) for part in split_cell(cell, "|"))
        for cell in dict.fromkeys(column)
    }
    if unknown := sorted({part for parts in sets.values() for part in parts} - {*_NAMES.values()}):
        hint = nearest(unknown[0], list(_NAMES.values()))
        what = f"names unknown findings {first(unknown)}{hint}"
        table.refuse(name, lambda cell: not set(unknown).isdisjoint(sets[cell]), what)
    table.refuse(
        name,
        lambda cell: not sets[cell] or (NO_FINDING in sets[cell] and len(set(sets[cell])) > 1),
        f"must be '{NO_FINDING}' alone, or findings with | between them",
    )
    held = membership([*sets.values()], (*FINDINGS, NO_FINDING))[:, : len(FINDINGS)]
    position = {cell: row for row, cell in enumerate(sets)}
    return held[[position[cell] for cell in column]]


def _distinct(table: Table, columns: dict[str, NDArray[Any]]) -> Indices:
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
                f"table {table.name}: lines {table.lines[one]} and {table.lines[other]} say "
                f"different things of {columns['files'][one]}; leave one of them"
            )
    return np.delete(order, np.flatnonzero(repeats) + 1).astype(np.int64)
