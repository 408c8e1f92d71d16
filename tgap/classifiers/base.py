"""Images -> one score per label."""

import copy
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import (
    Bools,
    Checkpoint,
    Component,
    ConfigError,
    ContractError,
    Floats,
    Images,
    ImageSet,
    Indices,
    Log,
    Weights,
    option,
)
from tgap.core.arrays import require_rows
from tgap.core.device import DEVICES, device_problems


@dataclass(frozen=True)
class LibraryNetwork:
    """A fitted network as a library that everybody has makes it: of use without tgap.

    Args:
        library: The library's name.
        code: Lines of Python that make it, not fitted, and call it ``network``; they may use
            ``torch``.
        state: Its state dict.
        image_size: Pixels a side that images are resized to for it; ``None`` = as they are.
    """

    library: str
    code: str
    state: Weights
    image_size: int | None


@dataclass(kw_only=True)
class Classifier(Component):
    """One logit per label, validated on held-back images of its own training side.

    Args:
        validation: Share of the training images that is held back to choose the epoch.
    """

    has_features: ClassVar[bool] = False
    """Whether ``features`` is implemented."""
    adapts: ClassVar[bool] = False
    """Whether ``adapt`` is implemented."""

    restandardises: ClassVar[bool] = False
    """Whether ``restandardised`` is implemented."""

    validation: float = option(0.15, "share of training images held back", above=0, high=0.5)
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    def check(self) -> list[str]:
        """A device that is not there, or weights that cannot be had."""
        return [*super().check(), *device_problems(self.device)]

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """What stands in the way of training on images of that shape, as sentences.

        Args:
            shape: Height, width and channels.
        """
        return []

    def check_training(self, train: ImageSet, rng: np.random.Generator) -> list[str]:
        """What stands in the way of training on images of such labels and patients, as sentences.

        Args:
            train: Pixels are not looked at.
            rng: As ``fit`` gets it, so that the same patients are held back.
        """
        if problems := lacking_kinds(train, "training images"):
            return problems
        train = train.without_images()
        held_back = held_back_for_validation(train, self.validation, rng)
        fit_part = train.take(np.flatnonzero(~held_back).astype(np.int64))
        if not held_back.any():
            return [
                "no image can be held back for validation: every label has one training image "
                "only, and needs two"
            ]
        problems = lacking_kinds(fit_part, "images beside those held back for validation")
        return problems or self._check_fit_part(fit_part)

    def _check_fit_part(self, train: ImageSet) -> list[str]:
        """The same of the images beside those that are held back for validation."""
        return []

    def stored_bytes(self, shape: tuple[int, ...], labels: int) -> int:
        """Bytes of its weights, roughly: by them room on the disk is foreseen.

        Args:
            shape: Height, width and channels of an image.
            labels: How many labels there are.
        """
        return 30_000_000  # a DenseNet-121's, as CheXNet is one

    def fit(
        self,
        train: ImageSet,
        rng: np.random.Generator,
        log: Log = lambda epoch, values: None,
        checkpoint: Checkpoint | None = None,
    ) -> Weights:
        """Train on one side, real or synthetic; nothing of the other side is seen.

        Args:
            train: Labelled images; a part is held back for validation
                (``held_back_for_validation``).
            rng: The only source of randomness.
            log: Told losses and validation figures of each epoch; if it goes on from a checkpoint,
                those of the epochs before it again.
            checkpoint: Keeps how far it is, and says what to go on with.

        Returns:
            The fitted arrays by name, enough for ``score`` and ``features``; ``input_shape`` is
            the shape of an image.

        Raises:
            ConfigError: If ``check`` or ``check_images`` finds a problem.
            ContractError: If ``check_training`` finds one.
        """
        shape = train.images.shape[1:]
        if problems := self.check() or self.check_images(shape):
            raise ConfigError(*problems)
        if problems := self.check_training(train, copy.deepcopy(rng)):
            raise ContractError("; ".join(problems))
        held_back = held_back_for_validation(train, self.validation, rng)
        fit_part = np.flatnonzero(~held_back).astype(np.int64)
        validation_part = np.flatnonzero(held_back).astype(np.int64)
        sides = train.take(fit_part), train.take(validation_part)
        weights = self._fit(*sides, rng, log, checkpoint or Checkpoint())
        return {**weights, "input_shape": np.array(shape, dtype=np.int64)}

    def adapt(
        self,
        weights: Weights,
        few: ImageSet,
        rng: np.random.Generator,
        log: Log = lambda epoch, values: None,
        checkpoint: Checkpoint | None = None,
    ) -> Weights:
        """Go on training fitted weights on further images, which may be as few as one.

        The recipe is fixed beforehand, because no image can be spared to validate it on.

        Args:
            weights: What ``fit`` returned; they stay as they are.
            few: Labelled images of the shape trained on, with the same labels.
            rng: The only source of randomness.
            log: Told the loss of each epoch.
            checkpoint: As of ``fit``.

        Returns:
            Weights as ``fit`` returns them.

        Raises:
            ContractError: If the classifier does not adapt (``adapts``), there is no image, or
                images or labels are not like those trained on.
        """
        if len(few) == 0:
            raise ContractError("adapting a classifier needs at least one image, got none")
        labels = self.score(weights, few.images[:1]).shape[1]
        if labels != len(few.label_names):
            raise ContractError(
                f"the classifier was trained on {labels} labels, got images with "
                f"{len(few.label_names)}: {', '.join(few.label_names)}"
            )
        adapted = self._adapt(weights, few, rng, log, checkpoint or Checkpoint())
        return {**adapted, "input_shape": weights["input_shape"]}

    def restandardised(self, weights: Weights, images: Images) -> Weights:
        """Fitted weights whose batch norm goes by the statistics of other images.

        Args:
            weights: What ``fit`` returned; they stay as they are.
            images: ``(N, H, W, C)`` uint8 of the shape trained on, at least 2; no labels.

        Returns:
            Weights as ``fit`` returns them; the same where there is no batch norm.

        Raises:
            ContractError: If the classifier has none by its kind (``restandardises``), or the
                images have another shape.
        """
        if len(images) < 2:
            raise ContractError(f"statistics need at least 2 images, got {len(images)}")
        _require_images(weights, images)
        return {**self._restandardised(weights, images), "input_shape": weights["input_shape"]}

    def score(self, weights: Weights, images: Images) -> Floats:
        """Logits of images by fitted weights; their sigmoids are the labels' probabilities.

        Logits, because float32 sigmoids are all 1 above 16.6: a classifier that is sure of
        everything would seem to tell nothing apart.

        Args:
            weights: What ``fit`` returned.
            images: ``(N, H, W, C)`` uint8 of the shape trained on.

        Returns:
            ``(N, L)`` float32, finite.

        Raises:
            ContractError: If the images have another shape, or the scores are no such array.
        """
        _require_images(weights, images)
        scores = self._score(weights, images)
        require_rows(self.stem(), "scores", scores, len(images))
        return scores

    def features(self, weights: Weights, images: Images) -> Floats:
        """What the last, linear layer sees of each image.

        Args:
            weights: What ``fit`` returned.
            images: ``(N, H, W, C)`` uint8 of the shape trained on.

        Returns:
            ``(N, d)`` float32, finite.

        Raises:
            ContractError: If the classifier has no features (``has_features``), the images have
                another shape, or the features are no such array.
        """
        _require_images(weights, images)
        features = self._features(weights, images)
        require_rows(self.stem(), "features", features, len(images))
        return features

    def without_tgap(self, weights: Weights) -> LibraryNetwork | None:
        """The fitted network as a known library's; ``None`` if it is tgap's own.

        Args:
            weights: What ``fit`` returned, ``input_mean`` and ``input_std`` among them.
        """
        return None

    @abstractmethod
    def _fit(
        self,
        train: ImageSet,
        validation: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights: ...

    @abstractmethod
    def _score(self, weights: Weights, images: Images) -> Floats: ...

    def _adapt(
        self,
        weights: Weights,
        few: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights:
        raise ContractError(f"classifier '{self.stem()}' does not adapt to further images")

    def _restandardised(self, weights: Weights, images: Images) -> Weights:
        raise ContractError(f"classifier '{self.stem()}' has no batch norm")

    def _features(self, weights: Weights, images: Images) -> Floats:
        raise ContractError(f"classifier '{self.stem()}' has no features")


def _require_images(weights: Weights, images: Images) -> None:
    expected = tuple(weights["input_shape"].tolist())
    if images.shape[1:] != expected or images.dtype != np.uint8:
        raise ContractError(
            f"the classifier was trained on uint8 images of shape {expected} (height, width, "
            f"channels), got {images.shape[1:]} {images.dtype}; real and synthetic images must be "
            "alike"
        )


def lacking_kinds(train: ImageSet, where: str) -> list[str]:
    """Labels that all images carry, or none, as sentences."""
    return [
        f"label '{name}' holds for {count} of {len(train)} {where}; a classifier needs images with "
        "and without every label"
        for name, count in train.label_counts().items()
        if count in (0, len(train))
    ]


def held_back_patients(train: ImageSet, share: float, rng: np.random.Generator) -> Bools:
    """Whole patients, of at least two, drawn at random until ``share`` of images is held back.

    Returns:
        ``(N,)`` bool; at least one image on each side.
    """
    patients, counts = np.unique(train.patients, return_counts=True)
    order = rng.permutation(len(patients))
    filled = np.cumsum(counts[order])
    stop = int(np.searchsorted(filled, share * len(train))) + 1
    chosen: Indices = patients[order[: min(stop, len(patients) - 1)]]
    return np.isin(train.patients, chosen)


def held_back_for_validation(train: ImageSet, share: float, rng: np.random.Generator) -> Bools:
    """Whole patients, if those that are left have images with and without every label.

    If not, a share of the images of each combination of labels, at least one and not all: where a
    label has one patient only, or synthetic images of it are all the same, which counts as one,
    holding that back would leave nothing of the label to train on.

    Returns:
        ``(N,)`` bool; no image is held back where each combination has a single one.
    """
    if len(np.unique(train.patients)) > 1:
        held_back = held_back_patients(train, share, rng)
        beside = train.labels[~held_back]
        if (beside.any(axis=0) & ~beside.all(axis=0)).all():
            return held_back
    held_back = np.zeros(len(train), bool)
    _, combination = np.unique(train.labels, axis=0, return_inverse=True)
    for which in range(combination.max(initial=-1) + 1):
        members = rng.permutation(np.flatnonzero(combination == which))
        held_back[members[: min(max(1, round(share * len(members))), len(members) - 1)]] = True
    return held_back
