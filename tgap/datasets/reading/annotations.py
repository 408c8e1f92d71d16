"""What is said of each image file: by the folder it lies in, or by a table's rows."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from tgap.core import DataError
from tgap.datasets.reading.alike import FAILED, check_patients, is_missing, number
from tgap.datasets.reading.cells import split_cell
from tgap.datasets.reading.day_folders import below_one, refuse_days
from tgap.datasets.reading.decoding import SUFFIXES
from tgap.datasets.reading.label_paths import tell_nested_labels, tell_words_in_names
from tgap.datasets.reading.layout import label_level, refuse_label_files, refuse_persons
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.masks import refuse_kinds
from tgap.datasets.reading.matching import rule_in_words, same_files, shared_names
from tgap.datasets.reading.not_images import without_images
from tgap.datasets.reading.notes import first, mostly
from tgap.datasets.reading.odd_labels import tell_odd_labels
from tgap.datasets.reading.person_rows import rows_of_folders
from tgap.datasets.reading.split_names import is_test, parts_among
from tgap.datasets.reading.tables import Table
from tgap.datasets.reading.unused import tell_unused

log = logging.getLogger(__name__)
FEWEST_FLAGS = 2
"""So many columns of 0 and 1, one of which is 1 in each row, seem to be labels."""
FEWEST_DUMMIES = 10
"""So many images of a test folder, all of one label, have perhaps none that is known."""
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
        parts: The part of the source's own split that each belongs to; ``None`` = not known.
        missing: Files that are named but cannot be there, with the reason.
        hint: The rule by which most of these would be there, or their label; may be empty.
        left_out: What was left out and is to be told, by kinds in ``notes.WORDS``: how many, or
            their names.
        level: Which folder of a path is the label; 0 = none.
    """

    files: list[str]
    labels: list[tuple[str, ...]]
    findings: list[tuple[str, ...]]
    patients: list[str] | None = None
    metadata: dict[str, list[str]] = field(default_factory=dict)
    parts: list[str] | None = None
    missing: dict[str, str] = field(default_factory=dict)
    hint: str = ""
    left_out: dict[str, int | Sequence[str]] = field(default_factory=dict)
    level: int = 0


@dataclass(frozen=True)
class Columns:
    """Which of a table's columns say what."""

    file: str
    label: str | None
    findings: str | None
    patient: str | None

    def settings(self) -> dict[str, str]:
        """Those that there are, by the settings that name them."""
        named = {
            "file_column": self.file,
            "label_column": self.label,
            "findings_column": self.findings,
            "patient_column": self.patient,
        }
        return {setting: name for setting, name in named.items() if name is not None}

    def used(self) -> list[str]:
        """Those that there are; a table's others are metadata."""
        return list(self.settings().values())


def from_folders(listing: Listing, level: int | None = None) -> Annotations:
    """The first folder of a path is the label, or the second, below folders of a split's parts.

    Args:
        listing: The folder's files.
        level: Which folder of a path is the label; ``None`` = as ``label_level`` finds it.

    Raises:
        DataError: If an image file is in no label's folder, a folder has no image files, or the
            folders can be understood in several ways.
    """
    if level is None:
        refuse_label_files(listing)
        refuse_days(below_one(list(listing.files)), 2)
    _refuse_loose(listing.files, 1)
    found = label_level(listing.files, level, listing.others)
    _refuse_loose(listing.files, found)
    folders = [name.split("/") for name in listing.files]
    empty = sorted(set(listing.folders) - {path[0] for path in folders})
    if empty:
        raise DataError(without_images(empty, listing.others, labels=found == 1))
    labels = [path[found - 1] for path in folders]
    if level is None:
        refuse_kinds(labels)
        refuse_persons(labels)
        refuse_days(labels, found)
    tell_odd_labels(set(labels), listing.others)
    tell_nested_labels(list(listing.files), labels, found)
    tell_words_in_names(list(listing.files), labels)
    parts = [path[0] for path in folders] if found > 1 else []
    known = bool(parts) and set(parts_among(dict.fromkeys(parts))) == set(parts)
    return Annotations(
        list(listing.files),
        [(label,) for label in labels],
        [()] * len(labels),
        parts=parts if known else None,
        left_out={"other_files": listing.others},
        level=found,
    )


def _refuse_loose(files: Iterable[str], level: int) -> None:
    """Refuse images that lie in fewer folders than the label's level."""
    loose = [name for name in files if name.count("/") < level]
    if loose:
        where = "" if level == 1 else f", which is level {level} of the folders"
        raise DataError(
            f"{len(loose)} image files are in no label's folder{where}: {first(loose)}; move them "
            "into one, leave them out by dataset.exclude=[...], or name a table of labels by "
            "dataset.table"
        )


