"""Any folder of image files: a sub-folder per label, or a table beside the images."""

import functools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from tgap.core import Bools, DataError, ImageSet, option
from tgap.core.digest import file_digest
from tgap.core.types import no_pixels
from tgap.datasets.base import OWN_PATIENTS
from tgap.datasets.reading import decoding, notes, tables
from tgap.datasets.reading.annotations import (
    Annotations,
    Columns,
    from_folders,
    from_table,
    without_labels,
)
from tgap.datasets.reading.beside import told_beside, without_tables
from tgap.datasets.reading.cells import finding_names, label_names, membership, metadata_column
from tgap.datasets.reading.dicom_patients import all_dicom
from tgap.datasets.reading.doubtful import warn_of_contradictions
from tgap.datasets.reading.folder import Described, FolderDataset
from tgap.datasets.reading.label_columns import tell_of_codings, tell_of_editions
from tgap.datasets.reading.layout import named, without
from tgap.datasets.reading.listing import Listing, list_images
from tgap.datasets.reading.masks import refuse_masks
from tgap.datasets.reading.metadata_table import settings_beside
from tgap.datasets.reading.odd_labels import tell_odd_labels
from tgap.datasets.reading.patients import column_by_name, wrong_pattern
from tgap.datasets.reading.plain_text import plain_text
from tgap.datasets.reading.resized import ColouredDataset
from tgap.datasets.reading.split_names import is_test
from tgap.datasets.reading.unlisted import tell_of_columns, tell_of_tables
from tgap.datasets.reading.whose import Whose

