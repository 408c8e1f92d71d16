"""AUROCs of several classifiers on one test set, with what other test images would make of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Doubles, ImageSet, Indices, rng_for
from tgap.metrics.classification import Reals, auroc_per_label
from tgap.metrics.intervals import Interval, Scale, interval, recovered
from tgap.metrics.resampling import effective_images, multiplicities, resampled_auroc

RESAMPLES = 1000
"""Enough for ends within some hundredths of a standard error."""


@dataclass(frozen=True)
class Resamples:
    """A test set and its resamples by patient, the same for all that is tested on it.

    Args:
        labels: ``(N, L)`` bool.
        patients: ``(N,)`` int64.
        weights: ``(B, N)`` real, how often each image stands in a resample.
    """

    labels: Bools
    patients: Indices
    weights: NDArray[np.generic]

    @classmethod
    def of(cls, test: ImageSet, resamples: int = RESAMPLES, key: str = "") -> "Resamples":
        """Resampled as TSTR is: of a real test set alike, whatever the seed and method.

        Args:
            test: Its pixels are not looked at.
            resamples: B.
            key: Of a synthetic set, which is resampled independently of the real one.
        """
        rng = rng_for("resample", 0, key) if key else rng_for("resample", 0)
        weights = multiplicities(test.patients, resamples, rng)
        return cls(test.labels, test.patients, weights)

    def part(self, rows: Bools, labels: Bools | None = None) -> "Resamples":
        """Some of the images, ``(N,)`` bool, perhaps by other labels ``(N, L)``."""
        labels = self.labels if labels is None else labels
        return Resamples(labels[rows], self.patients[rows], self.weights[:, rows])

    @property
    def effective(self) -> float:
        """Patients that say as much, of the label's images, or those without it, that are fewest;
        0 where there are none.
        """
        return effective_images(self.labels, self.patients) if len(self.labels) else 0.0

    def effective_of(self, label: int) -> float:
        """The same of one label, by position: another label's few images say nothing of it."""
        column = self.labels[:, [label]]
        return effective_images(column, self.patients) if len(column) else 0.0

    def aurocs(self, scores: Reals) -> Doubles:
        """``(1 + B, L)``: AUROCs of scores ``(N, L)``, as they are and below that resampled."""
        columns = zip(scores.T, self.labels.T, strict=True)
        resampled = [resampled_auroc(of_label, has, self.weights) for of_label, has in columns]
        return np.vstack([auroc_per_label(scores, self.labels), np.stack(resampled, axis=1)])

    def macro(self, scores: Reals) -> Interval:
        """Of the mean over labels of the AUROCs of scores ``(N, L)``."""
        return ends(self.aurocs(scores).mean(axis=1), self.effective)


def ends(
    values: Doubles, effective: float, scale: Scale = "logit", level: float = 0.95
) -> Interval:
    """The interval of a trained model's number for new test images.

    Args:
        values: ``(1 + B,)``, the number, and behind it what it is in the resamples.
        effective: Patients that say as much.
        scale: As of ``interval``.
        level: As of ``interval``.
    """
    first, resampled = values[:1], values[1:, None]
    return interval(first, resampled, level, scale=scale, image_freedom=effective - 1)


def difference(first: Doubles, second: Doubles, effective: float, level: float = 0.95) -> Interval:
    """The same of the difference of two AUROCs, ``recovered`` where they show few errors."""
    number = ends(first - second, effective, "identity", level)
    one, other = (ends(values, effective, level=level) for values in (first, second))
    return recovered(number, one, other, level, "identity")


@dataclass(frozen=True)
class TwoSides:
    """FTER and T-Gap of a part of the images, whose two test sets are resampled independently.

    Args:
        tstr: With its interval.
        trts: The same.
        fter: TSTR / TRTS.
        gap: TRTS - TSTR.
    """

    tstr: Interval
    trts: Interval
    fter: Interval
    gap: Interval

    @classmethod
    def of(cls, tstr: Doubles, real: float, trts: Doubles, synthetic: float) -> "TwoSides":
        """From the AUROCs.

        Args:
            tstr: ``(1 + B,)``, the number and its resamples.
            real: Patients that say as much.
            trts: ``(1 + B,)``.
            synthetic: Images that say as much.
        """
        one, other, least = ends(tstr, real), ends(trts, synthetic), min(real, synthetic)
        ratio, gap = ends(tstr / trts, least, "log"), ends(trts - tstr, least, "identity")
        return cls(
            one,
            other,
            recovered(ratio, one, other, scale="log"),
            recovered(gap, other, one, scale="identity"),
        )
