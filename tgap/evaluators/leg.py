"""The numbers of one leg."""

import numpy as np

from tgap.evaluators.naming import metric_names
from tgap.metrics.classification import (
    accuracy,
    accuracy_per_label,
    auroc_per_label,
    average_precision_per_label,
    balanced_accuracy,
    calibration_error_per_label,
    f1_per_label,
)
from tgap.types import Scores


def leg_metrics(leg: Scores) -> dict[str, float]:
    """One leg's numbers by name, without the leg's own name.

    ``auroc``, ``average_precision``, ``f1`` and ``calibration_error`` are means over the labels,
    each with ``..._{label}`` beside it; ``accuracy`` (by the largest score), ``accuracy_{label}``
    (recall) and ``balanced_accuracy`` are NaN where labels do not exclude each other.
    """
    scores, labels = leg.scores, leg.labels
    per_label = {
        "auroc": auroc_per_label(scores, labels),
        "average_precision": average_precision_per_label(scores, labels),
        "f1": f1_per_label(scores, labels),
        "calibration_error": calibration_error_per_label(scores, labels),
    }
    metrics = {name: float(np.mean(values)) for name, values in per_label.items()}
    metrics["accuracy"] = accuracy(scores, labels)
    metrics["balanced_accuracy"] = balanced_accuracy(scores, labels)
    per_label["accuracy"] = accuracy_per_label(scores, labels)
    for name, values in per_label.items():
        for label, value in zip(metric_names(leg.label_names), values, strict=True):
            metrics[f"{name}_{label}"] = float(value)
    return metrics
