"""What a run made -> named numbers, tables and pictures."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tgap.classifiers.base import Classifier
from tgap.core import (
    Checkpoint,
    Component,
    ContractError,
    Floats,
    Images,
    ImageSet,
    Indices,
    Scores,
    Weights,
)
from tgap.metrics.legs import LEGS


class Evidence(Protocol):
    """What a run made, for evaluators to look at; each call may read from disk."""

    @property
    def classifier(self) -> Classifier:
        """The run's classifier, to be fitted anew where a baseline needs it."""

    def legs(self) -> Mapping[str, Scores]:
        """Scores and truth of each of ``LEGS``, and perhaps of further ones: TSTR and TRTR on
        other real test sets, ``external/<name>/tstr``, on some of the labels. Empty where there
        is one label only, so that there is nothing to tell apart.
        """

    def real_train(self, pixels: bool = True) -> ImageSet:
        """The real images that the real classifier was trained on; one black pixel each, if those
        are not wanted.
        """

    def real_test(self, pixels: bool = True) -> ImageSet:
        """The real test set; TSTR and TRTR have their rows in this order."""

    def external(self, name: str) -> ImageSet:
        """A further real test set, whose images are the rows of ``external/<name>/tstr``; one black
        pixel each.
        """

    def synthetic(self) -> tuple[ImageSet, ImageSet]:
        """Train and test part of the synthetic set; TRTS and TSTS are on the test part."""

    def synthetic_key(self) -> str:
        """Names the synthetic set: runs that have the same one share its images."""

    def tuned_on(self) -> ImageSet | None:
        """The distinct real images that the generator was tuned on or given; ``None`` if none."""

    def tuning_is_known(self) -> bool:
        """Whether ``tuned_on`` is what the generator saw, and not only what it may have seen."""

    def held_out(self) -> ImageSet:
        """Real images of the same domain whose patients are neither in ``tuned_on`` nor in
        ``real_test``: what a generator that copies nothing is as far from as from ``tuned_on``.
        """

    def other_images(self) -> ImageSet:
        """Further real images of patients in ``tuned_on``, which the generator was not tuned on;
        patients are numbered alike in both.
        """

    def reserve(self, most: int) -> Images:
        """Real images without their labels, of patients of the pool that have no image in the
        tuning set, real_train, real_test or the synthetic set; the last is of controls that give
        real images away. A judge was not fitted on them. May be none.

        Args:
            most: So many of them at most, at random, nearly the same for all methods and seeds.
        """

    def images_of(self, patients: Indices) -> Indices:
        """How many images the dataset has of each of these patients of ``tuned_on`` or
        ``held_out``; 1 of each where the tuning set was read for itself, since nobody knows how
        many it was picked from.
        """

    def leaks(self) -> Mapping[str, float]:
        """Share of real_test's images whose patient stands on another side too, by that side."""

    def fitted(self, side: str) -> Weights:
        """The fitted classifier of a side, ``real`` or ``synthetic``."""

    def trained(self, name: str, images: Images, fit: Callable[[Checkpoint], Weights]) -> Floats:
        """Scores of images by a further classifier of the run's kind.

        A training takes long: if it is interrupted, it goes on where it was, and one that is done
        is not done again.

        Args:
            name: Of the training, in a file's name; another one for each of an evaluator.
            images: As of ``Classifier.score``.
            fit: Trains ``classifier``, from what a checkpoint holds. Not called where the scores
                are known, so that its randomness must be its own.
        """

    def real_features(self, images: Images) -> Floats:
        """The real classifier's features of images, ``(N, d)`` float32."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluator found.

    Args:
        metrics: Numbers by MLflow name, e.g. ``tstr/auroc``; NaN where one is not defined.
        arrays: Arrays to keep, e.g. what was resampled.
        tables: Rows of JSON types to keep, e.g. suspected copies.
        pictures: ``(H, W, 3)`` uint8 by name, to be looked at.
    """

    metrics: Mapping[str, float]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    pictures: Mapping[str, Images] = field(default_factory=dict)


@dataclass(kw_only=True)
class Evaluator(Component):
    """Looks at what a run made, and says in numbers how good it is."""

    shown: ClassVar[Sequence[str] | None] = None
    """Metrics to show in MLflow's pages, the important ones first, ``*`` standing for anything;
    ``None`` = as many as there is room for. A table beside them has all."""

    def evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        """Compute metrics.

        Args:
            evidence: What the run made; nothing of it is changed.
            rng: The only source of randomness.

        Returns:
            Metrics by MLflow name, and what else should be kept. An evaluator whose question
            cannot be asked of a run (copies where nothing was tuned) finds no metrics.

        Raises:
            ContractError: If the scores of one of ``LEGS`` are missing.
        """
        legs = evidence.legs()
        missing = [leg for leg in LEGS if legs and leg not in legs]
        if missing:
            raise ContractError(f"scores missing: {', '.join(missing)}")
        return self._evaluate(evidence, rng)

    @abstractmethod
    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation: ...
