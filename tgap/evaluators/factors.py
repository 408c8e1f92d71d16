"""How far the factors behind synthetic images are from those behind real ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tgap.core import Bools, Floats, ImageSet, Indices, option
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.evaluators.parts.matching import common_count, draw_images, embedded
from tgap.metrics.naming import metric_names
from tgap.metrics.probes import LinearProbe, fit_probes

Distances = Mapping[str, list[float]]
"""Of each label, for ``distance`` and ``floor``."""


@dataclass(kw_only=True)
class Factors(Evaluator):
    """Distances between distributions of factors, such as age or view, read off the images.

    What a synthetic image was drawn from is unknown, so it is read by linear probes that learn
    each metadata column on one half of real_train, by patient, from an embedder's vectors. A
    column counts if the probe's R^2 on the other half, which it has not seen, is at least
    ``readable``. The readings of synthetic images are then compared with those of real_test within
    each label, at the same number of images per label. The reference is the same of real_train's
    other half in place of the synthetic images.

    - ``factors/n``: images on each side; 0 if a label is missing in a set, distances are NaN then
    - ``factors/read``: how many factors could be read
    - ``factors/r2_{name}``: how well, on real images
    - ``factors/distance_{name}``, ``factors/distance_{name}_floor``: numbers by the Wasserstein-1
      distance, in standard deviations of their readings on real_test; text by the total variation
      distance, in [0, 1]; mean over labels
    - ``factors/distance``, ``factors/distance_floor``: mean over factors; NaN if none was read

    The table ``factors`` has a row per column, also of those left out, with each label's distance.
    There are no metrics for datasets without metadata. A reading is a linear guess: images unlike
    any real one (noise) have readings too, so look at fidelity first.

    Args:
        embedder: Makes the vectors. Pixels at 32 x 32 show more of where and how large things are
            than the packaged CLIP does.
        readable: Least R^2 for a factor to count.
    """

    shown: ClassVar[Sequence[str]] = ("factors/distance",)

    embedder: Embedder = field(metadata={"help": "makes the vectors", "choice": "pixels"})
    readable: float = option(0.3, "least R^2 for a factor to count", above=0, high=1)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        train = evidence.real_train()
        if not train.metadata:
            return Evaluation({})
        halves, drawn = rng.spawn(2)
        first = _half_of_patients(train.patients, halves)
        probes, left_out = fit_probes(
            embedded(self.embedder, evidence, train.images), train.metadata, first
        )
        held_back = train.take(np.flatnonzero(~first).astype(np.int64))
        real, fake, floor = self._vectors(evidence, held_back, drawn)
        distances = {
            name: {
                "distance": probe.distances(real, fake) if real else [],
                "floor": probe.distances(real, floor) if real else [],
            }
            for name, probe in probes.items()
            if probe.r2 >= self.readable
        }
        metrics = {"factors/n": float(sum(map(len, real))), "factors/read": float(len(distances))}
        columns = list(train.metadata)
        return Evaluation(
            metrics | _means(distances, probes, columns),
            tables={"factors": _table(distances, probes, columns, train.label_names, left_out)},
        )

    def _vectors(
        self, evidence: Evidence, held_back: ImageSet, rng: np.random.Generator
    ) -> list[list[Floats]]:
        """Of real_test, synthetic and held-back images, by label, of as many of each.

        Three empty lists if a label is missing in one of the sets.
        """
        real_test, synthetic = evidence.real_test(), evidence.synthetic()
        count = common_count(
            real_test.labels, np.concatenate([part.labels for part in synthetic]), held_back.labels
        )
        if count == 0:
            return [[], [], []]
        return [
            np.split(
                embedded(self.embedder, evidence, draw_images(parts, count, stream)),
                len(real_test.label_names),
            )
            for parts, stream in zip(
                ([real_test], synthetic, [held_back]), rng.spawn(3), strict=True
            )
        ]


def _half_of_patients(patients: Indices, rng: np.random.Generator) -> Bools:
    """Which images belong to a random half of the patients."""
    distinct = np.unique(patients)
    return np.isin(patients, rng.permutation(distinct)[: len(distinct) // 2])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else float("nan")


def _means(
    distances: Mapping[str, Distances], probes: Mapping[str, LinearProbe], columns: Sequence[str]
) -> dict[str, float]:
    """Metrics of each factor that was read, and over all of them."""
    safe = dict(zip(columns, metric_names(columns), strict=True))
    metrics = {}
    for name, by_label in distances.items():
        metrics[f"factors/r2_{safe[name]}"] = probes[name].r2
        metrics[f"factors/distance_{safe[name]}"] = _mean(by_label["distance"])
        metrics[f"factors/distance_{safe[name]}_floor"] = _mean(by_label["floor"])
    for suffix, kind in (("", "distance"), ("_floor", "floor")):
        means = [_mean(by_label[kind]) for by_label in distances.values()]
        metrics[f"factors/distance{suffix}"] = _mean(means)
    return metrics


def _table(
    distances: Mapping[str, Distances],
    probes: Mapping[str, LinearProbe],
    columns: Sequence[str],
    label_names: Sequence[str],
    left_out: Mapping[str, str],
) -> list[dict[str, Any]]:
    """A row per metadata column; numbers that are not defined are None."""
    rows = []
    for name in columns:
        r2 = probes[name].r2 if name in probes else float("nan")
        why = "" if name in distances else left_out.get(name, "cannot be read")
        row = {"factor": name, "r2": _plain(r2), "left_out": why}
        for kind, by_label in distances.get(name, {}).items():
            for label, value in zip(label_names, by_label, strict=False):
                row[f"{kind}_{label}"] = _plain(value)
        rows.append(row)
    return rows


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
