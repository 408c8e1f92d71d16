"""Typed values to and from the folders of the store."""

import contextlib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Images, ImageSet, Scores, Selection, Split
from tgap.core.files import write_array, write_json
from tgap.core.types import Resumable
from tgap.drawings.base import DrawnSet
from tgap.evaluators.base import Evaluation
from tgap.store import Artifact

SCRATCH = "scratch"
DRAWN = "drawn.json"
"""Of a synthetic set whose images were not each drawn once and kept: what was counted."""
SEEDS = "seeds.npy"
"""Of the same: the noise seed of each image."""
OPTIONAL = ("official_test", "official_pool", "patient_names")


class ImagesOnDisk(Resumable):
    """Makes arrays in a folder's files, for a dataset larger than memory; see ``write_images``.

    Args:
        folder: What an interrupted process left there is gone on with.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.numbers = folder, itertools.count()

    def __call__(self, shape: tuple[int, int, int, int]) -> Images:
        """An array of zeros, or as it was left."""
        return self._array(f"{SCRATCH}{next(self.numbers)}.npy", shape, np.uint8)

    def filled(self, rows: int) -> Bools:
        """One flag per row of the first array."""
        return self._array(f"{SCRATCH}_filled.npy", (rows,), np.bool_)

    def _array(self, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        path = self.folder / name
        if path.exists():
            with contextlib.suppress(ValueError):  # killed while it was made
                left: NDArray[Any] = np.lib.format.open_memmap(path, mode="r+")
                if left.shape == shape and left.dtype == dtype:
                    _claim(path)
                    return left
        made: NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        _claim(path)
        return made


def _claim(path: Path) -> None:
    """Claim a file's space now: on a full disk, writing to its mapped array would kill us."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def write_images(folder: Path, data: ImageSet) -> None:
    """Write a dataset into an artifact's folder; images that lie in it already are kept."""
    scratch = sorted(folder.glob(f"{SCRATCH}*.npy"))
    whole = [path for path in scratch if _is_file_of(data.images, path)]
    if whole:
        # Renamed, not copied: at full size the array has 100 GB.
        data.images.flush()  # type: ignore[attr-defined]
        whole[0].rename(folder / "images.npy")
    else:
        write_array(folder / "images.npy", data.images)
    for path in scratch:
        path.unlink(missing_ok=True)
    for name in ("labels", "findings", "patients"):
        write_array(folder / f"{name}.npy", getattr(data, name))
    optional = {name: getattr(data, name) for name in OPTIONAL}
    for name, rows in optional.items():
        if rows is not None:
            write_array(folder / f"{name}.npy", rows)
    # By number: a column's name may hold anything, also what no file may be called.
    for number, column in enumerate(data.metadata.values()):
        write_array(folder / f"metadata{number}.npy", column)
    names = {"labels": data.label_names, "findings": data.finding_names, "metadata": data.metadata}
    write_json(folder / "names.json", {key: list(value) for key, value in names.items()})
    present = {name: rows is not None for name, rows in optional.items()}
    write_json(folder / "notes.json", {**data.notes, **present})


def _is_file_of(images: Images, path: Path) -> bool:
    """Whether an array is all of a file's, so that the file can stand for it."""
    if not (isinstance(images, np.memmap) and images.filename and Path(images.filename) == path):
        return False
    return bool(images.shape == np.load(path, mmap_mode="r").shape)


def read_images(artifact: Artifact) -> ImageSet:
    """A dataset from the store; its images stay on disk until they are used."""
    names, notes = artifact.read_json("names.json"), artifact.read_json("notes.json")
    optional = {name: notes.pop(name, False) for name in OPTIONAL}
    return ImageSet(
        images=artifact.read_array("images.npy", mmap=True),
        labels=artifact.read_array("labels.npy"),
        label_names=tuple(names["labels"]),
        findings=artifact.read_array("findings.npy"),
        finding_names=tuple(names["findings"]),
        patients=artifact.read_array("patients.npy"),
        metadata={
            name: artifact.read_array(f"metadata{number}.npy")
            for number, name in enumerate(names["metadata"])
        },
        notes=notes,
        **{name: artifact.read_array(f"{name}.npy") for name, known in optional.items() if known},
    )


def apart(values: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Logged values that are the same each time, and those that are not: seconds.

    An artifact holds the first only, so that it is the same however often it is made.
    """
    times = {name: value for name, value in values.items() if name.endswith("seconds")}
    return {name: value for name, value in values.items() if name not in times}, times


def write_synthetic(folder: Path, data: ImageSet, train: Bools) -> None:
    """Write a synthetic set, and which of it is trained on, into an artifact's folder."""
    write_images(folder, data)
    write_array(folder / "train.npy", train)


def write_drawn(folder: Path, drawn: DrawnSet, passes: float, looks: float) -> None:
    """Write what a drawing counted, and the noise seeds of what it kept.

    Args:
        folder: The synthetic set's.
        drawn: What was drawn.
        passes: Of the denoiser for an image, on average.
        looks: Images that were valued while one was drawn.
    """
    costs = {
        "cost/draw_images": float(drawn.trials),
        "cost/draw_passes": float(drawn.trials * passes),
        "cost/draw_decodes": float(drawn.trials * (1 + looks)),
        "cost/judge_passes": float(drawn.judged + drawn.trials * looks),
    }
    write_json(folder / DRAWN, {**drawn.metrics, **costs})
    write_array(folder / SEEDS, np.array(drawn.seeds, np.int64))


def read_synthetic(artifact: Artifact) -> tuple[ImageSet, Bools]:
    """A synthetic set from the store, and which of it is there to train on."""
    return read_images(artifact), artifact.read_array("train.npy")


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


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write what an evaluator says into an artifact's folder."""
    from PIL import Image

    write_json(folder / "metrics.json", dict(evaluation.metrics))
    for name, array in evaluation.arrays.items():
        write_array(folder / f"{name}.npy", array)
    for name, rows in evaluation.tables.items():
        write_json(folder / f"{name}.json", [dict(row) for row in rows])
    for name, picture in evaluation.pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png", format="PNG")


def read_legs(artifact: Artifact, legs: Sequence[str]) -> dict[str, Scores]:
    """Scores from the store, by leg."""
    label_names = tuple(artifact.read_json("label_names.json"))
    return {
        leg: Scores(
            artifact.read_array(f"{leg}_scores.npy"),
            artifact.read_array(f"{leg}_labels.npy"),
            label_names,
        )
        for leg in legs
    }
