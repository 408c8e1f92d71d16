"""Images -> one score per label."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tgap.component import Component, option
from tgap.device import DEVICES
from tgap.errors import ContractError
from tgap.types import Floats, Images, ImageSet, Indices, Weights

Log = Callable[[int, dict[str, float]], None]
"""Told (epoch, values by name)."""


@dataclass(kw_only=True)
class Classifier(Component):
    """One sigmoid output per label, validated on held-back images of its own training side.

    Args:
        validation: Share of the training images that is held back to choose the epoch.
    """

    validation: float = option(0.15, "share of training images held back", above=0, high=0.5)
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    def fit(
        self,
        train: ImageSet,
        rng: np.random.Generator,
        log: Log = lambda epoch, values: None,
    ) -> Weights:
        """Train on one side, real or synthetic; nothing of the other side is seen.

        Args:
            train: Labelled images; a part of its patients is held back for validation.
            rng: The only source of randomness.
            log: Told losses and validation figures of each epoch.

        Returns:
            The fitted arrays by name, enough for ``score``.

        Raises:
            ContractError: If a label has no image, or no image that lacks it.
        """
        positives = train.labels.sum(axis=0)
        for name, count in zip(train.label_names, positives, strict=True):
            if count in (0, len(train)):
                raise ContractError(
                    f"label '{name}' holds for {count} of {len(train)} training images; "
                    "a classifier needs images with and without every label"
                )
        held_back = held_back_patients(train, self.validation, rng)
        fit_part = np.flatnonzero(~held_back).astype(np.int64)
        validation_part = np.flatnonzero(held_back).astype(np.int64)
        return self._fit(train.take(fit_part), train.take(validation_part), rng, log)

    def score(self, weights: Weights, images: Images) -> Floats:
        """Score images with fitted weights: ``(N, L)`` float32 in [0, 1]."""
        scores = self._score(weights, images)
        if scores.ndim != 2 or len(scores) != len(images) or scores.dtype != np.float32:
            raise ContractError(
                f"{self.stem()} must return ({len(images)}, L) float32 scores, "
                f"got {scores.shape} {scores.dtype}"
            )
        return scores

    @abstractmethod
    def _fit(
        self, train: ImageSet, validation: ImageSet, rng: np.random.Generator, log: Log
    ) -> Weights: ...

    @abstractmethod
    def _score(self, weights: Weights, images: Images) -> Floats: ...


def held_back_patients(train: ImageSet, share: float, rng: np.random.Generator) -> "np.ndarray":
    """Whole patients drawn at random until ``share`` of the images is held back.

    Returns:
        ``(N,)`` bool; at least one image on each side.
    """
    patients, counts = np.unique(train.patients, return_counts=True)
    if len(patients) < 2:
        raise ContractError("a validation part needs training images of at least two patients")
    order = rng.permutation(len(patients))
    filled = np.cumsum(counts[order])
    stop = int(np.searchsorted(filled, share * len(train))) + 1
    chosen: Indices = patients[order[: min(stop, len(patients) - 1)]]
    return np.isin(train.patients, chosen)
