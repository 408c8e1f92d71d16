"""The two-way evaluation: how well each leg tells the labels apart, and the gap between them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tgap.component import option
from tgap.errors import ContractError
from tgap.evaluators.base import LEGS, Evaluation, Evaluator, Evidence
from tgap.evaluators.findings import finding_metrics
from tgap.evaluators.leg import leg_metrics
from tgap.evaluators.naming import metric_names
from tgap.metrics.classification import Doubles, auroc_per_label
from tgap.metrics.delong import delong_test, delta_interval_of_fter
from tgap.metrics.gap import Value, fter_is_meaningful, gaps
from tgap.metrics.intervals import Scale, interval
from tgap.metrics.resampling import effective_clusters, resampled_macro_auroc
from tgap.seeding import rng_for
from tgap.types import Bools, Indices, Scores

SCALES: dict[str, Scale] = {
    **{f"{leg}/auroc": "logit" for leg in LEGS},
    "fter": "log",
    "utility_ratio": "log",
    "t_gap": "identity",
    "t_gap/easier_than_reality": "identity",
    "t_gap/utility_lost": "identity",
}
"""Metrics that have an interval, and the scale on which it is symmetric."""
REAL, SYNTHETIC = "images/effective_real_test", "images/effective_synthetic_test"
"""How many patients with equally many images would say as much, of the label, or of the images
without it, that has fewest."""


@dataclass(kw_only=True)
class TwoWay(Evaluator):
    """FTER and T-Gap, with the legs that they are made of.

    For each leg (``tstr``, ``trts``, ``trtr``, ``tsts``) the numbers of ``leg_metrics``: AUROC,
    average precision, accuracies, F1 and calibration error. Further legs
    (``external/{name}/tstr``) have the same. From the macro AUROCs:

    - ``fter`` = TSTR / TRTS, ``fter/chance_corrected`` = (2 TSTR - 1) / (2 TRTS - 1),
      ``fter/meaningful`` = 1 if both legs are more than ``margin`` above chance, else 0
    - ``utility_ratio`` = TSTR / TRTR
    - ``t_gap`` = TRTS - TSTR = ``t_gap/easier_than_reality`` (TRTS - TRTR) +
      ``t_gap/utility_lost`` (TRTR - TSTR)

    and ``fter_{label}``, ``utility_ratio_{label}``, ``t_gap_{label}``, ... of each label's AUROC.

    Intervals (``fter/lo``, ``fter/hi``, and so on for the legs' AUROC, the ratios, the gap and its
    parts) are at 95 % and speak of this run's trained models: only the test images are resampled,
    real ones by patient. What seeds add is known to a sweep only, which is given what was
    resampled. ``fter/delta_lo`` and ``fter/delta_hi`` are a cross-check in closed form.
    ``tstr/delong_p_{label}`` tests TSTR against TRTR on the same images (DeLong et al. 1988).
    Where findings are known, ``tstr/finding_auroc_{finding}`` and ``trtr/...`` say which the
    classifiers know, and ``t_gap/utility_lost_finding_{finding}`` which the synthetic set fails to
    teach.

    The thesis (Zhang 2024) has TSTR, TRTS and FTER; all else is added. Each number says what it
    means in ``tgap.metrics``.

    Args:
        margin: How far above .5 the AUROC of TSTR and TRTS must be for FTER to mean anything.
        resamples: Bootstrap resamples.
    """

    margin: float = option(0.05, "AUROC above chance that makes FTER meaningful", low=0, high=0.5)
    resamples: int = option(2000, "bootstrap resamples of the test images", low=100)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        if not legs:
            return Evaluation({})
        _require_same_labels(legs)
        real = evidence.real_test(pixels=False)
        metrics: dict[str, float] = {}
        for leg, scores in legs.items():
            metrics |= {f"{leg}/{name}": value for name, value in leg_metrics(scores).items()}
        aurocs = {leg: metrics[f"{leg}/auroc"] for leg in LEGS}
        metrics |= gaps(aurocs)
        metrics["fter/meaningful"] = float(
            fter_is_meaningful(aurocs["tstr"], aurocs["trts"], self.margin)
        )
        metrics |= _gaps_per_label(legs)
        metrics |= _delong(legs, real.patients)
        metrics |= finding_metrics(legs, real)
        resampled = self._resampled(legs, real.patients, evidence.synthetic_key())
        metrics[REAL] = effective_images(legs["tstr"].labels, real.patients)
        metrics[SYNTHETIC] = effective_images(legs["trts"].labels)
        metrics |= _intervals(aurocs, resampled, metrics)
        closed = delta_interval_of_fter(
            (legs["tstr"].scores, legs["tstr"].labels),
            (legs["trts"].scores, legs["trts"].labels),
            real.patients,
        )
        metrics |= {"fter/delta_lo": closed.lo, "fter/delta_hi": closed.hi}
        return Evaluation(metrics, arrays={"resampled": resampled})

    def _resampled(
        self, legs: Mapping[str, Scores], patients: Indices, synthetic_key: str
    ) -> Doubles:
        """``(resamples, 4)``: macro AUROCs of ``LEGS`` on resampled test images.

        Resample b draws the same patients of a real test set in every run, whatever its seed and
        method, because what they have in common must not look like a difference between them; and
        the same images of a synthetic set in every run that has it.
        """
        columns = []
        for leg in LEGS:
            scores = legs[leg]
            if leg.endswith("r"):
                draw, clusters = rng_for("resample", 0), patients
            else:
                draw = rng_for("resample", 0, synthetic_key)
                clusters = np.arange(len(scores.labels), dtype=np.int64)
            columns.append(
                resampled_macro_auroc(scores.scores, scores.labels, clusters, self.resamples, draw)
            )
        return np.stack(columns, axis=1)


def _require_same_labels(legs: Mapping[str, Scores]) -> None:
    first = legs[LEGS[0]].label_names
    for leg in LEGS:
        if legs[leg].label_names != first:
            raise ContractError(
                "all legs must have the same labels in the same order, got "
                f"{LEGS[0]}: {', '.join(first)}; {leg}: {', '.join(legs[leg].label_names)}"
            )


def effective_images(labels: Bools, patients: Indices | None = None) -> float:
    """``effective_clusters`` of the images with, or without, a label: of those that have fewest.

    Args:
        labels: ``(N, L)`` bool.
        patients: ``(N,)`` int64; each image its own if not given.
    """
    clusters = np.arange(len(labels), dtype=np.int64) if patients is None else patients
    sides = [side for column in labels.T for side in (column, ~column)]
    return min(effective_clusters(clusters[side]) if side.any() else 0.0 for side in sides)


def image_freedom(name: str, effective: Mapping[str, float]) -> float:
    """Degrees of freedom of what test images add to a number's variance.

    Args:
        name: Of ``SCALES``.
        effective: ``REAL`` and ``SYNTHETIC``; one that is missing counts as infinite.
    """
    real, synthetic = (effective.get(side, math.inf) for side in (REAL, SYNTHETIC))
    if name.startswith(("trts", "tsts")):
        return synthetic - 1
    if name.startswith(("tstr", "trtr", "utility_ratio", "t_gap/utility_lost")):
        return real - 1
    return min(real, synthetic) - 1


def numbers_with_intervals(aurocs: Mapping[str, Value]) -> dict[str, Value]:
    """All of ``SCALES``, from macro AUROCs by leg."""
    found = {f"{leg}/auroc": aurocs[leg] for leg in LEGS} | gaps(aurocs)
    return {name: found[name] for name in SCALES}


def _intervals(
    aurocs: Mapping[str, float], resampled: Doubles, effective: Mapping[str, float]
) -> dict[str, float]:
    values = numbers_with_intervals(aurocs)
    replicates = numbers_with_intervals(dict(zip(LEGS, resampled.T, strict=True)))
    metrics: dict[str, float] = {}
    for name, scale in SCALES.items():
        found = interval(
            np.array([values[name]]),
            replicates[name][:, None],
            scale=scale,
            image_freedom=image_freedom(name, effective),
        )
        metrics |= {f"{name}/lo": found.lo, f"{name}/hi": found.hi}
    return metrics


def _gaps_per_label(legs: Mapping[str, Scores]) -> dict[str, float]:
    aurocs = {leg: auroc_per_label(legs[leg].scores, legs[leg].labels) for leg in LEGS}
    names = metric_names(legs[LEGS[0]].label_names)
    return {
        f"{metric}_{label}": float(value)
        for metric, values in gaps(aurocs).items()
        for label, value in zip(names, values, strict=True)
    }


def _delong(legs: Mapping[str, Scores], patients: Indices) -> dict[str, float]:
    """Whether TSTR differs from TRTR beyond chance, on the same images, by label."""
    ours, theirs = legs["tstr"], legs["trtr"]
    return {
        f"tstr/delong_p_{name}": delong_test(
            ours.scores[:, label], theirs.scores[:, label], ours.labels[:, label], patients
        ).p_value
        for label, name in enumerate(metric_names(ours.label_names))
    }
