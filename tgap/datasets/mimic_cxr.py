"""MIMIC-CXR and MIMIC-CXR-JPG, from a local folder in their own layout."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tgap.core import DataError, Indices
from tgap.core.origin import Origin
from tgap.datasets.radiographs.observations import OBSERVATIONS, ObservedRadiographs, Records, parse
from tgap.datasets.reading.alike import filled
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.tables import Table, find_csv, read_csv

_IDS = ("subject_id", "study_id")
_TABLES = {
    "mimic-cxr-2.0.0-chexpert.csv": (*_IDS, *OBSERVATIONS),
    "mimic-cxr-2.0.0-metadata.csv": ("dicom_id", *_IDS, "ViewPosition"),
    "mimic-cxr-2.0.0-split.csv": ("dicom_id", *_IDS, "split"),
}
_SPLITS = ("train", "validate", "test")
_FRONTAL = ("PA", "AP")
_NUMBER = re.compile(r"\d{2,9}", re.ASCII)
_DICOM_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


@dataclass(kw_only=True)
class MimicCxr(ObservedRadiographs):
    """Chest X-rays with 14 observations from reports (Johnson et al., arXiv 1901.07042, 2019).

    ``path`` holds ``mimic-cxr-2.0.0-chexpert.csv``, ``-metadata.csv`` and ``-split.csv``, plain
    or as ``.csv.gz``, and the images as ``files/p10/p10000032/s50414267/<dicom_id>.jpg``
    (MIMIC-CXR-JPG, whose pixels count if both are there) or ``.dcm`` (MIMIC-CXR, beside which
    the tables are put). Part of the images will do, with ``bad_files=exclude``. As for
    ``image_folder``, nothing outside the folder is read.

    The split's ``test`` is the ``official_test``. ``frontal`` views are those whose
    ``ViewPosition`` is ``PA`` or ``AP``; an empty one is not known to be frontal. Observations
    are a study's, so all of its images have the same. Images of studies without a row are left
    out.

    Findings are the 12 pathologies. How labels are made of them, and what ``uncertain`` does, is
    said at ``tgap.datasets.radiographs.observations.label``. Metadata are ``file``, ``view`` and
    ``study``; age and sex are in tables of MIMIC-IV that are not read. The notes count what is left
    out, as for ``nih_chestxray14``.
    """

    def origin(self) -> Origin:
        """As PhysioNet publishes it."""
        return Origin(
            "MIMIC-CXR of PhysioNet (Johnson et al. 2019, arXiv 1901.07042)",
            # physionet.org/content/mimic-cxr-jpg: "credentialed access" after the agreement
            "credentialed access by PhysioNet's data use agreement, which each user must sign; see "
            "the dataset's own terms, https://physionet.org/content/mimic-cxr-jpg/",
            "other",
        )

    def _tables(self) -> dict[str, Path]:
        files = {name: find_csv(self._root, name) for name in _TABLES}
        absent = [name for name, file in files.items() if file is None]
        if absent:
            raise DataError(
                f"path must hold {', '.join(absent)} (or .csv.gz), but {self._root} does not; "
                "the tables are part of MIMIC-CXR-JPG"
            )
        return {name: file for name, file in files.items() if file is not None}

    def _records(self, listing: Listing) -> Records:
        chexpert, images, split = (
            read_csv(file, _TABLES[name]) for name, file in self._tables().items()
        )
        _check(chexpert, images, split)
        parts = _parts(images, split)
        rows = _study_rows(images, chexpert)
        labelled = np.flatnonzero(rows >= 0)
        subject, study, view, dicom = (
            np.array(filled(images.columns[name]))[labelled]
            for name in (*_IDS, "ViewPosition", "dicom_id")
        )
        folders = [f"files/p{s[:2]}/p{s}/s{t}" for s, t in zip(subject, study, strict=True)]
        return Records(
            files=[
                _file(f"{folder}/{name}", listing)
                for folder, name in zip(folders, dicom, strict=True)
            ],
            observations=parse(chexpert)[rows[labelled]],
            patients=subject.astype(np.int64),
            patient_names=subject.astype(np.str_),
            frontal=np.isin(np.char.upper(view), _FRONTAL),
            metadata={"view": view, "study": study},
            official_test=(np.array(parts) == "test")[labelled],
            notes={"unlabelled": len(images) - len(labelled)},
        )


def _check(chexpert: Table, images: Table, split: Table) -> None:
    for table in (chexpert, images, split):
        for name in _IDS:
            table.refuse(name, lambda cell: not _NUMBER.fullmatch(cell), "must be a whole number")
    images.refuse(
        "dicom_id",
        lambda cell: not _DICOM_ID.fullmatch(cell),
        "must be letters, digits and hyphens",
    )
    split.refuse("split", lambda cell: cell not in _SPLITS, f"must be one of {', '.join(_SPLITS)}")
    for table, name in ((chexpert, "study_id"), (images, "dicom_id"), (split, "dicom_id")):
        table.refuse_repeats(name)


def _rows(table: Table, *names: str) -> Iterator[tuple[str, ...]]:
    return zip(*(table.columns[name] for name in names), strict=True)


def _study_rows(images: Table, chexpert: Table) -> Indices:
    """The row of each image's study, -1 if there is none."""
    studies = {ids: row for row, ids in enumerate(_rows(chexpert, *_IDS))}
    rows = np.array([studies.get(ids, -1) for ids in _rows(images, *_IDS)], dtype=np.int64)
    if (rows == -1).all():
        raise DataError(
            f"no image of table {images.name} is of a study in table {chexpert.name}; are they of "
            "the same release?"
        )
    return rows


def _parts(images: Table, split: Table) -> list[str]:
    """The part of the split that each image belongs to."""
    parts = dict(zip(_rows(split, "dicom_id", *_IDS), split.columns["split"], strict=True))
    keys = list(_rows(images, "dicom_id", *_IDS))
    unknown = [key[0] for key in keys if key not in parts]
    if unknown:
        raise DataError(
            f"table {split.name} does not name {len(unknown)} images of table {images.name} with "
            f"the same subject and study: {first(unknown)}; are they of the same release?"
        )
    return [parts[key] for key in keys]


def _file(stem: str, listing: Listing) -> str:
    files = [f"{stem}.jpg", f"{stem}.dcm"]
    return next((file for file in files if file in listing.files), files[0])
