"""The 14 observations of the CheXpert labeller, and what CheXpert and MIMIC-CXR share."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.component import option
from tgap.core.digest import remembered_file_digest
from tgap.core.errors import DataError
from tgap.core.types import Bools, ImageSet, Indices, NewImages
from tgap.datasets.base import Dataset
from tgap.datasets.reading import decoding
from tgap.datasets.reading.listing import Listing, list_images
from tgap.datasets.reading.tables import Table

log = logging.getLogger(__name__)


NO_FINDING = "No Finding"


PATHOLOGIES = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
)


OBSERVATIONS = (NO_FINDING, *PATHOLOGIES, "Support Devices")
"""In the order of CheXpert's table; MIMIC-CXR's is alphabetical."""


BINARY: tuple[str, ...] = ("no_finding", "unhealthy")


_CELLS = {"": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1, "-1": -1, "-1.0": -1}


_TOLD = 10
"""How many lines, files or patients a message names."""


_NOTED = 100
"""How many excluded files of a kind the notes name."""


_WORDS = {
    "other_views": "images of other views than frontal ones",
    "unlabelled": "images of studies without observations",
    "uncertain": "images with uncertain observations",
    "contradictory": "images with both 'No Finding' and a pathology",
    "undecided": "images with neither 'No Finding' nor a pathology",
    "unlisted": "image files that the tables do not name",
}


@dataclass(frozen=True)
class Records:
    """What the tables say of each image.

    Args:
        files: N paths relative to the folder.
        observations: ``(N, 14)`` int8 in the order of ``OBSERVATIONS``: 1 = positive, 0 = negative
            or not mentioned, -1 = uncertain.
        patients: ``(N,)`` int64.
        frontal: ``(N,)`` bool.
        metadata: ``(N,)`` text or float64 by name.
        official_test: ``(N,)`` bool; ``None`` if the source names no test set.
        notes: Counts of what was left out already.
    """

    files: Sequence[str]
    observations: NDArray[np.int8]
    patients: Indices
    frontal: Bools
    metadata: Mapping[str, NDArray[Any]]
    official_test: Bools | None
    notes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Labelling:
    """Which rows have a label, and which.

    Args:
        kept: ``(M,)`` rows, rising.
        labels: ``(M, L)`` bool.
        names: L names.
        findings: ``(M, 12)`` bool, in the order of ``PATHOLOGIES``.
        left_out: How many rows were left out, by reason.
    """

    kept: Indices
    labels: Bools
    names: tuple[str, ...]
    findings: Bools
    left_out: Mapping[str, int]


def parse(table: Table) -> NDArray[np.int8]:
    """``(N, 14)`` int8 from a table's columns; an empty cell (not mentioned) is 0, negative.

    Raises:
        DataError: If a cell is neither 1, 0, -1 nor empty; the first lines are told.
    """
    found = np.zeros((len(table), len(OBSERVATIONS)), dtype=np.int8)
    for column, name in enumerate(OBSERVATIONS):
        refuse(
            table,
            name,
            lambda cell: cell not in _CELLS,
            "must be 1 (positive), 0 (negative), -1 (uncertain) or empty (not mentioned)",
        )
        found[:, column] = [_CELLS[cell] for cell in table.columns[name]]
    return found


def refuse(table: Table, name: str, wrong: Callable[[str], Any], what: str) -> None:
    """Raise an error if cells of a column are wrong; it tells the first ones with their lines."""
    column = table.columns[name]
    refused = {cell for cell in set(column) if wrong(cell)}
    if refused:
        bad = (row for row, cell in enumerate(column) if cell in refused)
        told = first([f"{column[row]!r} on line {table.lines[row]}" for row in bad])
        raise DataError(f"table {table.name}: '{name}' {what}; got {told}")


def refuse_repeats(table: Table, name: str) -> None:
    """Raise an error if a cell of a column stands on two lines."""
    line: dict[str, int] = {}
    for cell, number in zip(table.columns[name], table.lines, strict=True):
        if cell in line:
            raise DataError(
                f"table {table.name}: lines {line[cell]} and {number} both name {cell} as "
                f"'{name}'; leave one of them"
            )
        line[cell] = number


def first(names: Sequence[str]) -> str:
    """The first names of many, and how many more there are.

    >>> first(["a", "b"])
    'a, b'
    """
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def label(observations: NDArray[np.int8], labels: str, uncertain: str) -> Labelling:
    """Labels from observations, under a policy for the uncertain ones.

    The policies are U-Zeros, U-Ones and U-Ignore of Irvin et al. (CheXpert, AAAI 2019,
    arXiv 1901.07031, section 3.1). U-Ignore there masks single observations in the loss; here
    labels are yes or no, so a whole image is left out if any observation that its labels or
    findings are made of is uncertain.

    Args:
        observations: ``(N, 14)`` of 1, 0 and -1, as ``parse`` gives them.
        labels: ``binary``: an image is ``unhealthy`` if any pathology is positive, and
            ``no_finding`` if ``No Finding`` is. ``Support Devices`` counts for neither. Images
            with both, or with neither, are left out. ``findings``: the 14 observations as they
            are, any number of which may hold.
        uncertain: ``zeros`` (negative), ``ones`` (positive) or ``ignore`` (left out).

    >>> rows = np.zeros((3, 14), np.int8)
    >>> rows[0, 0], rows[1, 2], rows[2, 2] = 1, 1, -1
    >>> found = label(rows, "binary", "zeros")
    >>> found.kept.tolist(), found.labels.astype(int).tolist(), found.left_out
    ([0, 1], [[1, 0], [0, 1]], {'undecided': 1})
    """
    width = len(OBSERVATIONS) if labels == "findings" else 1 + len(PATHOLOGIES)
    unsure = (observations[:, :width] == -1).any(axis=1) & (uncertain == "ignore")
    positive = (observations == 1) | ((observations == -1) & (uncertain == "ones"))
    healthy, findings = positive[:, 0], positive[:, 1 : 1 + len(PATHOLOGIES)]
    unhealthy = findings.any(axis=1)
    reasons = {"uncertain": unsure}
    if labels == "binary":
        reasons["contradictory"] = ~unsure & healthy & unhealthy
        reasons["undecided"] = ~unsure & ~healthy & ~unhealthy
        decided, names = np.stack([healthy, unhealthy], axis=1), BINARY
    else:
        decided, names = positive, ("no_finding", *OBSERVATIONS[1:])
    out = np.any(list(reasons.values()), axis=0)
    kept = np.flatnonzero(~out).astype(np.int64)
    counts = {why: int(rows.sum()) for why, rows in reasons.items() if rows.any()}
    return Labelling(kept, decided[kept], names, findings[kept], counts)


@dataclass(kw_only=True)
class ObservedRadiographs(Dataset):
    """Base of datasets whose tables hold the 14 observations."""

    path: str = option("", "folder of the tables and the images", in_key=False)
    domain: str = option("chest X-ray", "what the images show, in the words of a prompt")
    labels: str = option(
        "binary", "no_finding and unhealthy, or the 14 observations", choices=("binary", "findings")
    )
    uncertain: str = option(
        "zeros",
        "uncertain observations are negative, positive, or their images left out",
        choices=("zeros", "ones", "ignore"),
    )
    views: str = option("frontal", "frontal views, or all", choices=("frontal", "all"))
    size: int = option(256, "height and width that images are brought to", low=8)
    fit: str = option(
        "crop", "centre crop, squash or pad to a square with black", choices=decoding.FITS
    )
    bad_files: str = option(
        "error",
        "what to do about files that are missing or cannot be read",
        choices=decoding.BAD_FILES,
    )
    official_split: bool = option(True, "keep the source's own test set as the test set")

    def problems(self) -> list[str]:
        """What can be told without reading a file."""
        if not self.path:
            return ["path must name a folder, got ''"]
        given = Path(self.path).expanduser()
        if not given.is_dir():
            return [f"path must name an existing folder, got {self.path!r} ({given.absolute()})"]
        try:
            self._tables()
        except DataError as error:
            return [str(error)]
        except OSError as error:
            return [f"path must name a folder that can be read: {error}"]
        return []

    def identity(self) -> dict[str, Any]:
        """The fields, and digests of the files instead of the path.

        Images count by relative path, size and time of change, tables by their content.

        Raises:
            DataError: If the folder or a table cannot be read.
        """
        tables = self._tables()
        try:
            digests = {name: remembered_file_digest(file) for name, file in tables.items()}
        except OSError as error:
            raise DataError(f"cannot read the tables in {self._root}: {error}") from error
        return super().identity() | {"files": list_images(self._root).digest(), "tables": digests}

    def stored_bytes(self) -> int:
        """Of all image files, used or not."""
        return len(list_images(self._root).files) * self.size * self.size

    @property
    def _root(self) -> Path:
        """The folder that holds the tables."""
        return Path(self.path).expanduser()

    @abstractmethod
    def _tables(self) -> dict[str, Path]:
        """The tables' files by name; a ``DataError`` if one is missing."""

    @abstractmethod
    def _records(self, listing: Listing) -> Records: ...

    def _load(self, new_images: NewImages) -> ImageSet:
        root = self._root
        listing = list_images(root)
        records = self._records(listing)
        _refuse_shared_patients(records)
        views = np.flatnonzero(records.frontal | (self.views == "all"))
        made = label(records.observations[views], self.labels, self.uncertain)
        counts = dict(records.notes) | {
            "other_views": len(records.files) - len(views),
            **made.left_out,
            "unlisted": len(set(listing.files).difference(records.files)),
        }
        rows = views[made.kept]
        files = [records.files[row] for row in rows]
        notes = _reported(counts)
        if not files:
            raise DataError(f"dataset '{self.title()}' has no image with a label left: {notes}")
        missing = {name: "there is no such file" for name in files if name not in listing.files}
        decoding.refuse_or_warn(missing, len(files), self.bad_files)
        there = np.array([i for i, name in enumerate(files) if name not in missing], dtype=np.int64)
        names = [files[i] for i in there]
        decoded = decoding.decode_all(
            [root / name for name in names],
            names,
            self.size,
            "grey",
            self.fit,
            new_images,
            self.bad_files,
        )
        kept = there[decoded.kept]
        rows = rows[kept]
        metadata = {"file": np.array(records.files, dtype=np.str_), **records.metadata}
        official = records.official_test if self.official_split else None
        return ImageSet(
            images=decoded.images,
            labels=made.labels[kept],
            label_names=made.names,
            findings=made.findings[kept],
            finding_names=PATHOLOGIES,
            patients=records.patients[rows],
            metadata={name: column[rows] for name, column in metadata.items()},
            official_test=None if official is None else official[rows],
            notes=notes | _excluded(missing=list(missing), unreadable=list(decoded.bad)),
        )


def _refuse_shared_patients(records: Records) -> None:
    if records.official_test is None:
        return
    test = records.official_test
    shared = np.intersect1d(records.patients[test], records.patients[~test])
    if len(shared):
        raise DataError(
            "patients must not stand on both sides of a split, but these have images in the "
            f"official test set and also outside it: {first([str(each) for each in shared])}"
        )


def _reported(counts: Mapping[str, int]) -> dict[str, Any]:
    """Counts for the notes, and a warning for each that is not 0."""
    found = {what: count for what, count in counts.items() if count}
    for what, count in found.items():
        log.warning("%d %s are left out", count, _WORDS[what])
    return found


def _excluded(**files: Sequence[str]) -> dict[str, Any]:
    """Excluded files for the notes: the first names of each kind, and how many there are."""
    some = {kind: names for kind, names in files.items() if names}
    if not some:
        return {}
    return {
        "excluded": {kind: list(names[:_NOTED]) for kind, names in some.items()},
        "excluded_counts": {kind: len(names) for kind, names in some.items()},
    }
