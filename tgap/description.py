"""What a dataset holds, before anything is spent on it: counts, overlaps, a contact sheet."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.types import Bools, Images, ImageSet, Indices, Split

SIDES = ("pool", "real_train", "real_test")
FEW_TEXTS, FEW_NUMBERS = 20, 6
"""Metadata with more different values than this is summed up, not counted value by value."""
PER_NAME = 16
"""Images of each label and finding on the contact sheet."""


@dataclass(frozen=True)
class Description:
    """Counts of a dataset and its split; JSON types only.

    Args:
        images: All images.
        shape: Height, width, channels.
        patients: Different patients.
        images_per_patient: Smallest, median, mean and largest number of a patient's images.
        labels: Images by label and by side (``all``, ``pool``, ``real_train``, ``real_test``).
        findings: The same by finding.
        metadata: The same by column and value (of columns with few values), or for other columns
            of numbers ``min``, ``median``, ``max`` and how many are ``unknown``.
        sides: Images and patients of each side, and those in none.
        shared_patients: Patients who stand on two sides, by pair of sides.
        shared_images: Images whose pixels are the same as those of one on another side, by pair.
        duplicates: Images whose pixels are the same as an earlier one's.
        notes: What the reading reported, e.g. excluded files.
    """

    images: int
    shape: list[int]
    patients: int
    images_per_patient: dict[str, float]
    labels: dict[str, dict[str, int]]
    findings: dict[str, dict[str, int]]
    metadata: dict[str, dict[str, Any]]
    sides: dict[str, dict[str, int]]
    shared_patients: dict[str, int]
    shared_images: dict[str, int]
    duplicates: int
    notes: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def describe(data: ImageSet, split: Split) -> Description:
    """Count what a dataset and its split hold.

    Exact duplicates are found by hashing pixels, image by image; nothing is judged by likeness.
    """
    sides = {side: getattr(split, side) for side in SIDES}
    within = {"all": np.arange(len(data), dtype=np.int64), **sides}
    per_patient = np.unique(data.patients, return_counts=True)[1]
    pixels = _digests(data.images)
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
        findings=_counts(data.findings, data.finding_names, within),
        metadata={name: _column(column, within) for name, column in data.metadata.items()},
        sides={
            side: {"images": len(rows), "patients": len(np.unique(data.patients[rows]))}
            for side, rows in sides.items()
        }
        | {"none": {"images": len(data) - sum(map(len, sides.values()))}},
        shared_patients=_shared(data.patients, sides),
        shared_images=_shared(pixels, sides),
        duplicates=len(pixels) - len(np.unique(pixels)),
        notes=dict(data.notes),
    )


def contact_sheet(data: ImageSet, path: Path) -> None:
    """Draw images of every label and every finding, spread evenly over the dataset."""
    from tgap.report.figures import image_grid

    names = [*data.label_names, *data.finding_names]
    holds = np.concatenate([data.labels, data.findings], axis=1)
    drawn = [name for name in range(len(names)) if holds[:, name].any()]
    rows = [_spread(np.flatnonzero(holds[:, name]), PER_NAME) for name in drawn]
    owner = np.repeat(np.arange(len(drawn)), [len(part) for part in rows])
    image_grid(
        data.images[np.concatenate(rows)],
        owner[:, None] == np.arange(len(drawn)),
        [names[name] for name in drawn],
        path,
        columns=PER_NAME,
        rows=1,
    )


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]


def _digests(images: Images) -> NDArray[np.int64]:
    """A number per image, equal where the pixels are; 64 bits of BLAKE2."""
    found = np.empty(len(images), dtype=np.int64)
    for row, image in enumerate(images):
        digest = hashlib.blake2b(image.tobytes(), digest_size=8).digest()
        found[row] = int.from_bytes(digest, "big", signed=True)
    return found


def _counts(
    holds: Bools, names: tuple[str, ...], within: Mapping[str, Indices]
) -> dict[str, dict[str, int]]:
    sums = {side: holds[rows].sum(axis=0).tolist() for side, rows in within.items()}
    return {name: {side: sums[side][i] for side in within} for i, name in enumerate(names)}


def _column(column: NDArray[Any], within: Mapping[str, Indices]) -> dict[str, Any]:
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    values = np.unique(known)
    if len(values) <= (FEW_NUMBERS if column.dtype.kind == "f" else FEW_TEXTS):
        return {
            f"{value:g}" if column.dtype.kind == "f" else str(value): {
                side: int((column[rows] == value).sum()) for side, rows in within.items()
            }
            for value in values
        }
    if column.dtype.kind != "f":
        return {"different": len(values)}
    low, middle, high = np.quantile(known, [0, 0.5, 1]).tolist()
    return {"min": low, "median": middle, "max": high, "unknown": len(column) - len(known)}


def _shared(of: NDArray[np.int64], sides: Mapping[str, Indices]) -> dict[str, int]:
    """How many different values stand on both of two sides."""
    pairs = [(one, two) for i, one in enumerate(SIDES) for two in SIDES[i + 1 :]]
    return {
        f"{one}, {two}": len(np.intersect1d(of[sides[one]], of[sides[two]])) for one, two in pairs
    }
