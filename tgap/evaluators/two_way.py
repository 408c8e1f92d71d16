"""The two-way evaluation: how well each of the four tells the labels apart, and the gap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import ContractError, Doubles, ImageSet, Indices, Scores, option, rng_for
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.classification import auroc_per_label, best_thresholds, right_at
from tgap.metrics.findings import finding_metrics
from tgap.metrics.gap import fter_is_meaningful, gaps
from tgap.metrics.intervals import interval
from tgap.metrics.legs import (
    LABELS_REAL,
    LABELS_SYNTHETIC,
    LEGS,
    REAL,
    SCALES,
    SYNTHETIC,
    external_patients,
    image_freedom,
    leg_metrics,
    numbers_with_intervals,
    of_legs,
    resampled_legs,
)
from tgap.metrics.naming import metric_names
from tgap.metrics.resampling import effective_images, resampled_auroc_per_label
from tgap.metrics.tested import ends

ENDS = ("lo", "hi")


@dataclass(kw_only=True)
class TwoWay(Evaluator):
    """FTER and T-Gap, with the AUROCs that they are made of.

    For each evaluation (``tstr``, ``trts``, ``trtr``, ``tsts``) the numbers of ``leg_metrics``:
    AUROC, average precision, accuracies, F1 and calibration error. Further ones
    (``external/{name}/tstr``) have the same. From the macro AUROCs:

    - ``fter`` = TSTR / TRTS, ``fter/chance_corrected`` = (2 TSTR - 1) / (2 TRTS - 1),
      ``fter/meaningful`` = 1 if both AUROCs are told from chance (``fter_is_meaningful``), else 0
    - ``utility_ratio`` = TSTR / TRTR
    - ``t_gap`` = TRTS - TSTR = ``t_gap/easier_than_reality`` (TRTS - TRTR) +
      ``t_gap/utility_lost`` (TRTR - TSTR)

    and ``fter_{label}``, ``utility_ratio_{label}``, ``t_gap_{label}``, ... of each label's AUROC.

    Intervals (``fter/lo``, ``fter/hi``, and so on for each AUROC, the ratios, the gap and its
    parts, of each label, finding and external set too) are at 95 % and speak of this run's trained
    models: only the test images are resampled, real ones by patient. What seeds add is known to a
    sweep only, which is given what was resampled. ``external/{name}/effective`` is how many
    patients of that set say as much. ``tstr/right_at_synthetic_threshold`` is the mean
    of sensitivity and specificity on real images at the thresholds that are best on the synthetic
    test part, ``tstr/right_at_best_threshold`` at those that are best on real_test itself.

    Where findings are known, ``tstr/finding_auroc_{finding}`` and ``trtr/...`` say which the
    classifiers know, and ``t_gap/utility_lost_finding_{finding}`` which the synthetic set fails to
    teach. ``images/finding_{finding}`` are the images behind these, ``images/effective_...`` how
    many patients with equally many images would say as much, ``images/labels_each_...`` the mean
    number of labels of an image that trains. ``leaks/{side}`` is the share of test images whose
    patient stands in ``pool``, ``real_train`` or ``tuned_on`` too.

    The thesis (Zhang 2024) has TSTR, TRTS and FTER; all else is added. Each number says what it
    means in ``tgap.metrics``.

    Args:
        margin: How far above .5 the AUROC of TSTR and TRTS must be for FTER to mean anything.
        resamples: Bootstrap resamples.
    """

    shown: ClassVar[Sequence[str]] = (
        "tstr/auroc",
        "trts/auroc",
        "trtr/auroc",
        "tsts/auroc",
        "fter",
        "fter/lo",
        "fter/hi",
        "fter/meaningful",
        "t_gap",
        "t_gap/easier_than_reality",
        "t_gap/utility_lost",
        "tstr/accuracy",
        "external/*/tstr/auroc",
    )

    version: ClassVar[int] = 5

    margin: float = option(0.05, "AUROC above chance that makes FTER meaningful", low=0, high=0.5)
    resamples: int = option(2000, "bootstrap resamples of the test images", low=100, high=1_000_000)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        if not legs:
            return Evaluation({})
        _require_same_labels(legs)
        real, (drawn, synthetic) = evidence.real_test(pixels=False), evidence.synthetic()
        metrics = {
            f"{leg}/{name}": value
            for leg, scores in legs.items()
            for name, value in leg_metrics(scores).items()
        }
        aurocs = {leg: metrics[f"{leg}/auroc"] for leg in LEGS}
        per_label = {leg: auroc_per_label(legs[leg].scores, legs[leg].labels) for leg in LEGS}
        names = metric_names(real.label_names)
        metrics |= gaps(aurocs)
        metrics |= _by_thresholds(legs["tstr"], legs["tsts"])
        metrics |= _gaps_per_label(per_label, names)
        metrics |= finding_metrics(legs, real, synthetic, evidence.synthetic_key())
        metrics[LABELS_REAL] = _labels_each(evidence.real_train(pixels=False))
        metrics[LABELS_SYNTHETIC] = _labels_each(drawn)
        metrics[REAL] = effective_images(legs["tstr"].labels, real.patients)
        metrics[SYNTHETIC] = effective_images(legs["trts"].labels, synthetic.patients)
        metrics |= {f"leaks/{side}": share for side, share in evidence.leaks().items()}
        of_external, further = self._external(legs, evidence)
        metrics |= of_external
        clusters = {"r": real.patients, "s": synthetic.patients}
        resampled = self._resampled(legs, clusters, evidence.synthetic_key())
        patients = {"tstr": real.patients, "trts": synthetic.patients}
        effective = [
            {
                side: effective_images(legs[leg].labels[:, [label]], patients[leg])
                for side, leg in ((REAL, "tstr"), (SYNTHETIC, "trts"))
            }
            for label in range(len(names))
        ]
        metrics |= _intervals(per_label, resampled, [metrics, *effective], names)
        least = [metrics[f"{leg}/auroc/lo"] for leg in ("tstr", "trts")]
        meaningful = fter_is_meaningful(aurocs["tstr"], aurocs["trts"], self.margin, least)
        metrics["fter/meaningful"] = float(meaningful)
        macro = {leg: of_labels.mean(axis=1) for leg, of_labels in resampled.items()} | further
        columns = [macro[leg] for leg in resampled_legs(metrics)]
        return Evaluation(
            metrics,
            arrays={"resampled": np.stack(columns, axis=1)},
            tables={"parts": _parts(metrics, real)},
        )

    def _external(
        self, legs: Mapping[str, Scores], evidence: Evidence
    ) -> tuple[dict[str, float], dict[str, Doubles]]:
        """Of AUROCs on further test sets the ends, and ``(B,)`` resampled by their patients."""
        found, resampled = dict[str, float](), dict[str, Doubles]()
        for leg in (name for name in legs if name not in LEGS):
            test = legs[leg]
            name = leg.split("/")[1]
            patients = evidence.external(name).patients
            draws = resampled_auroc_per_label(
                test.scores, test.labels, patients, self.resamples, rng_for("resample", 0, name)
            )
            aurocs = np.vstack([auroc_per_label(test.scores, test.labels), draws])
            effective = effective_images(test.labels, patients)
            found |= ends(aurocs.mean(axis=1), effective).named(f"{leg}/auroc")
            for number, label in enumerate(metric_names(test.label_names)):
                own = effective_images(test.labels[:, [number]], patients)
                found |= ends(aurocs[:, number], own).named(f"{leg}/auroc_{label}")
            found[external_patients(leg)] = effective
            resampled[leg] = draws.mean(axis=1)
        return found, resampled

    def _resampled(
        self, legs: Mapping[str, Scores], clusters: Mapping[str, Indices], synthetic_key: str
    ) -> dict[str, Doubles]:
        """AUROCs of each evaluation by label, ``(resamples, L)``, on resampled test images.

        Resample b draws the same patients of a real test set in every run, whatever its seed and
        method, because what they have in common must not look like a difference between them; and
        the same images of a synthetic set in every run that has it.
        """
        resampled = {}
        for leg in LEGS:
            side, scores = leg[3], legs[leg]
            draw = rng_for("resample", 0) if side == "r" else rng_for("resample", 0, synthetic_key)
            resampled[leg] = resampled_auroc_per_label(
                scores.scores, scores.labels, clusters[side], self.resamples, draw
            )
        return resampled


def _parts(metrics: Mapping[str, float], real: ImageSet) -> list[dict[str, object]]:
    """A row for each label and finding, that of which most is lost first."""
    kinds = {"label": ("auroc_", "", real.label_names)}
    if real.finding_names != real.label_names:
        kinds["finding"] = ("finding_auroc_", "finding_", real.finding_names)
    rows: list[dict[str, object]] = []
    for kind, (auroc, suffix, names) in kinds.items():
        for plain, name in zip(metric_names(names), names, strict=True):
            columns = {leg: f"{leg}/{auroc}{plain}" for leg in ("tstr", "trts", "trtr")}
            columns |= {
                number.removeprefix("t_gap/"): f"{number}_{suffix}{plain}"
                for number in ("fter", "t_gap", "t_gap/utility_lost")
            }
            numbers = {
                f"{column}{end}": metrics[f"{of}{end}"]
                for column, of in columns.items()
                for end in ("", "/lo", "/hi")
                if of in metrics
            }
            rows.append({"kind": kind, "part": name, **numbers})
    return sorted(rows, key=_least_taught)


def _least_taught(row: Mapping[str, object]) -> float:
    lost = row["utility_lost"]
    return -lost if isinstance(lost, float) and lost == lost else np.inf


def _labels_each(data: ImageSet) -> float:
    return float(data.labels.sum(axis=1).mean())


def _require_same_labels(legs: Mapping[str, Scores]) -> None:
    first = legs[LEGS[0]].label_names
    for leg in LEGS:
        if legs[leg].label_names != first:
            raise ContractError(
                "all evaluations must have the same labels in the same order, got "
                f"{LEGS[0]}: {', '.join(first)}; {leg}: {', '.join(legs[leg].label_names)}"
            )


def _by_thresholds(tstr: Scores, tsts: Scores) -> dict[str, float]:
    """Of TSTR, by where its thresholds were chosen."""
    chosen_on = {"synthetic": tsts, "best": tstr}
    return {
        f"tstr/right_at_{name}_threshold": right_at(
            tstr.scores, tstr.labels, best_thresholds(leg.scores, leg.labels)
        )
        for name, leg in chosen_on.items()
    }


def _intervals(
    aurocs: Mapping[str, Doubles],
    resampled: Mapping[str, Doubles],
    effective: Sequence[Mapping[str, float]],
    names: Sequence[str],
) -> dict[str, float]:
    """Ends of the intervals: of macro means, and of each label's numbers.

    ``effective`` are the patients of all labels together, then of each.
    """
    macro = {leg: float(values.mean()) for leg, values in aurocs.items()}
    found = _ends(macro, {leg: r.mean(axis=1) for leg, r in resampled.items()}, effective[0], "")
    for label, name in enumerate(names):
        own = {leg: float(values[label]) for leg, values in aurocs.items()}
        draws = {leg: r[:, label] for leg, r in resampled.items()}
        found |= _ends(own, draws, effective[label + 1], f"_{name}")
    return found


def _ends(
    aurocs: Mapping[str, float],
    resampled: Mapping[str, Doubles],
    effective: Mapping[str, float],
    suffix: str,
) -> dict[str, float]:
    values, replicates = numbers_with_intervals(aurocs), numbers_with_intervals(resampled)
    intervals = of_legs(
        {
            name: interval(
                np.array([values[name]]),
                replicates[name][:, None],
                scale=scale,
                image_freedom=image_freedom(name, effective),
            )
            for name, scale in SCALES.items()
        }
    )
    return {
        f"{name}{suffix}/{end}": getattr(one, end)
        for name, one in intervals.items()
        for end in ENDS
    }


def _gaps_per_label(aurocs: Mapping[str, Doubles], names: Sequence[str]) -> dict[str, float]:
    return {
        f"{metric}_{label}": float(value)
        for metric, values in gaps(aurocs).items()
        for label, value in zip(names, values, strict=True)
    }