def without_labels(listing: Listing) -> Annotations:
    """All image files, wherever below the folder, under the one label ``UNKNOWN``.

    Raises:
        DataError: If there is none.
    """
    if not listing.files:
        raise DataError(f"there are no image files; they must end with {', '.join(SUFFIXES)}")
    count = len(listing.files)
    left_out: dict[str, int | Sequence[str]] = {"other_files": listing.others}
    return Annotations(list(listing.files), [(UNKNOWN,)] * count, [()] * count, left_out=left_out)


def from_table(
    table: Table, columns: Columns, separator: str, listing: Listing, named: Sequence[str] = ()
) -> Annotations:
    """What a table says of the files of a folder.

    Rows that are the same in every cell count once.

    Args:
        table: The table.
        columns: What its columns are.
        separator: Between several names in a cell.
        listing: The folder's files.
        named: All labels, if they are known: then an image may have none, and a label may read as
            a missing value.

    Raises:
        DataError: If a column is missing, a file, label or patient is not given, a patient is
            written in several ways, a path could leave the folder, or two rows contradict each
            other.
    """
    _refuse_persons_rows(table, columns.file, listing.files)
    _check(table, columns, separator, named)
    files = _located(table, columns.file, listing)
    others = {name: cells for name, cells in table.columns.items() if name != columns.file}
    shared = shared_names(files, listing.files, others)
    rows = _distinct(table, files, columns, shared)
    tell_unused(table.columns, columns.used())
    missing = {file: _reason(file) for file in sorted(rows) if file not in listing.files}
    present = {file: rows[file] for file in sorted(rows) if file not in missing}
    unlisted = [name for name in listing.files if name not in rows]
    lost = [table.columns[columns.label][rows[file]] for file in missing if columns.label]
    rule = shared or rule_in_words(list(missing), unlisted)
    hints = (rule, mostly(Counter(lost), len(missing)))

    def picked(name: str) -> list[str]:
        column = table.columns[name]
        return [column[row] for row in present.values()]

    def picked_names(name: str | None) -> list[tuple[str, ...]]:
        cells = [""] * len(present) if name is None else picked(name)
        return [split_cell(cell, separator, named) for cell in cells]

    unknown: list[tuple[str, ...]] = [(UNKNOWN,)] * len(present)
    labels = unknown if columns.label is None else picked_names(columns.label)
    _tell_test_folder(list(present), labels)
    return Annotations(
        files=list(present),
        labels=labels,
        findings=picked_names(columns.findings),
        patients=None if columns.patient is None else picked(columns.patient),
        metadata={name: picked(name) for name in table.columns if name not in columns.used()},
        missing=missing,
        hint="\n".join(filter(None, hints)),
        left_out={
            "duplicate_rows": [file for row, file in enumerate(files) if rows[file] != row],
            "unlisted": unlisted,
            "without_label": sum(not row for row in labels),
        },
    )


def _tell_test_folder(files: Sequence[str], labels: Sequence[tuple[str, ...]]) -> None:
    """Warn of a test folder all of one label, as where a dummy stands for those held back."""
    rows = [row for row, file in enumerate(files) if _in_test(file)]
    inside = [labels[row] for row in rows]
    others = {label for file, label in zip(files, labels, strict=True) if not _in_test(file)}
    if len(inside) >= FEWEST_DUMMIES and len(set(inside)) == 1 and len(others) > 1:
        log.warning(
            "all %d images below the test folder have label '%s', and others have several: if "
            "labels of a competition's test images are not known, leave these rows out of the "
            'table, or these images by "dataset.exclude=[%s/*]"',
            len(inside),
            ", ".join(inside[0]) or "none",
            files[rows[0]].partition("/")[0],
        )


def _in_test(file: str) -> bool:
    return is_test(file.partition("/")[0])


def _one_hot(table: Table, label: str | None) -> str:
    """How to join columns that have a 1 where a label holds, if there are such; else empty."""
    flags = {
        name: [number(cell) for cell in cells]
        for name, cells in table.columns.items()
        if {number(cell) for cell in cells} == {"0", "1"}
    }
    rows = list(zip(*flags.values(), strict=True))
    if len(flags) < FEWEST_FLAGS or not all("1" in row for row in rows):
        return ""
    if label in table.columns and (label not in flags or any(row.count("1") > 1 for row in rows)):
        return ""
    names = list(flags)
    return (
        f"the columns {first(names)} seem to be a label each, with 1 where it holds: join them "
        f"to one (pandas, table = read_csv(..., skipinitialspace=True): table['label'] = "
        f"table[{names}].astype(float).eq(1)"
        ".apply(lambda row: '|'.join(row.index[row]), axis=1)) and save it"
    )


