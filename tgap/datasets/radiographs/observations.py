"""The 14 observations of the CheXpert labeller, and what CheXpert and MIMIC-CXR share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, ImageSet, Indices, option
from tgap.core.digest import remembered_file_digest
from tgap.core.types import no_pixels
from tgap.datasets.reading.alike import filled, is_missing
from tgap.datasets.reading.decoding import FITS
from tgap.datasets.reading.folder import Described, FolderDataset
from tgap.datasets.reading.listing import Listing, list_images
from tgap.datasets.reading.notes import counted, first
from tgap.datasets.reading.tables import Table

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


@dataclass(frozen=True)
class Records:
    """What the tables say of each image.

    Args:
        files: N paths relative to the folder.
        observations: ``(N, 14)`` int8 in the order of ``OBSERVATIONS``: 1 = positive, 0 = negative
            or not mentioned, -1 = uncertain.
        patients: ``(N,)`` int64.
        patient_names: ``(N,)`` text, what the source calls them.
        frontal: ``(N,)`` bool.
        metadata: ``(N,)`` text or float64 by name.
        official_test: ``(N,)`` bool; ``None`` if the source names no test set.
        notes: Counts of what was left out already.
    """

    files: Sequence[str]
    observations: NDArray[np.int8]
    patients: Indices
    patient_names: NDArray[np.str_]
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
    """``(N, 14)`` int8 from a table's columns; a missing value (not mentioned) is 0, negative.

    Raises:
        DataError: If a cell is neither 1, 0, -1 nor empty; the first lines are told.
    """
    observations = np.zeros((len(table), len(OBSERVATIONS)), dtype=np.int8)
    for column, name in enumerate(OBSERVATIONS):
        cells = filled(table.columns[name])
        table.refuse(
            name,
            lambda cell: not is_missing(cell) and cell not in _CELLS,
            "must be 1 (positive), 0 (negative), -1 (uncertain) or empty (not mentioned)",
        )
        observations[:, column] = [_CELLS[cell] for cell in cells]
    return observations


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
class ObservedRadiographs(FolderDataset):
    """Base of datasets whose tables hold the 14 observations."""

    version: ClassVar[int] = 4
    _what: ClassVar[str] = "a folder"

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
    fit: str = option("crop", "centre crop, squash or pad to a square with black", choices=FITS)
    official_split: bool = option(True, "keep the source's own test set as the test set")

    def _folder_problems(self) -> list[str]:
        try:
            self._tables()
        except DataError as error:
            return [str(error)]
        return []

    def identity(self) -> dict[str, Any]:
        """As of every folder; tables count by their content."""
        try:
            tables = {name: remembered_file_digest(file) for name, file in self._tables().items()}
        except OSError as error:
            raise DataError(f"cannot read the tables in {self._root}: {error}") from error
        return super().identity() | {"tables": tables}

    @abstractmethod
    def _tables(self) -> dict[str, Path]:
        """The tables' files by name; a ``DataError`` if one is missing."""

    @abstractmethod
    def _records(self, listing: Listing) -> Records: ...

    def _described(self) -> Described:
        listing = list_images(self._root)
        records = self._records(listing)
        _refuse_shared_patients(records)
        views = np.flatnonzero(records.frontal | (self.views == "all"))
        labelling = label(records.observations[views], self.labels, self.uncertain)
        named = set(records.files)
        notes = counted(
            **records.notes,
            other_views=len(records.files) - len(views),
            **labelling.left_out,
            unlisted=[file for file in listing.files if file not in named],
        )
        rows = views[labelling.kept]
        if not len(rows):
            raise DataError(f"dataset '{self.title()}' has no image with a label left: {notes}")
        files = [records.files[row] for row in rows]
        metadata = {"file": np.array(records.files, dtype=np.str_), **records.metadata}
        official = records.official_test if self.official_split else None
        data = ImageSet(
            images=no_pixels(len(rows)),
            labels=labelling.labels,
            label_names=labelling.names,
            findings=labelling.findings,
            finding_names=PATHOLOGIES,
            patients=records.patients[rows],
            patient_names=records.patient_names[rows],
            metadata={name: column[rows] for name, column in metadata.items()},
            official_test=None if official is None else official[rows],
            notes=notes,
        )
        return Described(data, [file if file in listing.files else None for file in files])


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
