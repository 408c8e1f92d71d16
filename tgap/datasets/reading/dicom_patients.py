"""Patients by the headers of DICOM files."""

import functools
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tgap.core import DataError
from tgap.datasets.reading.alike import is_missing
from tgap.datasets.reading.decoding import PICTURES
from tgap.datasets.reading.dicom import Person, person
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import FEWEST
from tgap.datasets.reading.threads import in_threads

log = logging.getLogger(__name__)
_WORKERS = 8


def all_dicom(files: Iterable[str]) -> bool:
    """Whether there are files, and all are DICOM by their names."""
    names = list(files)
    return bool(names) and not any(name.lower().endswith(PICTURES) for name in names)


def persons(root: Path, files: Sequence[str], listing: Listing) -> list[Person]:
    """What the header of each file says; ``id`` is empty where it means nobody."""
    calls = [(str(root / file), *listing.files[file]) for file in files]
    return list(in_threads(_person, calls, _WORKERS))


@functools.cache
def _person(path: str, size: int, mtime_ns: int) -> Person:
    """Read once per process while the file stays as it is."""
    with open(path, "rb") as file:
        found = person(file)
    return found._replace(id="") if is_missing(found.id) else found


def by_headers(files: Sequence[str], said: Sequence[Person]) -> tuple[list[str] | None, str]:
    """The patient of each file, if the headers tell, and what is to be told of it."""
    ids = [each.id for each in said]
    counts = Counter(name for name in ids if name)
    if len(counts) >= FEWEST:
        if max(counts.values()) == 1 and (by_study := _by_studies(files, said)):
            return by_study
        patients = [name or f"/{file}" for name, file in zip(ids, files, strict=True)]
        bare = len(ids) - counts.total()
        own = f"; {bare} files without one are each its own" if bare else ""
        together = ", which are kept together" if max(counts.values()) > 1 else ""
        return patients, (
            f"the files' headers (PatientID) name {len(counts)} patients of {len(ids)} images"
            f"{together}{own}; dataset.patient_column= makes each image its own"
        )
    if len(counts) < 2 and (by_series := _by_series(files, said)):
        return by_series
    what = f"name {len(counts)} only: {first(sorted(counts))}" if counts else "name none"
    return None, (
        f"patients are not known: the files' headers (PatientID) {what}, so that each image counts "
        "as its own patient; if several images are one patient's, name patients by "
        "dataset.patient_pattern or a table"
    )


def _by_series(files: Sequence[str], said: Sequence[Person]) -> tuple[list[str], str] | None:
    """Where no patients are named, by what files of one study, series or position share."""
    first_of: dict[str, str] = {}

    def root(key: str) -> str:
        while first_of.setdefault(key, key) != key:
            key = first_of[key]
        return key

    for file, each in zip(files, said, strict=True):
        for uid in filter(None, (each.study, each.series, each.frame)):
            first_of[root(f"/{file}")] = root(uid)
    names: dict[str, str] = {}  # the first UID of each, as files have no part in who it is
    for key in sorted(first_of, key=lambda key: (key[0] == "/", key)):
        names.setdefault(root(key), key)
    patients = [names.get(root(f"/{file}"), f"/{file}") for file in files]
    counts = Counter(patients)
    if len(counts) < FEWEST or len(counts) == len(files):
        return None
    several = sum(count > 1 for count in counts.values())
    return patients, (
        f"the files' headers name no patients (PatientID), but {len(files)} files are of "
        f"{len(counts)} studies or series ({several} of several files), by StudyInstanceUID, "
        "SeriesInstanceUID and FrameOfReferenceUID: images of one are kept together, but several "
        "studies of one person are not; if you have a list of who is who, name it by "
        "dataset.table; dataset.patient_column= makes each image its own"
    )


def _by_studies(files: Sequence[str], said: Sequence[Person]) -> tuple[list[str], str] | None:
    """Where each file has a ``PatientID`` of its own, as some that make data anonymous write it."""
    studies = Counter(each.study for each in said if each.study)
    if not any(count > 1 for count in studies.values()):
        return None
    patients = [each.study or f"/{file}" for each, file in zip(said, files, strict=True)]
    return patients, (
        f"PatientID is new in each of {len(files)} files, although they are of {len(studies)} "
        "studies (StudyInstanceUID): images of one study are kept together, but several studies of "
        "one person are not; if you have a list of who is who, name it by dataset.table"
    )


def tell_of_persons(said: Sequence[Person]) -> None:
    """Warn of persons, by name and date of birth, who have several ``PatientID``."""
    ids = defaultdict(set)
    for each in said:
        if each.name and each.born and each.id:
            ids[each.name.casefold(), each.born].add(each.id)
    several = [sorted(its) for its in ids.values() if len(its) > 1]
    if several and len(ids) >= FEWEST:  # one name and date for all is nobody's
        log.warning(
            "%d persons, by PatientName and PatientBirthDate, have several PatientIDs (%s): if "
            "PatientID counts studies, images of one person are not kept together; name patients "
            "by a table (dataset.table, dataset.patient_column)",
            len(several),
            first([" and ".join(its) for its in several]),
        )


def refuse_patient_folders(labels: Sequence[str], said: Sequence[Person]) -> None:
    """Refuse folders of label that are a patient each, as archives export them.

    Raises:
        DataError: If there are at least three, each with a ``PatientID`` of its own.
    """
    of_label = defaultdict(set)
    for label, each in zip(labels, said, strict=True):
        of_label[label].add(each.id)
    different = {next(iter(names)) for names in of_label.values() if len(names) == 1} - {""}
    if len(of_label) >= FEWEST and len(different) == len(of_label):
        raise DataError(
            f"the folders {first(sorted(of_label))} are patients and no labels, for the headers "
            "(PatientID) of each name one patient of its own; name a table of labels by "
            "dataset.table, or set dataset.labelled=false; if these are labels: "
            "dataset.label_level=1"
        )
