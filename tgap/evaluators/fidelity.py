"""How near synthetic images are to real ones as distributions, and how diverse."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.core import Floats, ImageSet, option
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.evaluators.parts.matching import common_count, draw_images, embedded
from tgap.metrics.distances import frechet, kid, vendi
from tgap.metrics.naming import metric_names
from tgap.metrics.neighbours import clipped, prdc
from tgap.metrics.pictures import pictures


@dataclass(kw_only=True)
class Fidelity(Evaluator):
    """Distances, precision, recall, density, coverage and Vendi scores of an embedder's vectors.

    Synthetic, real_train and real_test images are compared at the same number of images per label,
    the most that all three have of each, so that another mix of labels is not taken for
    infidelity. The floor is what the metric says of real_train in place of the synthetic images:
    real against real, by patients apart.

    - ``fidelity/n``: images on each side; 0 if a label is missing in a set, all else is NaN then
    - ``fidelity/frechet``, ``fidelity/kid``, ``fidelity/precision``, ``fidelity/recall``,
      ``fidelity/density``, ``fidelity/coverage``, ``fidelity/clipped_density``,
      ``fidelity/clipped_coverage``: synthetic against real_test, see ``tgap.metrics``; each has a
      ``_floor``
    - ``diversity/vendi_{label}``: Vendi score of the synthetic images of a label,
      ``diversity/vendi``: its mean over labels, ``diversity/vendi_real``: the same mean of
      real_test
    - ``diversity/images_{label}``: the synthetic images of a label, of both parts,
      ``diversity/different_{label}``: how many of them are different pictures,
      ``diversity/blank_{label}``: how many are of one colour

    The train part of the synthetic set comes first, since that is what a classifier learns from;
    its test part fills up what is lacking. With no more than ``k`` images, what needs neighbours
    is NaN. Numbers of different embedders or of different n do not compare.

    Args:
        embedder: Makes the vectors; one that takes a classifier gets the real one.
        k: Which nearest neighbour a ball reaches to.
    """

    version: ClassVar[int] = 3

    embedder: Embedder = field(metadata={"help": "makes the vectors", "choice": "clip"})
    k: int = option(5, "which nearest neighbour a ball reaches to", low=1)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        synthetic = evidence.synthetic()
        label_names = synthetic[0].label_names
        count = common_count(
            np.concatenate([part.labels for part in synthetic]),
            evidence.real_train(pixels=False).labels,
            evidence.real_test(pixels=False).labels,
        )

        def vectors(parts: Sequence[ImageSet], stream: np.random.Generator) -> Floats:
            if count == 0:
                return np.empty((0, 1), np.float32)
            return embedded(self.embedder, evidence, draw_images(parts, count, stream))

        # One set's pixels at a time: real ones may fill the memory.
        streams = rng.spawn(3)
        fake = vectors(synthetic, streams[0])
        floor = vectors([evidence.real_train()], streams[1])
        real = vectors([evidence.real_test()], streams[2])
        return Evaluation(
            {"fidelity/n": float(len(real))}
            | self._distances(real, fake, "")
            | self._distances(real, floor, "_floor")
            | _diversity(real, fake, label_names)
            | _pictures(synthetic)
        )

    def _distances(self, real: Floats, other: Floats, suffix: str) -> dict[str, float]:
        values = {"frechet": frechet(real, other), "kid": kid(real, other)}
        values |= prdc(real, other, self.k)._asdict() | clipped(real, other, self.k)._asdict()
        return {f"fidelity/{name}{suffix}": value for name, value in values.items()}


def _diversity(real: Floats, fake: Floats, label_names: Sequence[str]) -> dict[str, float]:
    """Of vectors of as many images of each label, labels one after another."""
    of_real, of_fake = (
        [vendi(of_label) for of_label in np.split(vectors, len(label_names))]
        for vectors in (real, fake)
    )
    scores = {
        "diversity/vendi": float(np.mean(of_fake)),
        "diversity/vendi_real": float(np.mean(of_real)),
    }
    # "real" is taken, by vendi_real
    for name, score in zip(metric_names(["real", *label_names])[1:], of_fake, strict=True):
        scores[f"diversity/vendi_{name}"] = score
    return scores


def _pictures(parts: Sequence[ImageSet]) -> dict[str, float]:
    """Of the whole synthetic set: what is wrong with a generator that draws one picture."""
    images, labels = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels")
    )
    names = metric_names(parts[0].label_names)
    return {
        f"diversity/{what}_{name}": float(count)
        for name, counts in zip(names, pictures(images, labels), strict=True)
        for what, count in counts._asdict().items()
    }
