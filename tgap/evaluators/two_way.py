"""The two-way evaluation: how well each leg tells the labels apart, and the gap between them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgap.component import option
from tgap.errors import ContractError
from tgap.evaluators.base import LEGS, Evaluator
from tgap.metrics.classification import (
    accuracy,
    accuracy_per_label,
    auroc_per_label,
    balanced_accuracy,
    macro_auroc,
)
from tgap.metrics.gap import (
    chance_corrected_fter,
    easier_than_real,
    fter,
    fter_is_meaningful,
    t_gap,
    utility_lost,
)
from tgap.types import Scores


@dataclass(kw_only=True)
class TwoWay(Evaluator):
    """FTER and T-Gap, with the legs that they are made of.

    For each leg (``tstr``, ``trts``, ``trtr``, ``tsts``): ``{leg}/auroc`` (macro),
    ``{leg}/auroc_{label}``, ``{leg}/accuracy`` (by the largest score), ``{leg}/accuracy_{label}``
    (recall), ``{leg}/balanced_accuracy``; accuracies are NaN where labels do not exclude each
    other. Further legs (``external/{name}/tstr``) have the same numbers. From the macro AUROCs:

    - ``fter`` = TSTR / TRTS, ``fter_chance_corrected`` = (2 TSTR - 1) / (2 TRTS - 1),
      ``fter_meaningful`` = 1 if both legs are more than ``margin`` above chance, else 0
    - ``t_gap`` = TRTS - TSTR = ``t_gap_easier`` (TRTS - TRTR) + ``t_gap_utility_lost``
      (TRTR - TSTR)

    The thesis (Zhang 2024) has TSTR, TRTS and FTER; TRTR, TSTS, T-Gap and the correction for
    chance are added. Each number says what it means in ``tgap.metrics``.

    Args:
        margin: How far above .5 the AUROC of TSTR and TRTS must be for FTER to mean anything.
    """

    margin: float = option(0.05, "AUROC above chance that makes FTER meaningful", low=0, high=0.5)

    def _evaluate(self, legs: Mapping[str, Scores]) -> dict[str, float]:
        label_names = legs[LEGS[0]].label_names
        metrics: dict[str, float] = {}
        for leg in legs:
            if leg in LEGS and legs[leg].label_names != label_names:
                raise ContractError(
                    "all legs must have the same labels in the same order, got "
                    f"{LEGS[0]}: {', '.join(label_names)}; "
                    f"{leg}: {', '.join(legs[leg].label_names)}"
                )
            numbers = leg_metrics(legs[leg])
            metrics |= {f"{leg}/{name}": value for name, value in numbers.items()}
        tstr, trts, trtr = (metrics[f"{leg}/auroc"] for leg in ("tstr", "trts", "trtr"))
        return metrics | {
            "fter": fter(tstr, trts),
            "fter_chance_corrected": chance_corrected_fter(tstr, trts),
            "fter_meaningful": float(fter_is_meaningful(tstr, trts, self.margin)),
            "t_gap": t_gap(tstr, trts),
            "t_gap_easier": easier_than_real(trts, trtr),
            "t_gap_utility_lost": utility_lost(trtr, tstr),
        }


def leg_metrics(leg: Scores) -> dict[str, float]:
    """One leg's numbers by name, without the leg's own name."""
    metrics = {
        "auroc": macro_auroc(leg.scores, leg.labels),
        "accuracy": accuracy(leg.scores, leg.labels),
        "balanced_accuracy": balanced_accuracy(leg.scores, leg.labels),
    }
    aurocs = auroc_per_label(leg.scores, leg.labels)
    recalls = accuracy_per_label(leg.scores, leg.labels)
    for label, name in enumerate(metric_names(leg.label_names)):
        metrics[f"auroc_{name}"] = float(aurocs[label])
        metrics[f"accuracy_{name}"] = float(recalls[label])
    return metrics


def metric_names(label_names: Sequence[str]) -> list[str]:
    """Label names as parts of MLflow metric names, all different.

    MLflow takes letters, digits, ``_``, ``-``, ``.`` and spaces; ``/`` would open a folder. Any
    other character becomes ``_``; a name that is taken by then gets its position appended.

    >>> metric_names(["No Finding", "mass/nodule", "mass:nodule"])
    ['No Finding', 'mass_nodule', 'mass_nodule_2']
    """
    names: list[str] = []
    for position, label in enumerate(label_names):
        name = re.sub(r"[^\w.\- ]", "_", label)
        while name in names:
            name = f"{name}_{position}"
        names.append(name)
    return names
