"""Counts of a dataset and its split, and what its pixels and its files tell."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ImageSet, Indices, Split
from tgap.core.arrays import spread
from tgap.core.digest import image_digests
from tgap.datasets.base import OWN_PATIENTS, Dataset
from tgap.report.dataset.duplicates import Duplicates, duplicates_of
from tgap.report.dataset.files import Files, files_of
from tgap.report.dataset.neighbours import Neighbours, neighbours_of, neighbours_of_patients
from tgap.report.dataset.pixels import Copies, Levels, copies_of, levels_of
from tgap.report.dataset.samples import called

SIDES = ("pool", "real_train", "real_test")

FEW_TEXTS, FEW_NUMBERS = 20, 6
"""Metadata with more different values than this is summed up, not counted value by value."""

EXAMPLES = 3
"""Files that are named of each label."""


@dataclass(frozen=True)
class Description:
    """Counts of a dataset and its split; JSON types only.

    Args:
        images: All images.
        shape: Height, width, channels.
        patients: Different patients.
        images_per_patient: Smallest, median, mean and largest number of a patient's images.
        labels: Images by label and by side (``all``, ``pool``, ``real_train``, ``real_test``).
        label_patients: Patients in the same way.
        examples: Some files of each label; none where there are no files.
        findings: Images by finding and by side.
        metadata: The same by column and value (of columns with few values), or for other columns
            of numbers ``min``, ``median``, ``max`` and how many are ``unknown``.
        sides: Images and patients of each side, and those in none.
        shared_patients: Patients who stand on two sides, by pair of sides.
        shared_images: Images whose pixels are the same as those of one on another side, by pair.
        copies: Images whose pixels are the same as an earlier one's.
        duplicates: Images of different patients that are nearly the same, if there are many.
        neighbours: Images that resemble those next to them; ``None`` where that is nothing, or
            patients are known.
        levels: How bright pixels are.
        files: What the files' headers say; ``None`` where there are no files.
        notes: What the reading reported, e.g. excluded files.
    """

    images: int
    shape: list[int]
    patients: int
    images_per_patient: dict[str, float]
    labels: dict[str, dict[str, int]]
    label_patients: dict[str, dict[str, int]]
    examples: dict[str, list[str]]
    findings: dict[str, dict[str, int]]
    metadata: dict[str, dict[str, Any]]
    sides: dict[str, dict[str, int]]
    shared_patients: dict[str, int]
    shared_images: dict[str, int]
    copies: Copies
    duplicates: Duplicates | None
    neighbours: Neighbours | None
    levels: Levels
    files: Files | None
    notes: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What ``as_json`` gave."""
        files, near, same = value["files"], value["neighbours"], value["duplicates"]
        parts = {
            "copies": Copies(**value["copies"]),
            "duplicates": None if same is None else Duplicates(**same),
            "neighbours": None if near is None else Neighbours(**near),
            "levels": Levels(**value["levels"]),
            "files": None if files is None else Files.from_json(files),
        }
        return cls(**{**value, **parts})


def describe(dataset: Dataset, data: ImageSet, split: Split) -> Description:
    """Count what a dataset and its split hold.

    Exact duplicates are found by hashing pixels, image by image; likeness alone tells
    of frames where patients are not known.

    Args:
        dataset: The source.
        data: What was read of it.
        split: Its sides.
    """
    sides = {side: getattr(split, side) for side in SIDES}
    within = {"all": np.arange(len(data), dtype=np.int64), **sides}
    per_patient = np.unique(data.patients, return_counts=True)[1]
    pixels = np.array(image_digests(data.images))
    own = OWN_PATIENTS in data.notes or (
        data.patient_names is not None and len(per_patient) == len(data)
    )
    return Description(
        images=len(data),
        shape=list(data.images.shape[1:]),
        patients=len(per_patient),
        images_per_patient={
            "min": float(per_patient.min()),
            "median": float(np.median(per_patient)),
            "mean": float(per_patient.mean()),
            "max": float(per_patient.max()),
        },
        labels=_counts(data.labels, data.label_names, within),
        label_patients=_patients(data, within),
        examples=_examples(data),
        findings=_counts(data.findings, data.finding_names, within),
        metadata={name: _column(column, within) for name, column in data.metadata.items()},
        sides={
            side: {"images": len(rows), "patients": len(np.unique(data.patients[rows]))}
            for side, rows in sides.items()
        }
        | {"none": {"images": len(data) - sum(map(len, sides.values()))}},
        shared_patients=_shared(data.patients, sides),
        shared_images=_shared(pixels, sides),
        copies=copies_of(data, pixels),
        duplicates=duplicates_of(data, list(sides.values())),
        neighbours=neighbours_of(data) if own else neighbours_of_patients(data),
        levels=levels_of(data),
        files=files_of(dataset, data),
        notes=dict(data.notes),
    )


def _counts(
    holds: Bools, names: tuple[str, ...], within: Mapping[str, Indices]
) -> dict[str, dict[str, int]]:
    sums = {side: holds[rows].sum(axis=0).tolist() for side, rows in within.items()}
    return {name: {side: sums[side][i] for side in within} for i, name in enumerate(names)}


def _patients(data: ImageSet, within: Mapping[str, Indices]) -> dict[str, dict[str, int]]:
    """Patients with a label, by label and side."""
    return {
        name: {
            side: len(np.unique(data.patients[rows][data.labels[rows, number]]))
            for side, rows in within.items()
        }
        for number, name in enumerate(data.label_names)
    }


def _examples(data: ImageSet) -> dict[str, list[str]]:
    if "file" not in data.metadata:
        return {}
    return {
        name: [called(data, row) for row in rows[spread(len(rows), EXAMPLES)]]
        for number, name in enumerate(data.label_names)
        for rows in [np.flatnonzero(data.labels[:, number])]
    }


def _column(column: NDArray[Any], within: Mapping[str, Indices]) -> dict[str, Any]:
    is_number = column.dtype.kind == "f"
    there = column[~np.isnan(column)] if is_number else column
    values = np.unique(there)
    if len(values) <= (FEW_NUMBERS if is_number else FEW_TEXTS):
        return {
            f"{value:g}" if is_number else str(value): {
                side: int((column[rows] == value).sum()) for side, rows in within.items()
            }
            for value in values
        }
    if not is_number:
        return {"different": len(values)}
    low, middle, high = np.quantile(there, [0, 0.5, 1]).tolist()
    return {"min": low, "median": middle, "max": high, "unknown": len(column) - len(there)}


def _shared(of: NDArray[Any], sides: Mapping[str, Indices]) -> dict[str, int]:
    """How many different values stand on both of two sides."""
    return {
        f"{one}, {two}": len(np.intersect1d(of[sides[one]], of[sides[two]]))
        for one, two in combinations(SIDES, 2)
    }
