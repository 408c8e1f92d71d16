"""Datasets of the Hugging Face library: a folder that it saved, or a name on the hub."""

import importlib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, ImageSet, Indices, NewImages, nearest, option
from tgap.core.digest import folder_digest
from tgap.core.files import expanded
from tgap.core.network import hub_if_it_answers
from tgap.core.origin import Origin
from tgap.datasets.reading import decoding
from tgap.datasets.reading.alike import check_patients, filled, is_missing
from tgap.datasets.reading.cells import finding_names, label_names, membership
from tgap.datasets.reading.doubtful import warn_of_contradictions
from tgap.datasets.reading.notes import excluded
from tgap.datasets.reading.numbered import Cell, found_in_order, names_in
from tgap.datasets.reading.patient_ids import tell_of_ids
from tgap.datasets.reading.patients import tell_of_column
from tgap.datasets.reading.resized import ColouredDataset
from tgap.datasets.reading.windowed import WindowedDataset

log = logging.getLogger(__name__)

_LONGEST_TEXT = 256
"""Longer cells are reports or the like, and would blow a column of fixed width up."""


@dataclass(kw_only=True)
class Huggingface(ColouredDataset, WindowedDataset):
    """Images, labels and what else is known, from columns of a ``datasets`` dataset.

    The label column holds class numbers (``ClassLabel``, with their names), whole numbers, text
    or booleans, or lists of these for labels that may hold together. Splits follow each other in
    the order of ``splits``, or of the dataset; images of the split ``test`` are the
    ``official_test``, if there are other splits too. Other columns of numbers and short text
    become metadata. How pixels are read is said at ``tgap.datasets.reading.decoding.decode``;
    images that cannot be are told or left out (``bad_files``), and named in the notes
    (``excluded``).

    A folder counts by its content, which is read once for each process. What a hub name stands
    for may move: name a commit as ``revision``, or a change of it is not noticed.

    Code of a dataset's repository is never run, and of images that are named but not contained
    in the data, only those inside ``path`` (for ``repo``: inside the hub's cache) are read.

    Args:
        labels: For whole numbers and booleans without names, names in the order 0, 1, ...; else
            the labels that may occur, in their order. Empty: the names of a ``ClassLabel``, or
            what is found, sorted.
    """

    path: str | None = option(None, "folder written by save_to_disk", in_key=False)
    repo: str | None = option(None, "name on the hub, e.g. owner/name")
    revision: str | None = option(None, "commit, branch or tag on the hub; null = the newest")
    subset: str | None = option(None, "the hub dataset's configuration, null = its default")
    splits: list[str] = option([], "splits that are used, in order; empty = all")
    image_column: str = option("image", "column of images")
    label_column: str = option("label", "column of labels")
    findings_column: str | None = option(None, "column of findings, null = none")
    patient_column: str | None = option(None, "column of patients, null = each image its own")
    labels: list[str] = option([], "labels in order; empty = as the data has them")
    fit: str = option(
        "crop", "centre crop, squash or pad to a square with black", choices=decoding.FITS
    )
    bad_files: str = option(
        "error", "what to do about images that cannot be read", choices=decoding.BAD_FILES
    )

    def problems(self) -> list[str]:
        """Whether the source is named once, and columns and labels differ."""
        problems = super().problems()
        if (self.path is None) == (self.repo is None):
            problems.append(
                "path (a folder written by save_to_disk) or repo (a name on the "
                f"hub) must be given, one of the two, got path={self.path} and repo={self.repo}"
            )
        if self.path is not None and not (self.path and self._root.is_dir()):
            problems.append(f"path must name an existing folder, got '{self.path}'")
        if self.path is not None and (self.revision or self.subset):
            problems.append("revision and subset are the hub's; they do not go with path")
        if self.repo is not None and not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", self.repo):
            problems.append(f"repo must be a name on the hub such as owner/name, got '{self.repo}'")
        columns = [column for column in self._columns if column is not None]
        if len(set(columns)) < len(columns):
            names = "image_column, label_column, findings_column and patient_column"
            problems.append(f"{names} must differ, got {', '.join(columns)}")
        for name, values in (("splits", self.splits), ("labels", self.labels)):
            if len(set(values)) < len(values):
                problems.append(f"{name} must differ from each other, got {values}")
        return problems

    def identity(self) -> dict[str, Any]:
        """The fields; instead of a path, the digest of the folder's content."""
        content = {} if self.path is None else {"content": folder_digest(self._root)}
        return super().identity() | content

    def origin(self) -> Origin:
        """The hub's repository."""
        if self.repo is None:
            return Origin("a folder of the datasets library")
        of = f" at {self.revision}" if self.revision else ""
        licence = f"as https://huggingface.co/datasets/{self.repo} says"
        return Origin(f"{self.repo} on the Hugging Face hub{of}", licence, "other", self.repo)

    @property
    def _root(self) -> Path:
        return expanded(self.path or "")

    @property
    def _columns(self) -> tuple[str | None, ...]:
        return self.image_column, self.label_column, self.findings_column, self.patient_column

    def _load(self, new_images: NewImages) -> ImageSet:
        library = _library()
        parts = self._parts(library)
        names = [f"{split}[{row}]" for split, part in parts for row in range(len(part))]
        try:
            table = library.concatenate_datasets([part for _, part in parts]).with_format(None)
        except ValueError as error:
            raise DataError(
                f"{self._source}: the splits {', '.join(split for split, _ in parts)} have "
                f"different columns; choose some with dataset.splits: {error}"
            ) from error
        self._check_columns(table.features)
        labels, classes = self._labels(table, names)
        findings, finding_names = self._findings(table, names)
        both = [*classes, *finding_names]
        warn_of_contradictions(np.hstack([labels, findings]), both, names)
        patients, patient_names = self._patients(table, names)
        metadata = _metadata(table.remove_columns([c for c in self._columns if c is not None]))
        decoded = decoding.decode_all(
            _Images(table, self.image_column, self._allowed_roots(library), names),
            names,
            self.side,
            self.shade,
            self.fit,
            new_images,
            self.bad_files,
            window=self.window,
            labels=dict(zip(classes, labels.T, strict=True)),
        )
        kept = decoded.kept
        return ImageSet(
            images=decoded.images,
            labels=labels[kept],
            label_names=classes,
            findings=findings[kept],
            finding_names=finding_names,
            patients=patients[kept],
            metadata={name: column[kept] for name, column in metadata.items()},
            official_test=official_test([(split, len(part)) for split, part in parts], kept),
            notes=excluded({"unreadable": list(decoded.bad)}) | dict(decoded.notes),
            patient_names=None if patient_names is None else patient_names[kept],
        )

    @property
    def _source(self) -> str:
        return f"dataset {self.repo or self._root}"

    def _parts(self, library: Any) -> list[tuple[str, Any]]:
        """The splits in use, with their names."""
        loaded = self._from_hub(library, self.repo) if self.repo else self._from_disk(library)
        if not isinstance(loaded, dict):
            loaded = {str(loaded.split or "all"): loaded}
        for split in self.splits:
            if split not in loaded:
                raise DataError(
                    f"{self._source} has no split '{split}'{nearest(split, list(loaded))}"
                )
        parts = [(split, loaded[split]) for split in self.splits or loaded]
        if not any(len(part) for _, part in parts):
            raise DataError(
                f"{self._source} has no rows in {', '.join(split for split, _ in parts)}"
            )
        return parts

    def _from_disk(self, library: Any) -> Any:
        try:
            return library.load_from_disk(str(self._root))
        except (OSError, ValueError, LookupError, TypeError) as error:  # IndexError: no rows
            raise DataError(
                f"{self._root} cannot be read as a dataset: {error}; dataset.path is a folder "
                "that Dataset.save_to_disk or DatasetDict.save_to_disk wrote"
            ) from error

    def _from_hub(self, library: Any, repo: str) -> Any:
        if Path(repo).exists():  # the library would prefer the folder
            raise DataError(
                f"'{repo}' is also a file or folder here, so it is not clear what is meant; "
                "call tgap from another folder, or set dataset.path instead of dataset.repo"
            )
        try:
            with hub_if_it_answers():
                return library.load_dataset(repo, self.subset, revision=self.revision)
        except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
            raise DataError(
                f"dataset '{repo}' cannot be fetched from the hub: {error}. Without network, "
                f"fetch it elsewhere, datasets.load_dataset('{repo}').save_to_disk(folder), "
                "and set dataset.path=<folder> instead of dataset.repo"
            ) from error

    def _allowed_roots(self, library: Any) -> tuple[Path, ...]:
        if self.repo is None:
            return (self._root,)
        hub = importlib.import_module("huggingface_hub.constants")
        return Path(hub.HF_HUB_CACHE), Path(library.config.HF_DATASETS_CACHE)

    def _check_columns(self, features: Any) -> None:
        for column in self._columns:
            if column is not None and column not in features:
                raise DataError(
                    f"{self._source} has no column '{column}'{nearest(column, list(features))}"
                )
        image = features[self.image_column]
        if type(image).__name__ != "Image":
            raise DataError(
                f"column '{self.image_column}' of {self._source} must be of type Image, got "
                f"{image}; choose another dataset.image_column, or cast it before saving: "
                f"cast_column('{self.image_column}', datasets.Image())"
            )

    def _cells(self, table: Any, column: str) -> tuple[list[Cell], Sequence[str]]:
        """A column's cells as names, and the names that its type knows."""
        feature = table.features[column]
        feature = getattr(feature, "feature", feature)  # what a list holds
        class_names = getattr(feature, "names", None) or ()
        naming = class_names or (self.labels if column == self.label_column else ())
        cells = table[column][:]
        if column == self.findings_column:  # a list may hold findings beside a missing value
            for row, cell in enumerate(cells):
                if isinstance(cell, list):
                    cells[row] = [x for x in cell if names_in(x, naming, column) is not None]
        return [names_in(cell, naming, column) for cell in cells], class_names

    def _labels(self, table: Any, names: Sequence[str]) -> tuple[Bools, tuple[str, ...]]:
        cells, class_names = self._cells(table, self.label_column)
        _refuse_missing(cells, names, self.label_column, "label")
        rows = [cell or () for cell in cells]
        named = self.labels or class_names
        labels = label_names(rows, named)
        labels = labels if named else found_in_order(rows)
        return membership(rows, labels), labels

    def _findings(self, table: Any, names: Sequence[str]) -> tuple[Bools, tuple[str, ...]]:
        if self.findings_column is None:
            return np.zeros((len(names), 0), np.bool_), ()
        cells, class_names = self._cells(table, self.findings_column)
        rows = [cell or () for cell in cells]
        if not class_names:
            finding_names(rows)  # which may refuse them
        findings = tuple(class_names) or found_in_order(rows)
        return membership(rows, findings), findings

    def _patients(
        self, table: Any, names: Sequence[str]
    ) -> tuple[Indices, NDArray[np.str_] | None]:
        """Their numbers and names."""
        if self.patient_column is None:
            tell_of_column(set(table.column_names) - {*self._columns})
            return np.arange(len(names), dtype=np.int64), None
        patients = table[self.patient_column][:]
        patients = [None if cell is None or is_missing(str(cell)) else cell for cell in patients]
        _refuse_missing(patients, names, self.patient_column, "patient")
        check_patients(self.patient_column, texts := [str(x).strip() for x in patients], names)
        tell_of_ids(texts)
        return np.unique(texts, return_inverse=True)[1].astype(np.int64), np.array(texts)