_MASKS = (
    'leave them out by "dataset.exclude={}", or, if they are pictures like the others, take them '
    "by dataset.exclude=[]"
)
log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ImageFolder(ColouredDataset, FolderDataset):
    """Images from a folder: PNG, JPEG, BMP, TIFF, WEBP, PPM, DICOM files, by their paths.

    ``path`` may be a table itself (``dataset.path=images/labels.csv``), beside its images.
    Without a table, the first folder below ``path`` is an image's label. Where the first folders
    are parts of a split by their names (``train``, ``val``, ``test``), the second is, and all
    images are taken; with ``official_split=true`` those of ``test`` stay the test set.
    ``label_level`` says which folder is the label, if that is in doubt.

    Patients, whose images stay together, are those of the table's column ``patient_column``, or of
    one that is called ``patient``, ``Subject ID``, ``case_id``, ``pid``, ``mrn`` or the like; or
    what ``patient_pattern`` finds in an image's path; or, where all files are DICOM and at least
    three are named, ``PatientID``. Else, or with ``patient_column=''``, each image is its own,
    and names that seem to repeat a patient are told of.

    A ``metadata.csv`` with the columns ``file_name`` and ``label_column``, as Hugging Face's image
    folders and ``tgap export`` have it, is taken for the table.

    With a table, a row names an image file (relative to ``path``) and its labels, and
    may name findings and a patient; every other column becomes metadata, and so does the path,
    as ``file``. Several labels or findings stand in one cell, with ``separator`` between them.
    Where ``labels`` are named, an image may have none of them, and its cell be empty. What reads
    as a missing value (``NaN``, ``None``, ``-``, ...) is one; a label that is called so must be
    named. Names that are written in several ways (``Cat``, ``cat``; patients ``7``, ``7.0``) are
    refused, labels unless they are named; what is doubtful about others is told. With
    ``labelled=false`` labels are not known: all images, at any depth, have the one label ``image``,
    which is enough for fidelity, diversity and memorisation.

    Files that look like masks or annotations of others, by their names or folders, are refused
    until ``exclude`` says which are left out.

    How pixels are read is said at ``tgap.datasets.reading.decoding.decode``. Hidden files do not
    count.
    What is left out is counted in the notes: ``excluded`` (names of files that are ``missing`` or
    ``unreadable``, with ``bad_files=exclude``), ``unlisted`` (image files that the table does not
    name), ``other_files`` (no images by the end of their name), ``duplicate_rows``.

    Nothing outside the folder is ever read: absolute paths, ``..`` and links that lead out are
    errors, whatever ``bad_files`` says. The folder itself may be a link.
    """

    _noted: ClassVar[int | None] = None

    table: str | None = option(None, "CSV or JSONL in it; null = a sub-folder per label")
    file_column: str = option("file", "table's column of image files, relative to path")
    label_column: str = option("label", "table's column of labels")
    findings_column: str | None = option(None, "table's column of findings, null = none")
    patient_column: str | None = option(
        None, "table's column of patients; null = as it is called so, '' = each image its own"
    )
    patient_pattern: str | None = option(
        None, r"finds the patient in an image's path, as its first group, e.g. (person\d+)_"
    )
    separator: str = option("|", "between several labels or findings in a cell")
    labels: list[str] = option([], "labels that may occur, in order; empty = all found")
    labelled: bool | None = option(
        True, "false: labels are not known, all images have one; null: as the files say"
    )
    label_level: int | None = option(
        None, "folder below path that is the label, from 1 on; null = as found", low=1
    )
    official_split: bool = option(False, "keep images below a folder test/ as the test set")
    exclude: list[str] | None = option(
        None, "files and folders left out, e.g. [masks,*_seg.png]; null = masks are refused"
    )
    fit: str = option(
        "crop", "centre crop, squash or pad to a square with black", choices=decoding.FITS
    )

    def __post_init__(self) -> None:
        if self.table is None and self.path.lower().endswith(tables.SUFFIXES):
            file = self._root
            if file.is_file():
                self.path, self.table = str(file.parent), file.name
        self._take_metadata_table()
        if self.labelled is None:
            self.labelled = self._says_labels()
        super().__post_init__()

    def _take_metadata_table(self) -> None:
        """Take a folder's ``metadata.csv`` for its table, unless settings speak of folders."""
        of_folders = self.official_split or self.label_level or self.labelled is False
        if self.table is not None or not self.path or of_folders:
            return
        found = settings_beside(self._root, self.file_column, self.label_column)
        defaults = {f.name: f.default for f in fields(self)} | {"labels": []}
        for name, value in found.items():
            if getattr(self, name) == defaults[name]:
                setattr(self, name, value)

    def is_labelled(self) -> bool:
        """As it is set."""
        return bool(self.labelled)

    def _says_labels(self) -> bool:
        """Whether there are folders of labels, or a column, or one is named that should be."""
        if self.table is None:
            return not self._root.is_dir() or any(
                entry.is_dir() for entry in self._root.iterdir() if entry.name[0] != "."
            )
        if self.label_column != ImageFolder.label_column or not (self._root / self.table).is_file():
            return True
        return self.label_column in tables.read_table(self._root / self.table).columns

    def problems(self) -> list[str]:
        """What can be told without reading an image."""
        problems = self._column_problems()
        if self.labels and (len(set(self.labels)) < max(2, len(self.labels)) or "" in self.labels):
            problems.append(f"labels must be at least two different names, got {self.labels}")
        return problems + super().problems()

    def _column_problems(self) -> list[str]:
        if not self.separator.strip():
            return [f"separator must be visible characters, got {self.separator!r}"]
        if self.patient_pattern is not None and self.patient_column:
            return ["patient_column and patient_pattern both name patients; leave one out"]
        if self.patient_pattern is not None and (wrong := wrong_pattern(self.patient_pattern)):
            return [wrong]
        named = [self.findings_column, self.patient_column or None]
        given = [name for name in named if name is not None]
        if self.labels and not self.labelled:
            return [f"labels must be left out with labelled=false, got {self.labels}"]
        if (self.official_split or self.label_level) and (self.table or not self.labelled):
            return [
                "official_split and label_level are of folders per label; leave them out with a "
                "table or labelled=false"
            ]
        if self.table is None:
            wrong = (
                "findings_column and patient_column are a table's; set table, or leave them out "
                "(dataset.patient_pattern finds patients in the images' paths)"
            )
            return [wrong] if given else []
        columns = [self.file_column, *([self.label_column] if self.labelled else []), *given]
        if len(set(columns)) < len(columns) or "" in columns:
            return [
                "file_column, label_column, findings_column and patient_column must be different "
                f"names, got {', '.join(map(repr, columns))}"
            ]
        return []

    def _path_problems(self) -> list[str]:
        if problem := tables.wrong_suffix(self.path) if self._root.is_file() else "":
            text = plain_text(self._root)
            if text is not None:
                return [f"path names {self.path!r}, no table by its name; {text.remedy(self.path)}"]
            return [
                f"path must name a folder of images or a table, which {problem}; got {self.path!r}"
            ]
        return super()._path_problems()

    def _folder_problems(self) -> list[str]:
        root = self._root
        visible = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
        if not visible:
            return [f"path must name a folder of images, but {root} is empty"]
        if self.table is not None:
            return self._table_problems(self.table)
        if self.labelled and not any(entry.is_dir() for entry in visible):
            return [
                f"path must hold a folder per label, but {root} has none; put the images into "
                "folders named by their labels, give a CSV or JSONL file in it as the path, or, if "
                "labels are not known, labelled=false"
            ]
        return []

    def _table_problems(self, table: str) -> list[str]:
        inside = PurePosixPath(table)
        if problem := tables.wrong_suffix(table):
            return [f"table {problem}; got {table!r}"]
        if inside.is_absolute() or ".." in inside.parts:
            return [
                f"table must be the relative path of a CSV or JSONL file in path, got {table!r}"
            ]
        file = self._root / table
        if not file.is_file():
            return [f"table must be a file in path, but there is no {file}"]
        if not file.resolve().is_relative_to(self._root.resolve()):
            return [f"table must lie in path, but {file} is a link to {file.resolve()}"]
        return []

    def identity(self) -> dict[str, Any]:
        """As of every folder; the table counts by its content."""
        identity = super().identity()
        for name in ("label_level", "official_split", "exclude", "patient_pattern"):
            if not getattr(self, name):  # nothing is read in another way
                del identity[name]
        own = self.patient_column == ""  # other warnings are kept with the images
        identity["patient_column"] = "" if own else self._patient_column()
        if self._whose().asks_headers() and all_dicom(self._listing().files):
            identity["patients"] = "headers, or series"
        if self.table is not None:
            file = self._root / self.table
            try:
                identity["table_digest"] = file_digest(file)
            except OSError as error:
                raise DataError(f"cannot read table {file}: {error.strerror or error}") from error
        return identity

    def _patient_column(self) -> str | None:
        """The table's column of patients: as it is set, or by its name."""
        if self.patient_column is not None or self.table is None or self.patient_pattern:
            return self.patient_column or None
        file = self._root / self.table
        try:
            status = file.stat()
        except OSError as error:
            raise DataError(f"cannot read table {file}: {error.strerror or error}") from error
        used = (self.file_column, self.label_column, self.findings_column or "")
        return _column_in(file, self.separator, used, status.st_size, status.st_mtime_ns)

    def _described(self) -> Described:
        rows = self.annotations()
        self._tell_missing(rows)
        names = self._label_names(rows)
        findings = finding_names(rows.findings, self.separator)
        told: dict[str, Any] = dict(notes.counted(rows.level, **rows.left_out))
        if rows.parts:
            told["parts"] = dict(Counter(rows.parts))
        patients = np.arange(len(rows.files), dtype=np.int64)
        if rows.patients is not None:
            patients = np.unique(rows.patients, return_inverse=True)[1].astype(np.int64)
        elif self.patient_column is None:
            told[OWN_PATIENTS] = True
        metadata = {"file": np.array(rows.files, dtype=np.str_)}
        metadata |= {name: metadata_column(cells) for name, cells in rows.metadata.items()}
        held = membership(rows.labels, names), membership(rows.findings, findings)
        warn_of_contradictions(np.hstack(held), [*names, *findings], rows.files)
        data = ImageSet(
            images=no_pixels(len(rows.files)),
            labels=held[0],
            label_names=names,
            findings=held[1],
            finding_names=findings,
            patients=patients,
            patient_names=None if rows.patients is None else np.array(rows.patients, np.str_),
            metadata=metadata,
            official_test=self._official_test(rows),
            notes=told,
        )
        return Described(data, rows.files, list(rows.missing))

    def _official_test(self, rows: Annotations) -> Bools | None:
        """The images of the test folder, if they are to stay the test set."""
        parts = Counter(rows.parts or ())
        counts = ", ".join(f"{part} {n}" for part, n in parts.items())
        if not self.official_split:
            if counts:
                log.warning(
                    "the first folders are parts of a split (%s): labels are the folders below, "
                    "and all images are divided anew; dataset.official_split=true keeps %s/ as "
                    "the test set",
                    counts,
                    next(filter(is_test, parts), "test"),
                )
            return None
        official = np.array([is_test(part) for part in rows.parts or ()], dtype=bool)
        if not official.any() or official.all():
            raise DataError(
                f"official_split needs folders test/ and train/ above the labels' (got: "
                f"{counts or 'no parts of a split'}); set dataset.official_split=false"
            )
        labels = np.array(["|".join(its) for its in rows.labels], np.str_)
        if only := sorted(set(labels[official].tolist()) - set(labels[~official].tolist())):
            raise DataError(
                "official_split keeps the test folder as the test set, but "
                f"{notes.first(only)} have images there only, so that nothing is left to learn "
                "them from; leave "
                "dataset.official_split out: then all images are divided anew"
            )
        return official

    def _tell_missing(self, rows: Annotations) -> None:
        total = len(rows.files) + len(rows.missing)
        notes.refuse_or_warn(rows.missing, total, self.bad_files, rows.hint)

    def _label_names(self, rows: Annotations) -> tuple[str, ...]:
        between = self.separator if self.table is not None else ""
        fewest, folders = (2 if self.labelled else 1), self.table is None
        with self._or_table():
            return label_names(rows.labels, self.labels, fewest, between, folders=folders)

    def annotations(self) -> Annotations:
        """What is said of each image file; no image is read.

        Raises:
            DataError: If the folder or the table cannot be read, or does not say what it must.
        """
        try:
            listing = self._listing()
            return self._whose().with_patients(self._annotated(listing), listing)
        except DataError as error:  # of several folders, as of tgap evaluate, which one it is
            raise DataError(f"{self._root}: {error}") from error

    def _listing(self) -> Listing:
        listing = list_images(self._root)
        return without(listing, self.exclude) if self.exclude else listing

    def _whose(self) -> Whose:
        return Whose(
            root=self._root,
            column=self._patient_column(),
            chosen=self.patient_column is not None,
            pattern=self.patient_pattern,
            label=self.label_column if self.table and self.labelled else None,
            folders=bool(self.labelled) and self.table is None,
            level=self.label_level,
        )

    def _annotated(self, listing: Listing) -> Annotations:
        if self.table is not None:
            rows = self._from_table(self.table, listing)
            self._refuse_masks(rows.files, 0, by_table=True)
            return rows
        self._refuse_masks(list(listing.files), self.label_level if self.labelled else 0)
        if not self.labelled:
            return without_labels(listing)
        with self._or_table():
            rows = from_folders(listing, self.label_level)
        return without_tables(rows, self._root, listing)

    @contextmanager
    def _or_table(self) -> Iterator[None]:
        """Tell of a table that may have the labels, where folders have none."""
        try:
            yield
        except DataError as error:
            known = self.table is not None or not self.labelled
            told = "" if known else told_beside(self._root, self._listing(), str(error))
            if told:
                raise DataError(f"{error}; {told}") from error
            raise

    def _refuse_masks(
        self, files: Sequence[str], level: int | None, *, by_table: bool = False
    ) -> None:
        if self.exclude is None:
            refuse_masks(files, level, _MASKS, by_table=by_table)

    def _from_table(self, name: str, listing: Listing) -> Annotations:
        table = tables.read_table(self._root / name, self.separator)
        columns = Columns(
            self.file_column,
            self.label_column if self.labelled else None,
            self.findings_column,
            self._patient_column(),
        )
        if self.exclude:
            table.require(self.file_column, "file_column")
            files = table.columns[self.file_column]
            gone = named(files, self.exclude)
            table = table.take([row for row, file in enumerate(files) if file not in gone])
        rows = from_table(table, columns, self.separator, listing, self.labels)
        if isinstance(unlisted := rows.left_out["unlisted"], Sequence):
            tell_of_columns(table, self.file_column, unlisted)
            tell_of_tables(self._root, name, self.file_column, unlisted, listing.others)
        if columns.label is not None:
            others = {
                name: cells
                for name, cells in table.columns.items()
                if name == columns.label or name not in columns.used()
            }
            chosen = columns.label != ImageFolder.label_column
            tell_of_editions(others, columns.label, chosen=chosen)
            tell_of_codings(rows.labels, rows.metadata)
            if not self.labels:
                tell_odd_labels((name for its in rows.labels for name in its), listing.others, name)
        return rows


@functools.lru_cache
def _column_in(
    table: Path, separator: str, used: tuple[str, ...], size: int, mtime_ns: int
) -> str | None:
    """A table's column of patients by its name; read once while the file stays as it is."""
    return column_by_name(tables.read_table(table, separator), used)
