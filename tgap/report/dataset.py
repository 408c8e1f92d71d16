"""What a dataset holds, before anything is spent on it: counts, overlaps, a contact sheet."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ImageSet, Indices, Split
from tgap.core.digest import image_digests

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SIDES = ("pool", "real_train", "real_test")

FEW_TEXTS, FEW_NUMBERS = 20, 6
"""Metadata with more different values than this is summed up, not counted value by value."""

PER_NAME = 16
"""Images of each label and finding on the contact sheet."""


# Counting


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
    pixels = np.array(image_digests(data.images))
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


def _counts(
    holds: Bools, names: tuple[str, ...], within: Mapping[str, Indices]
) -> dict[str, dict[str, int]]:
    sums = {side: holds[rows].sum(axis=0).tolist() for side, rows in within.items()}
    return {name: {side: sums[side][i] for side in within} for i, name in enumerate(names)}


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


# Showing


def show_description(counts: Description, console: "Console") -> None:
    """Print counts by side, images per patient, overlaps and what was left out."""
    height, width, channels = counts.shape
    console.print(
        f"{counts.images:,} images of {height} x {width}, "
        f"{'grey' if channels == 1 else 'colour'}, {counts.patients:,} patients (images of one: "
        f"median {counts.images_per_patient['median']:g}, "
        f"most {counts.images_per_patient['max']:g})\n"
    )
    console.print(_table(counts))
    console.print()
    lines = [
        f"{name}: {column['min']:g} to {column['max']:g}, median {column['median']:g}, "
        f"unknown for {column['unknown']:,}"
        for name, column in counts.metadata.items()
        if "median" in column
    ]
    lines += warnings(counts) or ["no patient and no image stands on two sides"]
    lines += [f"{name.replace('_', ' ')}: {_note(note)}" for name, note in counts.notes.items()]
    for line in lines:
        console.print(line, markup=False)


def warnings(counts: Description) -> list[str]:
    """Overlaps between the sides, as sentences."""
    overlaps = {
        "patients stand on two sides": counts.shared_patients,
        "images stand on two sides, pixel by pixel the same": counts.shared_images,
    }
    lines = [
        f"{count:,} {what}: {sides}"
        for what, shared in overlaps.items()
        for sides, count in shared.items()
        if count
    ]
    if counts.duplicates:
        lines.append(f"{counts.duplicates:,} images are exact copies of another")
    return lines


def _table(counts: Description) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("images")
    for side in ("all", *SIDES):
        table.add_column(side, justify="right")
    totals = {"all": counts.images} | {side: counts.sides[side]["images"] for side in SIDES}
    table.add_row("all", *(f"{total:,}" for total in totals.values()))
    table.add_row(
        "patients",
        f"{counts.patients:,}",
        *(f"{counts.sides[side]['patients']:,}" for side in SIDES),
    )
    for name, by_side in _rows(counts).items():
        cells = (f"{n:,} ({n / max(1, totals[side]):.1%})" for side, n in by_side.items())
        table.add_row(name, *cells)
    return table


def _rows(counts: Description) -> dict[str, Mapping[str, int]]:
    """Images by side, of each label, finding and metadata value."""
    rows = {f"label {name}": by_side for name, by_side in counts.labels.items()}
    rows |= {f"finding {name}": by_side for name, by_side in counts.findings.items()}
    return rows | {
        f"{name} {value}": content
        for name, column in counts.metadata.items()
        for value, content in column.items()
        if isinstance(content, Mapping)
    }


def _note(note: Any) -> str:
    if isinstance(note, Mapping):
        return "; ".join(f"{name} {_note(value)}" for name, value in note.items())
    if isinstance(note, list):
        return f"{len(note):,} ({', '.join(map(str, note[:5]))}{', ...' if len(note) > 5 else ''})"
    return f"{note:,}" if isinstance(note, int) else str(note)


def contact_sheet(data: ImageSet, path: Path) -> None:
    """Draw images of every label and every finding, spread evenly over the dataset."""
    from tgap.report.figures import image_grid

    names = [*data.label_names, *data.finding_names]
    holds = np.concatenate([data.labels, data.findings], axis=1)
    drawn = [name for name in range(len(names)) if holds[:, name].any()]
    rows = [_spread(np.flatnonzero(holds[:, name])) for name in drawn]
    owner = np.repeat(np.arange(len(drawn)), [len(part) for part in rows])
    image_grid(
        data.images[np.concatenate(rows)],
        owner[:, None] == np.arange(len(drawn)),
        [names[name] for name in drawn],
        path,
        columns=PER_NAME,
        rows=1,
    )


def _spread(rows: Indices) -> Indices:
    """``PER_NAME`` of them, or all there are."""
    return rows[np.linspace(0, len(rows) - 1, min(PER_NAME, len(rows))).astype(np.int64)]
