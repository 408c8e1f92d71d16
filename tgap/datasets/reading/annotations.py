"""What is said of each image file: by the folder it lies in, or by a table's rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tgap.core import DataError
from tgap.datasets.reading.cells import split_cell
from tgap.datasets.reading.decoding import SUFFIXES
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.notes import counted, first
from tgap.datasets.reading.tables import Table

UNKNOWN = "image"
"""The label of images whose labels are not known."""


@dataclass(frozen=True)
class Annotations:
    """Image files, sorted, and what is said of each; all columns have the same length.

    Args:
        files: Paths relative to the folder.
        labels: The labels of each.
        findings: The findings of each.
        patients: The patient of each; ``None`` = not known.
        metadata: Further columns of text.
        missing: Files that are named but cannot be there, with the reason.
        notes: Counts of what was left out.
    """

    files: list[str]
    labels: list[tuple[str, ...]]
    findings: list[tuple[str, ...]]
    patients: list[str] | None = None
    metadata: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Columns:
    """Which of a table's columns say what."""

    file: str
    label: str | None
    findings: str | None
    patient: str | None

    def used(self) -> list[str]:
        """Those that there are; a table's others are metadata."""
        named = (self.file, self.label, self.findings, self.patient)
        return [name for name in named if name is not None]


def from_folders(listing: Listing) -> Annotations:
    """The first folder of a path is the label.

    Raises:
        DataError: If an image file is in no folder, or a folder has no image files.
    """
    loose = [name for name in listing.files if "/" not in name]
    if loose:
        raise DataError(
            f"{len(loose)} image files are in no label's folder: {first(loose)}; move them into "
            "one, or name a table of labels by dataset.table"
        )
    labels = [name.partition("/")[0] for name in listing.files]
    empty = sorted(set(listing.folders) - set(labels))
    if empty:
        raise DataError(
            f"no image files in the folder of label {first(empty)}; remove it, or put files "
            f"there that end with {', '.join(SUFFIXES)}"
        )
    notes = counted(other_files=listing.others)
    return Annotations(
        list(listing.files), [(label,) for label in labels], [()] * len(labels), notes=notes
    )


def without_labels(listing: Listing) -> Annotations:
    """All image files, wherever below the folder, under the one label ``UNKNOWN``.

    Raises:
        DataError: If there is none.
    """
    if not listing.files:
        raise DataError(f"there are no image files; they must end with {', '.join(SUFFIXES)}")
    count = len(listing.files)
    notes = counted(other_files=listing.others)
    return Annotations(list(listing.files), [(UNKNOWN,)] * count, [()] * count, notes=notes)


def from_table(
    table: Table, columns: Columns, separator: str, listing: Listing, unlabelled: bool = False
) -> Annotations:
    """What a table says of the files of a folder.

    Rows that are the same in every cell count once.

    Args:
        table: The table.
        columns: What its columns are.
        separator: Between several names in a cell.
        listing: The folder's files.
        unlabelled: Whether an image may have no label at all.

    Raises:
        DataError: If a column is missing, a file, label or patient is not given, a path could
            leave the folder, or two rows contradict each other.
    """
    _check(table, columns, separator, unlabelled)
    files = _relative(table, columns.file)
    rows = _distinct(table, files, columns.file)
    missing = {file: _reason(file) for file in sorted(rows) if file not in listing.files}
    present = {file: rows[file] for file in sorted(rows) if file not in missing}

    def picked(name: str) -> list[str]:
        column = table.columns[name]
        return [column[row] for row in present.values()]

    def picked_names(name: str | None) -> list[tuple[str, ...]]:
        cells = [""] * len(present) if name is None else picked(name)
        return [split_cell(cell, separator) for cell in cells]

    return Annotations(
        files=list(present),
        labels=[(UNKNOWN,)] * len(present)
        if columns.label is None
        else picked_names(columns.label),
        findings=picked_names(columns.findings),
        patients=None if columns.patient is None else picked(columns.patient),
        metadata={name: picked(name) for name in table.columns if name not in columns.used()},
        missing=missing,
        notes=counted(
            duplicate_rows=[file for row, file in enumerate(files) if rows[file] != row],
            unlisted=[name for name in listing.files if name not in rows],
        ),
    )


def _check(table: Table, columns: Columns, separator: str, unlabelled: bool) -> None:
    for name in columns.used():
        table.require(name)
    if "file" in table.columns and "file" not in columns.used():
        raise DataError(
            f"table {table.name} has a column 'file' beside the file column '{columns.file}'; "
            "rename it, for the metadata's 'file' is the image's path"
        )
    blank = "must not be empty: fill it in, or remove the rows"
    for given in filter(None, (columns.file, columns.patient)):
        table.refuse(given, lambda cell: not cell, blank)
    if columns.label is not None and not unlabelled:
        blank += ", or, if an image may have no label, name all labels by dataset.labels"
        table.refuse(columns.label, lambda cell: not split_cell(cell, separator), blank)


def _relative(table: Table, name: str) -> list[str]:
    """Paths in their plain form, none of which can leave the folder."""
    paths = [PurePosixPath(cell) for cell in table.columns[name]]
    outside = [str(path) for path in paths if path.is_absolute() or ".." in path.parts]
    if outside:
        raise DataError(
            f"table {table.name} names files by absolute paths or with '..': {first(outside)}; "
            "paths must be relative to dataset.path and stay in it"
        )
    return [path.as_posix() for path in paths]


def _distinct(table: Table, files: Sequence[str], file_column: str) -> dict[str, int]:
    """The first row of each file; others must be the same."""
    rows: dict[str, int] = {}
    columns = [column for name, column in table.columns.items() if name != file_column]
    for row, file in enumerate(files):
        earlier = rows.setdefault(file, row)
        if any(column[row] != column[earlier] for column in columns):
            raise DataError(
                f"table {table.name}: lines {table.lines[earlier]} and {table.lines[row]} say "
                f"different things of {file}; leave one of them"
            )
    return rows


def _reason(file: str) -> str:
    if not file.lower().endswith(SUFFIXES):
        return f"its name does not end with {', '.join(SUFFIXES)}"
    return "there is no such file"
