"""The numbers of one evaluation: TSTR, TRTS, TRTR or TSTS."""

import math
import re
from collections.abc import Collection, Mapping

import numpy as np

from tgap.core import Doubles, Scores
from tgap.metrics.classification import (
    accuracy,
    accuracy_per_label,
    auroc_per_label,
    average_precision_per_label,
    balanced_accuracy,
    calibration_error_per_label,
    f1_per_label,
    probabilities,
    ties_per_label,
)
from tgap.metrics.gap import Value, gaps
from tgap.metrics.intervals import Interval, Scale, recovered
from tgap.metrics.naming import metric_names

LEGS = ("tstr", "trts", "trtr", "tsts")
"""Train on Synthetic or Real, test on Real or Synthetic."""

SCALES: dict[str, Scale] = {
    **{f"{leg}/auroc": "logit" for leg in LEGS},
    "fter": "log",
    "utility_ratio": "log",
    "t_gap": "identity",
    "t_gap/easier_than_reality": "identity",
    "t_gap/utility_lost": "identity",
}
"""Metrics that have an interval, and the scale on which it is symmetric."""

MADE_OF: dict[str, tuple[str, ...]] = {
    **{f"{leg}/auroc": (leg,) for leg in LEGS},
    "fter": ("tstr", "trts"),
    "utility_ratio": ("tstr", "trtr"),
    "t_gap": ("trts", "tstr"),
    "t_gap/easier_than_reality": ("trts", "trtr"),
    "t_gap/utility_lost": ("trtr", "tstr"),
}
"""The evaluations that they are made of, numerator or minuend first."""

SIDE_SHARES = {side: f"images/share_{side}" for side in ("pool", "real_train", "real_test")}
"""How large a part of the images that a side is drawn from it takes; 1 where every split has the
same."""

LABELS_REAL, LABELS_SYNTHETIC = "images/labels_each_real", "images/labels_each_synthetic"
"""Mean number of labels of an image that trains: 1 where labels exclude each other."""

REAL, SYNTHETIC = "images/effective_real_test", "images/effective_synthetic_test"
"""How many patients with equally many images would say as much, of the label, or of the images
without it, that has fewest."""


EXTERNAL = re.compile(r"(external/.+/(?:tstr|trtr))/auroc")
"""TSTR and TRTR on further real test sets."""


def resampled_legs(metrics: Collection[str]) -> list[str]:
    """What the columns of a run's resampled AUROCs are of: ``LEGS``, then further test sets.

    >>> resampled_legs(["external/b/tstr/auroc", "external/a/trtr/auroc", "tstr/auroc"])[4:]
    ['external/a/trtr', 'external/b/tstr']
    """
    further = sorted(match[1] for name in metrics if (match := EXTERNAL.fullmatch(name)))
    return [*LEGS, *further]


def by_leg(resampled: Doubles, metrics: Collection[str]) -> dict[str, Doubles]:
    """A run's resampled AUROCs ``(B, E)``, ``(B,)`` by evaluation.

    Args:
        resampled: With a column for each of ``resampled_legs``, or, of earlier versions, ``LEGS``.
        metrics: The run's, by name.

    Raises:
        ValueError: If there are fewer.
    """
    names = resampled_legs(metrics)
    if resampled.shape[1:] != (len(names),):  # of before, or of an evaluator of another name
        resampled, names = resampled[:, : len(LEGS)], names[: len(LEGS)]
    return dict(zip(names, resampled.T, strict=True))


def external_patients(leg: str) -> str:
    """The metric of how many patients say as much as a further test set, by TSTR on it."""
    return f"{leg.rpartition('/')[0]}/effective"


def leg_metrics(leg: Scores) -> dict[str, float]:
    """One evaluation's numbers by name, without the evaluation's own name.

    ``auroc``, ``average_precision``, ``f1`` and ``calibration_error`` are means over the labels,
    each with ``..._{label}`` beside it; ``accuracy`` (by the largest score),
    ``accuracy_{label}`` (recall) and ``balanced_accuracy`` are NaN where labels do not exclude each
    other. ``ties`` is the share of pairs with equal scores, of the label that has most.
    """
    scores, labels = leg.scores, leg.labels
    per_label = {
        "auroc": auroc_per_label(scores, labels),
        "average_precision": average_precision_per_label(scores, labels),
        "f1": f1_per_label(scores, labels),
        "calibration_error": calibration_error_per_label(probabilities(scores), labels),
    }
    metrics = {name: float(np.mean(values)) for name, values in per_label.items()}
    metrics["ties"] = float(ties_per_label(scores, labels).max())
    metrics["accuracy"] = accuracy(scores, labels)
    metrics["balanced_accuracy"] = balanced_accuracy(scores, labels)
    per_label["accuracy"] = accuracy_per_label(scores, labels)
    for name, values in per_label.items():
        for label, value in zip(metric_names(leg.label_names), values, strict=True):
            metrics[f"{name}_{label}"] = float(value)
    return metrics


def image_freedom(name: str, effective: Mapping[str, float]) -> float:
    """Degrees of freedom of what test images add to the variance of a number of ``SCALES``.

    Args:
        name: Of the number.
        effective: ``REAL`` and ``SYNTHETIC``; one that is missing counts as infinite.
    """
    sides = {"r": effective.get(REAL, math.inf), "s": effective.get(SYNTHETIC, math.inf)}
    return min(sides[leg[3]] for leg in MADE_OF[name]) - 1


def sides_of(name: str) -> set[str]:
    """The real sides that a number of ``SCALES`` depends on; synthetic images come from the pool.

    >>> sorted(sides_of("tstr/auroc"))
    ['pool', 'real_test']
    """
    trains, tests = {"s": "pool", "r": "real_train"}, {"s": "pool", "r": "real_test"}
    return {side for leg in MADE_OF[name] for side in (trains[leg[1]], tests[leg[3]])}


def numbers_with_intervals(aurocs: Mapping[str, Value]) -> dict[str, Value]:
    """All of ``SCALES``, from macro AUROCs by evaluation."""
    numbers = {f"{leg}/auroc": aurocs[leg] for leg in LEGS} | gaps(aurocs)
    return {name: numbers[name] for name in SCALES}


def of_legs(intervals: Mapping[str, Interval]) -> dict[str, Interval]:
    """The same numbers of ``SCALES``; ratios and gaps as the intervals of their AUROCs allow.

    An AUROC that is 1 in every resample would add no variance to a ratio or gap, as if known.
    """
    made = {
        name: recovered(
            intervals[name],
            intervals[f"{legs[0]}/auroc"],
            intervals[f"{legs[1]}/auroc"],
            scale=SCALES[name],
        )
        for name, legs in MADE_OF.items()
        if len(legs) == 2
    }
    return {**intervals, **made}
