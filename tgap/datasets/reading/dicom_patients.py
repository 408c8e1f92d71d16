"""Patients by the headers of DICOM files."""

import functools
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tgap.core import DataError
from tgap.datasets.reading.alike import is_missing
from tgap.datasets.reading.dicom import patient_id
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import FEWEST
from tgap.datasets.reading.threads import in_threads

log = logging.getLogger(__name__)
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_WORKERS = 8


def all_dicom(files: Iterable[str]) -> bool:
    """Whether there are files, and all are DICOM by their names."""
    names = list(files)
    return bool(names) and not any(name.lower().endswith(_PICTURES) for name in names)


def header_ids(root: Path, files: Sequence[str], listing: Listing) -> list[str]:
    """``PatientID`` of each file; empty where it has none, or none that can be read."""
    calls = [(str(root / file), *listing.files[file]) for file in files]
    return list(in_threads(_patient_id, calls, _WORKERS))


@functools.cache
def _patient_id(path: str, size: int, mtime_ns: int) -> str:
    """Read once per process while the file stays as it is."""
    with open(path, "rb") as file:
        found = patient_id(file)
    return "" if is_missing(found) else found


def by_headers(files: Sequence[str], ids: Sequence[str]) -> tuple[list[str] | None, str]:
    """The patient of each file, if the headers tell, and what is to be told of it."""
    counts = Counter(name for name in ids if name)
    if len(counts) >= FEWEST:
        if max(counts.values()) == 1:
            return None, ""
        patients = [name or f"/{file}" for name, file in zip(ids, files, strict=True)]
        bare = len(ids) - counts.total()
        own = f"; {bare} files without one are each its own" if bare else ""
        return patients, (
            f"the files' headers (PatientID) name {len(counts)} patients of {len(ids)} images, "
            f"which are kept together{own}; dataset.patient_column= makes each image its own"
        )
    what = f"name {len(counts)} only: {first(sorted(counts))}" if counts else "name none"
    return None, (
        f"each image counts as its own patient, for of patients the files' headers (PatientID) "
        f"{what}; if several images are one patient's, name patients by dataset.patient_pattern or "
        "a table"
    )


def refuse_patient_folders(labels: Sequence[str], ids: Sequence[str]) -> None:
    """Refuse folders of label that are a patient each, as archives export them.

    Raises:
        DataError: If there are at least three, each with a ``PatientID`` of its own.
    """
    of_label = defaultdict(set)
    for label, name in zip(labels, ids, strict=True):
        of_label[label].add(name)
    different = {next(iter(names)) for names in of_label.values() if len(names) == 1} - {""}
    if len(of_label) >= FEWEST and len(different) == len(of_label):
        raise DataError(
            f"the folders {first(sorted(of_label))} are patients and no labels, for the headers "
            "(PatientID) of each name one patient of its own; name a table of labels by "
            "dataset.table, or set dataset.labelled=false; if these are labels: "
            "dataset.label_level=1"
        )