def official_test(parts: Sequence[tuple[str, int]], kept: Indices) -> Bools | None:
    """Which images are of the split ``test``; ``None`` if no split or every one is.

    Args:
        parts: Name and number of rows of each split, in order.
        kept: ``(M,)`` rows that became images.
    """
    is_test = np.concatenate([np.full(count, split == "test") for split, count in parts])[kept]
    return is_test if is_test.any() and not is_test.all() else None


class _Images(Sequence[Path | bytes]):
    """A column's encoded images, each read from the data when it is asked for."""

    def __init__(
        self, table: Any, column: str, roots: tuple[Path, ...], names: Sequence[str]
    ) -> None:
        encoded = _library().Image(decode=False)
        self._cells = table.select_columns([column]).cast_column(column, encoded)
        self._column, self._names = column, names
        self._roots = tuple(root.resolve() for root in roots)

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, row: Any) -> Any:
        cell = self._cells[row][self._column] or {}
        if cell.get("bytes") is not None:
            return cell["bytes"]
        if not cell.get("path"):
            return b""  # told as an image that cannot be read
        path = (self._roots[0] / cell["path"]).resolve()
        if not any(path.is_relative_to(root) for root in self._roots):
            raise DataError(
                f"image {self._names[row]} is not in the data, which only names the file "
                f"{cell['path']}, outside {' and '.join(map(str, self._roots))}; it is not read: "
                "save the dataset again with its images in it (save_to_disk does so by default)"
            )
        return path


