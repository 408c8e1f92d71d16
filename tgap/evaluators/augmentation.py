"""How much synthetic images add to real ones, by the number of each."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from tgap.core import Bools, Checkpoint, ImageSet, Indices, Weights, option, rng_for
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.intervals import Interval
from tgap.metrics.tested import Resamples

log = logging.getLogger(__name__)

LEAST = 10
"""Fewest real images per label that are trained on from scratch: of fewer the validation part would
be one or two, which cannot choose an epoch."""


@dataclass(kw_only=True)
class Augmentation(Evaluator):
    """Macro AUROC on real_test against the number of real and of synthetic training images.

    - ``augmentation/real_{n}``: trained from scratch on n real images per label, from 10 on: of
      fewer, too few can be held back to choose an epoch.
    - ``augmentation/mixed_{n}``: trained on these and all synthetic training images at once.
    - ``augmentation/pretrained_{n}``: trained on the synthetic images, then adapted to the real
      ones (``Classifier.adapt``); absent with classifiers that do not adapt.
    - ``augmentation/synthetic_{n}``: trained on n synthetic images per label alone.

    n ``all`` stands for all there are: real_train, or the train part of the synthetic set.
    ``real_all`` and ``synthetic_all`` are TRTR and TSTR. All have ``.../lo`` and ``.../hi`` (95 %,
    of this training, for new test images, resampled by patient). Fewer images are a part of more,
    in all trainings the same ones; images without any label are drawn like a further label. The
    table ``curves`` holds the same with the numbers of images.

    Mixing at once and fine-tuning afterwards are the two recipes of RoentGen-v2 (arXiv 2508.16783),
    where the second gained more (+6.5 % against +2.7 %). Each number is of one draw and one
    training, which its interval does not know of: small differences need seeds.

    **Cost.** With the default numbers and 500 images per label, 22 trainings beside the run's two:
    7 mixed ones (each at least what the synthetic classifier cost; the last, as both together), 7
    adaptations (at most what the real classifier cost), 4 synthetic and 4 real ones (together
    about one of the run's); in all 5 to 6 times the run's two classifiers.

    Args:
        real: Numbers of real images per label; those that are not reached by any label are left
            out, and ``all`` is always there.
        synthetic: The same of synthetic images.
    """

    version: ClassVar[int] = 3
    shown: ClassVar[Sequence[str]] = ()

    real: list[int] = option([1, 3, 10, 30, 100, 300], "real images per label, beside all")
    synthetic: list[int] = option([10, 30, 100, 300], "synthetic images per label, beside all")

    def problems(self) -> list[str]:
        """Numbers that are no numbers of images, or too few to train on."""
        return [
            f"{name} must be rising numbers of images per label from {least} on, got {numbers}"
            for name, numbers, least in (
                ("real", self.real, 1),
                ("synthetic", self.synthetic, LEAST),
            )
            if any(n < least for n in numbers) or sorted(set(numbers)) != numbers
        ]

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        if not legs:
            return Evaluation({})
        seed = int(rng.integers(2**63))
        sides = Sides(
            real=Nested(evidence.real_train(), rng_for("augmentation", seed, "real")),
            synthetic=Nested(evidence.synthetic()[0], rng_for("augmentation", seed, "synthetic")),
        )
        test, trainings = evidence.real_test(), self._trainings(sides, evidence.classifier.adapts)
        tested = Resamples.of(test)
        aurocs = {
            ("real", sides.real.most): tested.macro(legs["trtr"].scores),
            ("synthetic", sides.synthetic.most): tested.macro(legs["tstr"].scores),
        }
        for number, (kind, n) in enumerate(trainings, start=1):
            if (kind, n) in aurocs:
                continue
            log.info("augmentation: %s_%d, %d of %d", kind, n, number, len(trainings))
            fit = partial(_fit, kind, n, sides, evidence, rng_for("augmentation", seed, kind, n))
            scores = evidence.trained(f"{kind}_{n}", test.images, fit)
            aurocs[kind, n] = tested.macro(scores)
        metrics = dict[str, float]()
        for kind, n in trainings:
            metrics |= aurocs[kind, n].named(f"augmentation/{kind}_{sides.of(kind).name_of(n)}")
        rows = [{**sides.amounts(kind, n), **_shown(aurocs[kind, n])} for kind, n in trainings]
        return Evaluation(metrics, tables={"curves": rows})

    def _trainings(self, sides: "Sides", adapts: bool) -> list[tuple[str, int]]:
        """Kinds of training and numbers of images per label, in the order of the table."""
        real = sides.real.numbers(self.real)
        kinds = {"real": [n for n in real if n >= LEAST or n == sides.real.most], "mixed": real}
        if adapts:
            kinds["pretrained"] = real
        kinds["synthetic"] = sides.synthetic.numbers(self.synthetic)
        return [(kind, n) for kind, numbers in kinds.items() for n in numbers]


class Nested:
    """Draws of so many images per label, smaller ones being a part of larger ones.

    Args:
        images: What is drawn from.
        rng: Draws the order.
    """

    def __init__(self, images: ImageSet, rng: np.random.Generator) -> None:
        self.images = images
        self.ranks = ranks(images.labels, rng)
        self.most = int(self.ranks.max())
        """The least number per label with which everything is drawn."""

    def numbers(self, wanted: Sequence[int]) -> list[int]:
        """Those that are less than all, and all."""
        return [*(n for n in wanted if n < self.most), self.most]

    def name_of(self, n: int) -> str:
        """A number's name in metrics."""
        return "all" if n == self.most else str(n)

    def first(self, n: int) -> ImageSet:
        """The first n images of each label, or all that it has."""
        return self.images.take(np.flatnonzero(self.ranks <= n).astype(np.int64))


@dataclass(frozen=True)
class Sides:
    """What is trained on."""

    real: Nested
    synthetic: Nested

    def of(self, kind: str) -> Nested:
        """The side whose number of images a kind of training varies."""
        return self.synthetic if kind == "synthetic" else self.real

    def amounts(self, kind: str, n: int) -> dict[str, Any]:
        """A training's row of the table, but for its result."""
        real, synthetic = n, self.synthetic.most
        if kind == "real":
            synthetic = 0
        elif kind == "synthetic":
            real, synthetic = 0, n
        return {"trained_on": kind, "real_per_label": real, "synthetic_per_label": synthetic}


def _shown(auroc: Interval) -> dict[str, float]:
    return {"auroc": auroc.estimate, "lo": auroc.lo, "hi": auroc.hi}


def _fit(
    kind: str,
    n: int,
    sides: Sides,
    evidence: Evidence,
    rng: np.random.Generator,
    checkpoint: Checkpoint,
) -> Weights:
    classifier = evidence.classifier
    few = sides.of(kind).first(n)
    if kind == "pretrained":
        fitted = evidence.fitted("synthetic")
        return classifier.adapt(fitted, few, rng, checkpoint=checkpoint)
    train = joined(few, sides.synthetic.images) if kind == "mixed" else few
    return classifier.fit(train, rng, checkpoint=checkpoint)


def ranks(labels: Bools, rng: np.random.Generator) -> Indices:
    """The least number of images per label with which each image is drawn.

    Images are put in random order; each label takes its carriers in that order, and those without
    any label are taken like one label more. An image of several labels comes with the first one
    that takes it.

    Args:
        labels: ``(N, L)`` bool.
        rng: Draws the order.

    Returns:
        ``(N,)`` int64 from 1 on.
    """
    kinds = np.column_stack([labels, ~labels.any(axis=1)])
    order = rng.permutation(len(kinds))
    place = np.where(kinds[order], np.cumsum(kinds[order], axis=0), len(kinds)).min(axis=1)
    least = np.empty(len(kinds), dtype=np.int64)
    least[order] = place
    return least


def joined(real: ImageSet, synthetic: ImageSet) -> ImageSet:
    """Both together, without findings and metadata; nobody is a patient on both sides."""
    of_real, of_synthetic = (
        np.unique(side.patients, return_inverse=True)[1] for side in (real, synthetic)
    )
    n = len(real) + len(synthetic)
    return ImageSet(
        images=np.concatenate([real.images, synthetic.images]),
        labels=np.concatenate([real.labels, synthetic.labels]),
        label_names=real.label_names,
        findings=np.zeros((n, 0), dtype=bool),
        finding_names=(),
        patients=np.concatenate([of_real, of_synthetic + len(real)]).astype(np.int64),
    )
