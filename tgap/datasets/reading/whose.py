"""Which images of a folder are one patient's, and what is doubtful about it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tgap.datasets.reading.anew import tell_of_new_numbers
from tgap.datasets.reading.annotations import Annotations
from tgap.datasets.reading.archives import tell_of_archives
from tgap.datasets.reading.augmented import apart_from_originals, tell_of_augmented
from tgap.datasets.reading.contradicting import tell_of_headers, tell_of_paths
from tgap.datasets.reading.dicom_patients import (
    all_dicom,
    by_headers,
    persons,
    refuse_patient_folders,
    tell_of_persons,
)
from tgap.datasets.reading.embedded_patients import tell_of_embedded
from tgap.datasets.reading.guessing import guessed, tell_of_pattern
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.patient_ids import tell_of_ids, tell_of_two_persons
from tgap.datasets.reading.patients import by_pattern, column_of_groups, tell_of_parts
from tgap.datasets.reading.record_columns import column_of_records
from tgap.datasets.reading.same_persons import tell_of_same_persons

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Whose:
    """How patients are known.

    Args:
        root: The folder of the images.
        column: A table's column of patients, as it is set or by its name; ``None`` = none.
        chosen: Whether somebody has set the column, or that there is none.
        pattern: What finds the patient in a path; ``None`` = nothing.
        label: A table's column of labels; ``None`` = labels are folders, or not known.
        folders: Whether folders are the labels.
        level: Which folder of a path is, if that is set.
    """

    root: Path
    column: str | None
    chosen: bool
    pattern: str | None
    label: str | None
    folders: bool
    level: int | None

    def with_patients(self, rows: Annotations, listing: Listing) -> Annotations:
        """Patients by the settings or the files' headers; what they tell is warned of."""
        if self.pattern is not None:
            patients = by_pattern(rows.files, self.pattern)
            tell_of_pattern(rows.files, rows.labels, self._level(rows), patients)
            rows = replace(rows, patients=patients)
        elif self.asks_headers():
            rows = self._with_guesses(rows, listing)
        elif rows.patients is not None:
            self._tell_column(rows.patients)
            self._compare(rows, rows.patients, listing)
        if self.label is not None or self.folders:
            tell_of_paths(rows.files, rows.labels, "label", rows.level)
        tell_of_parts(rows.files)
        tell_of_archives(listing.others, labels=bool(rows.level))
        tell_of_augmented(rows.files, rows.labels)
        if rows.patients is not None:
            tell_of_ids(rows.patients)
            tell_of_two_persons(rows.patients, rows.metadata)
            if self.label is not None or self.folders:
                names = self.label or "", self.column or ""
                tell_of_new_numbers(rows.patients, rows.labels, rows.metadata, names)
            if self.column:
                tell_of_same_persons(rows.patients, rows.metadata, self.column)
        return rows

    def _tell_column(self, patients: Sequence[str]) -> None:
        """Of a column that is taken by its name."""
        if not self.chosen:
            count = len(set(patients))
            log.warning(
                "column '%s' is taken for patients, by its name: %s; dataset.patient_column= makes "
                "each image its own",
                self.column,
                f"each of {count} images has another one: is it a patient, or a visit or image?"
                if count == len(patients)
                else f"{count} patients of {len(patients)} images, which are kept together",
            )

    def _compare(self, rows: Annotations, patients: Sequence[str], listing: Listing) -> None:
        """A table's patients with what paths and headers say."""
        tell_of_paths(rows.files, [(name,) for name in patients], "patient")
        if all_dicom(listing.files):
            said = persons(self.root, rows.files, listing)
            tell_of_headers(rows.files, patients, rows.metadata, said)

    def asks_headers(self) -> bool:
        """Whether patients are those of DICOM headers, if all files have some."""
        return not self.chosen and self.pattern is None and self.column is None

    def _with_guesses(self, rows: Annotations, listing: Listing) -> Annotations:
        """Patients by the files' headers; else what seems to be one patient's is warned of."""
        if all_dicom(listing.files):
            said = persons(self.root, rows.files, listing)
            if self.folders and self.level is None:
                refuse_patient_folders([label for (label,) in rows.labels], said)
            patients, told = by_headers(rows.files, said)
            ids = [each.id for each in said]
            tell_of_headers(rows.files, ids, rows.metadata, said)
            if told:
                log.warning("%s", told)
                tell_of_persons(said)
                columns = {"PatientSex": [x.sex for x in said], "birth": [x.born for x in said]}
                tell_of_two_persons([x.id or x.study for x in said], columns)
                rows = replace(rows, patients=patients)
                if len(set(patients or ())) < len(rows.files):
                    return rows
        guess = guessed(rows.files, rows.labels, self._level(rows))
        if guess is not None and not apart_from_originals(rows.files, guess.patients):
            log.warning("%s", guess)
        elif guess is None and not all_dicom(listing.files):
            tell_of_embedded(self.root, rows.files)
        if told := column_of_groups(rows.metadata, rows.labels) or column_of_records(rows.metadata):
            log.warning("%s", told)
        return rows

    def _level(self, rows: Annotations) -> int:
        """So many folders of a path are understood; a table's are not."""
        return rows.level if self.folders else 0
