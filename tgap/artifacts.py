"""Typed values to and from the folders of the store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tgap.evaluators.base import LEGS
from tgap.store import Artifact, write_array, write_json
from tgap.types import ImageSet, Scores, Selection, Split


def write_images(folder: Path, data: ImageSet) -> None:
    """Write a dataset into an artifact's folder."""
    for name in ("images", "labels", "findings", "patients"):
        write_array(folder / f"{name}.npy", getattr(data, name))
    names = {"labels": data.label_names, "findings": data.finding_names}
    write_json(folder / "names.json", {key: list(value) for key, value in names.items()})


def read_images(artifact: Artifact) -> ImageSet:
    """A dataset from the store; its images stay on disk until they are used."""
    names = artifact.read_json("names.json")
    return ImageSet(
        images=artifact.read_array("images.npy", mmap=True),
        labels=artifact.read_array("labels.npy"),
        label_names=tuple(names["labels"]),
        findings=artifact.read_array("findings.npy"),
        finding_names=tuple(names["findings"]),
        patients=artifact.read_array("patients.npy"),
    )


def read_split(artifact: Artifact) -> Split:
    """A split from the store."""
    return Split(
        *(artifact.read_array(f"{name}.npy") for name in ("pool", "real_train", "real_test"))
    )


def write_split(folder: Path, split: Split) -> None:
    """Write a split into an artifact's folder."""
    for name in ("pool", "real_train", "real_test"):
        write_array(folder / f"{name}.npy", getattr(split, name))


def write_selection(folder: Path, selection: Selection) -> None:
    """Write a selection into an artifact's folder."""
    for name in ("indices", "labels", "weights"):
        write_array(folder / f"{name}.npy", getattr(selection, name))
    write_json(folder / "notes.json", dict(selection.notes))


def read_selection(artifact: Artifact) -> Selection:
    """A selection from the store."""
    notes: Mapping[str, Any] = artifact.read_json("notes.json")
    return Selection(
        indices=artifact.read_array("indices.npy"),
        labels=artifact.read_array("labels.npy"),
        weights=artifact.read_array("weights.npy"),
        notes=notes,
    )


def read_legs(artifact: Artifact) -> dict[str, Scores]:
    """The four legs' scores from the store."""
    label_names = tuple(artifact.read_json("label_names.json"))
    return {
        leg: Scores(
            artifact.read_array(f"{leg}_scores.npy"),
            artifact.read_array(f"{leg}_labels.npy"),
            label_names,
        )
        for leg in LEGS
    }
