"""The small frozen values that stages hand to each other; shapes are checked when made."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.errors import ContractError

Images = NDArray[np.uint8]  # (N, H, W, C), C = 1 (grey) or 3 (RGB)
Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Weights = dict[str, NDArray[Any]]  # a fitted classifier's arrays by name
Log = Callable[[int, dict[str, float]], None]
"""Told a step of the optimizer or an epoch, and values by name."""
NewImages = Callable[[tuple[int, int, int, int]], Images]
"""Makes an array of a shape ``(N, H, W, C)``, in memory or on disk, for a dataset to fill."""


class Resumable(ABC):
    """A ``NewImages`` whose first array outlives an interrupted process, half filled."""

    @abstractmethod
    def __call__(self, shape: tuple[int, int, int, int]) -> Images:
        """As a ``NewImages``; the first array may hold what was filled before."""

    @abstractmethod
    def filled(self, rows: int) -> Bools:
        """Which rows of the first array were filled before; set those that are on disk now."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)


def no_pixels(count: int) -> Images:
    """One black pixel per image: for those who look at the rest only."""
    return np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (count, 1, 1, 1))


@dataclass(frozen=True)
class ImageSet:
    """Labelled images of one domain.

    Args:
        images: ``(N, H, W, C)`` uint8, C = 1 or 3.
        labels: ``(N, L)`` bool; more than one may hold for an image.
        label_names: L names, e.g. ``("even", "odd")``.
        findings: ``(N, F)`` bool, sub-classes below the labels; F may be 0.
        finding_names: F names.
        patients: ``(N,)`` int64, the group that must never stand on two sides of a split.
        patient_names: ``(N,)`` text, what the source calls them; ``None`` if it names none. Two
            sources' patients are the same where their names are, not where their numbers are.
        metadata: Whatever else is known of each image, by name (``view``, ``sex``, ``age``, its
            ``file``): ``(N,)`` text or float64, NaN where unknown.
        official_test: ``(N,)`` bool, the test set that the source itself names; ``None`` if it
            names none.
        official_pool: ``(N,)`` bool, the images that tuning images are to come from, where they
            are a source of their own; ``None`` = any.
        notes: What should be reported of the reading, e.g. excluded files; JSON types only.

    Raises:
        ContractError: If shapes or dtypes disagree.
    """

    images: Images
    labels: Bools
    label_names: tuple[str, ...]
    findings: Bools
    finding_names: tuple[str, ...]
    patients: Indices
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    official_test: Bools | None = None
    official_pool: Bools | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    patient_names: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        _require(
            self.images.dtype == np.uint8
            and self.images.ndim == 4
            and self.images.shape[3] in (1, 3),
            "images must be (N, H, W, C) uint8 with C = 1 or 3, "
            f"got {self.images.shape} {self.images.dtype}",
        )
        for name, array, width in (
            ("labels", self.labels, len(self.label_names)),
            ("findings", self.findings, len(self.finding_names)),
        ):
            _require(
                array.shape == (n, width) and array.dtype == np.bool_,
                f"{name} must be ({n}, {width}) bool, got {array.shape} {array.dtype}",
            )
        _require(
            self.patients.shape == (n,) and self.patients.dtype == np.int64,
            f"patients must be ({n},) int64, got {self.patients.shape} {self.patients.dtype}",
        )
        for name, column in self.metadata.items():
            _require(
                column.shape == (n,) and (column.dtype == np.float64 or column.dtype.kind == "U"),
                f"metadata '{name}' must be ({n},) text or float64, "
                f"got {column.shape} {column.dtype}",
            )
        for name in ("official_test", "official_pool"):
            official = getattr(self, name)
            _require(
                official is None or (official.shape == (n,) and official.dtype == np.bool_),
                f"{name} must be ({n},) bool or None",
            )

        named = self.patient_names
        _require(
            named is None or (named.shape == (n,) and named.dtype.kind == "U"),
            f"patient_names must be ({n},) text or None",
        )

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Indices) -> "ImageSet":
        """The images at ``indices``, in that order, repeats kept."""
        return ImageSet(
            images=self.images[indices],
            labels=self.labels[indices],
            label_names=self.label_names,
            findings=self.findings[indices],
            finding_names=self.finding_names,
            patients=self.patients[indices],
            metadata={name: column[indices] for name, column in self.metadata.items()},
            official_test=None if self.official_test is None else self.official_test[indices],
            official_pool=None if self.official_pool is None else self.official_pool[indices],
            notes=self.notes,
            patient_names=None if self.patient_names is None else self.patient_names[indices],
        )

    def with_channels(self, channels: int) -> "ImageSet":
        """The same with grey images repeated to so many channels, if they have another number.

        The pixels are a view: they are repeated where they are read.
        """
        if self.images.shape[3] == channels:
            return self
        _require(self.images.shape[3] == 1, "only grey images can be given more channels")
        repeated = np.broadcast_to(self.images, (*self.images.shape[:3], channels))
        return dataclasses.replace(self, images=repeated)

    def without_images(self) -> "ImageSet":
        """The same with one black pixel per image, for those who look at the rest only."""
        return dataclasses.replace(self, images=no_pixels(len(self)))

    def label_counts(self) -> dict[str, int]:
        """How many images carry each label."""
        return dict(zip(self.label_names, self.labels.sum(axis=0).tolist(), strict=True))


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of indices into a dataset, sorted, no patient in two of them."""

    pool: Indices
    real_train: Indices
    real_test: Indices

    def __post_init__(self) -> None:
        together = np.concatenate([self.pool, self.real_train, self.real_test])
        _require(
            len(np.unique(together)) == len(together), "pool, real_train and real_test overlap"
        )


@dataclass(frozen=True)
class Selection:
    """Ordered picks for each label; a shorter selection may be a prefix of a longer one.

    Args:
        indices: ``(M,)`` int64 into the pool; a repeat stands for training on it twice.
        labels: ``(M,)`` int64, the label that each pick was made for; picks of one label stand
            together, labels in the dataset's order.
        weights: ``(M,)`` float64 > 0, the weight of each pick in the loss.
        notes: What the selector wants reported, e.g. cluster sizes; JSON types only.
    """

    indices: Indices
    labels: Indices
    weights: NDArray[np.float64]
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m = len(self.indices)
        for name, array, dtype in (
            ("indices", self.indices, np.int64),
            ("labels", self.labels, np.int64),
            ("weights", self.weights, np.float64),
        ):
            _require(
                array.shape == (m,) and array.dtype == dtype,
                f"{name} must be ({m},) {np.dtype(dtype)}, got {array.shape} {array.dtype}",
            )
        _require(bool((self.weights > 0).all()), "weights must be positive")

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class Scores:
    """What a classifier said of a test set, beside the truth.

    Args:
        scores: ``(N, L)`` float32, one logit per label.
        labels: ``(N, L)`` bool.
        label_names: L names.
    """

    scores: Floats
    labels: Bools
    label_names: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = (len(self.labels), len(self.label_names))
        _require(
            self.scores.shape == shape and self.scores.dtype == np.float32,
            f"scores must be {shape} float32, got {self.scores.shape} {self.scores.dtype}",
        )
        _require(
            self.labels.shape == shape and self.labels.dtype == np.bool_,
            f"labels must be {shape} bool, got {self.labels.shape} {self.labels.dtype}",
        )
        _require(bool(np.isfinite(self.scores).all()), "scores must be finite")
