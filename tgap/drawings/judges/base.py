"""Which drawn images show what they were asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.core import (
    Bools,
    Checkpoint,
    Component,
    DataError,
    Floats,
    Images,
    ImageSet,
    Weights,
    option,
)
from tgap.metrics.classification import auroc_per_label

TELLS = ("labels", "findings")
LEAST = 20
"""Images with a label, and as many without it, in either half of the reserve: an AUROC of fewer
says little (its standard error is .09 with 20 of each)."""
REMEDY = (
    "leave more patients of the pool without a tuning image (a smaller size, a larger pool_size), "
    "or choose drawing=plain"
)


@dataclass(frozen=True)
class Means:
    """What a judge may make use of besides the reserve.

    Args:
        classifier: The run's, not fitted.
        texts: The prompt of each label or finding that it tells apart.
    """

    classifier: Classifier
    texts: Sequence[str]


@dataclass(kw_only=True)
class Judge(Component):
    """Scores labels (or findings) of an image; it passes if it shows those it was asked for.

    An image that was asked for with the labels A, of all labels L, passes if its lowest score of A
    is above its highest of L without A: with one label each, if that has the largest score. One
    that was asked for without any (a finding that is absent) passes if no score is above 0.

    Whatever it learned or was checked on is of the reserve: pool images of patients that neither
    tuned the generator nor train or test a classifier of the run.

    Args:
        tells: What it tells apart; ``findings`` needs prompts that name them.
        least_auroc: On the checking half each label must reach this AUROC, or the run stops: a
            judge that knows no better than chance rejects at random, at a price.
        per_label: Images of each label that it learns from, and as many that it is checked on;
            the fewer, the fewer labels it costs. All of the reserve if not said.
    """

    learns: ClassVar[bool] = True
    """Whether it is fitted on labelled real images; all are checked on some."""

    tells: str = option("labels", "what it tells apart: labels or findings", choices=TELLS)
    least_auroc: float = option(0.6, "AUROC that each label must reach", low=0.5, high=1)

    per_label: int | None = option(
        None, "images of each label that it learns from, null = all", low=LEAST, high=1_000_000
    )

    def identity(self) -> dict[str, Any]:
        """Without a number that is not asked for: judges of before there was one count."""
        left_out = {"per_label"} if self.per_label is None else set()
        return {name: v for name, v in super().identity().items() if name not in left_out}

    def told(self, data: ImageSet) -> ImageSet:
        """The same images, what is told apart being their labels."""
        if self.tells == "labels":
            return data
        return replace(data, labels=data.findings, label_names=data.finding_names)

    def check_reserve(self, fitting: ImageSet, checking: ImageSet) -> list[str]:
        """What stands in the way of being fitted and checked, as sentences.

        Args:
            fitting: A half of the reserve; pixels are not looked at.
            checking: The other half.
        """
        names = self.told(fitting).label_names
        if len(names) < 2 and self.tells == "labels":
            return [
                f"a judge needs labels to tell apart, and there is one only ({', '.join(names)}); "
                "choose drawing=plain"
            ]
        if not names:
            return ["a judge that tells findings apart needs a dataset that has some"]
        return [
            f"judge '{self.title()}' needs at least {LEAST} images with and without "
            f"{self.tells[:-1]} '{name}' in the {half} half of the reserve, which has {count} with "
            f"and {len(data) - count} without it; {REMEDY}"
            for half, data in (("fitting", fitting), ("checking", checking))
            if half == "checking" or self.learns
            for name, count in self.told(data).label_counts().items()
            if min(count, len(data) - count) < LEAST
        ]

    def fit(
        self,
        fitting: ImageSet,
        checking: ImageSet,
        means: Means,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> tuple[Weights, dict[str, float]]:
        """Learn from one half of the reserve, and be checked on the other.

        Args:
            fitting: Labelled real images.
            checking: Labelled real images of other patients.
            means: What else it may use.
            rng: The only source of randomness.
            checkpoint: Keeps how far it is, and says what to go on with.

        Returns:
            The fitted arrays by name, and the AUROC of each label on the checking half.

        Raises:
            DataError: If there are too few images, or it tells a label no better than chance.
        """
        if problems := self.check_reserve(fitting, checking):
            raise DataError("; ".join(problems))
        weights: Weights = {}
        if self.learns:
            weights = self._fit(self.told(fitting), means, rng, checkpoint or Checkpoint())
        truth = self.told(checking)
        scores = self.scores(weights, truth.images, means)
        reached = dict(
            zip(truth.label_names, auroc_per_label(scores, truth.labels).tolist(), strict=True)
        )
        worst = min(reached, key=reached.__getitem__)
        if not reached[worst] >= self.least_auroc:
            raise DataError(
                f"judge '{self.title()}' tells '{worst}' with an AUROC of {reached[worst]:.2f} on "
                f"{len(truth)} real images that it was not fitted on, and must reach "
                f"{self.least_auroc:g} (drawing.judge.least_auroc): what it rejected would be as "
                f"good as what it kept; choose another drawing/judge, or {REMEDY}"
            )
        return weights, reached

    def passes(self, weights: Weights, images: Images, asked: Bools, means: Means) -> Bools:
        """Which images show what they were asked for.

        Args:
            weights: What ``fit`` returned.
            images: ``(N, H, W, C)`` uint8, as the reserve's.
            asked: ``(N, L)`` bool, the labels or findings that each was asked for.
            means: As for ``fit``.

        Returns:
            ``(N,)`` bool.
        """
        return shown(self.scores(weights, images, means), asked)

    @abstractmethod
    def scores(self, weights: Weights, images: Images, means: Means) -> Floats:
        """``(N, L)`` float32: the higher, the more an image shows a label or finding."""

    @abstractmethod
    def _fit(
        self, train: ImageSet, means: Means, rng: np.random.Generator, checkpoint: Checkpoint
    ) -> Weights: ...


def shown(scores: Floats, asked: Bools) -> Bools:
    """Whether the labels that were asked for have the highest scores.

    Args:
        scores: ``(N, L)``.
        asked: ``(N, L)`` bool; where none is asked for, no score may be above 0, and where all
            are, all must be.

    Returns:
        ``(N,)`` bool; equal scores do not pass.

    >>> scores = np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 3.0], [-1.0, 3.0], [-1.0, -2.0]])
    >>> asked = np.array([[True, False], [True, False], [True, True], [True, True], [False, False]])
    >>> shown(scores, asked).tolist()
    [True, False, True, False, True]
    """
    lowest = np.where(asked, scores, np.inf).min(axis=1)
    highest = np.where(asked, -np.inf, scores).max(axis=1)
    highest = np.where(asked.all(axis=1), 0.0, highest)
    passed: Bools = lowest > np.where(asked.any(axis=1), highest, np.inf)
    passed |= ~asked.any(axis=1) & (scores <= 0).all(axis=1)
    return passed