def _check(table: Table, columns: Columns, separator: str, named: Sequence[str]) -> None:
    if columns.label is not None and (joined := _one_hot(table, columns.label)):
        if columns.label not in table.columns:
            raise DataError(f"table {table.name} has no column '{columns.label}': {joined}")
        log.warning("'%s' is one label of several: %s", columns.label, joined)
    for setting, name in columns.settings().items():
        table.require(name, setting)
    if "file" in table.columns and "file" not in columns.used():
        raise DataError(
            f"table {table.name} has a column 'file' beside the file column '{columns.file}'; "
            "rename it, for the metadata's 'file' is the image's path"
        )
    blank = "must not be empty: fill it in, or remove the rows"
    _refuse_failed(table, columns)
    table.refuse(columns.file, lambda cell: not cell, blank)
    if columns.patient is not None:
        known = f"{blank}, or, if each image is its own patient, set dataset.patient_column="
        table.refuse(columns.patient, is_missing, known)
        places = [f"line {line}" for line in table.lines]
        check_patients(columns.patient, table.columns[columns.patient], places)
    if columns.label is not None and not named:
        blank += ", or, if an image may have no label, name all labels by dataset.labels"
        table.refuse(columns.label, lambda cell: not split_cell(cell, separator), blank)


def _refuse_persons_rows(table: Table, column: str, files: Mapping[str, object]) -> None:
    """Refuse a table with a row per person, whose images lie in a folder each."""
    cells = table.columns.get(column, [])
    named = any(cell in files or cell.lower().endswith(SUFFIXES) for cell in cells)
    told = "" if named else rows_of_folders(table.name, table.columns, files)
    if told:
        raise DataError(f"table {table.name} names no image files: {told}")


def _refuse_failed(table: Table, columns: Columns) -> None:
    """Refuse what a spreadsheet writes in place of labels or patients that it could not find."""
    failed = (
        "must not be an error of a spreadsheet: mend the formula or the look-up (VLOOKUP finds no "
        "number that is text), or remove the rows"
    )
    for name in (columns.label, columns.patient):
        if name is not None:
            table.refuse(name, lambda cell: cell.casefold() in FAILED, failed)


def _located(table: Table, name: str, listing: Listing) -> list[str]:
    """The file that each row means, as it is called in the folder, or the name that no file has."""
    paths = [PurePosixPath(cell).as_posix() for cell in table.columns[name]]
    found = same_files(paths, listing.files)
    files = [found.get(path, path) for path in paths]
    outside = [file for file in files if _leaves(file) and file not in listing.files]
    if outside:
        hint = rule_in_words([file.replace("\\", "/") for file in outside], listing.files)
        raise DataError(
            f"table {table.name} names files by absolute paths or with '..': {first(outside)}; "
            "paths must be relative to dataset.path and stay in it" + (f"; {hint}" if hint else "")
        )
    return files


def _leaves(path: str) -> bool:
    """Whether a path is absolute, or could lead out of the folder."""
    windows = PureWindowsPath(path)
    return bool(windows.drive or windows.root or ".." in windows.parts)


def _distinct(table: Table, files: Sequence[str], used: Columns, shared: str) -> dict[str, int]:
    """The first row of each file; others must be the same."""
    rows: dict[str, int] = {}
    unlike: dict[int, list[str]] = {}
    columns = {name: cells for name, cells in table.columns.items() if name != used.file}
    for row, file in enumerate(files):
        earlier = rows.setdefault(file, row)
        differing = [name for name, cells in columns.items() if cells[row] != cells[earlier]]
        if differing:
            unlike[row] = differing
    if unlike:
        if shared:
            raise DataError(f"table {table.name}: {shared}")
        raise DataError(_contradiction(table, files, used, rows, unlike))
    return rows


def _contradiction(
    table: Table,
    files: Sequence[str],
    used: Columns,
    rows: Mapping[str, int],
    unlike: Mapping[int, Sequence[str]],
) -> str:
    """What rows say that differ from a file's first one, and how a file gets one row."""
    row = next(iter(unlike))
    names = list(dict.fromkeys(name for each in unlike.values() for name in each))
    count = len({files[each] for each in unlike})
    others = f"; so it is with {count} files, as where each box or reader has a row of its own"
    text = (
        f"table {table.name}: lines {table.lines[rows[files[row]]]} and {table.lines[row]} say "
        f"different things of {files[row]} ({first(list(unlike[row]))})"
        f"{others if count > 1 else ''}; let each file have one row"
    )
    if used.patient in names:
        return f"{text}: correct the patients, or rename files that are called the same"
    if {used.label, used.findings}.isdisjoint(names):
        return (
            f"{text} (pandas: drop_duplicates('{used.file}')), or leave out the columns "
            f"{first(names)}, if they are not needed"
        )
    how = ", ".join(
        f"'{name}': " + ("lambda x: '|'.join(sorted(set(x)))" if name in names else "'first'")
        for name in used.used()
        if name != used.file
    )
    return (
        f"{text}: if all hold, write an image's in one cell, with dataset.separator between them "
        f"(pandas, of the columns that count: groupby('{used.file}', as_index=False).agg({{{how}}})"
        "); if readers disagree, decide which holds"
    )


def _reason(file: str) -> str:
    if not file.lower().endswith(SUFFIXES):
        return f"its name does not end with {', '.join(SUFFIXES)}"
    return "there is no such file"