def _library() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"dataset=huggingface needs the package 'datasets' ({error}): "
            "pip install 'tgap[huggingface]'"
        ) from error


def _refuse_missing(cells: Sequence[Any], names: Sequence[str], column: str, what: str) -> None:
    missing = [name for name, cell in zip(names, cells, strict=True) if cell in (None, "")]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(cells)} rows have no {what} in column '{column}', the first "
            f"being {missing[0]}; choose another column, or splits without such rows "
            "(dataset.splits)"
        )


def _metadata(table: Any) -> dict[str, NDArray[Any]]:
    """Columns of numbers as float64 (NaN where unknown), of text and dates as text."""
    metadata: dict[str, NDArray[Any]] = {}
    for column, feature in table.features.items():
        dtype = str(getattr(feature, "dtype", ""))
        class_names = getattr(feature, "names", None)
        if class_names is None and re.fullmatch(r"u?int\d+|float\d+|bool", dtype):
            metadata[column] = np.array(table[column][:], np.float64)
        elif class_names is not None or re.match(r"(large_)?string|date|time", dtype):
            texts = _texts(table[column][:], class_names)
            if max(map(len, texts)) <= _LONGEST_TEXT:
                metadata[column] = np.array(texts, np.str_)
                continue
            log.warning("column '%s' is not kept: its texts are too long for metadata", column)
    return metadata


def _texts(cells: Iterable[Any], class_names: Sequence[str] | None) -> list[str]:
    if class_names is not None:
        return ["" if cell in (None, -1) else class_names[cell] for cell in cells]
    return filled("" if cell is None else str(cell) for cell in cells)
