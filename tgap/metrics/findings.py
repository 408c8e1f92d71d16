"""Which findings a classifier knows, and so which ones a synthetic set fails to teach."""

from collections.abc import Mapping

import numpy as np

from tgap.core import Bools, Doubles, ImageSet, Scores
from tgap.metrics.classification import auroc
from tgap.metrics.naming import metric_names

FEWEST = 10
"""Images that a finding's AUROC needs. With fewer, its standard error at chance,
``1 / sqrt(12 n)``, is above .09: as large as what findings differ by."""


def finding_metrics(legs: Mapping[str, Scores], real: ImageSet) -> dict[str, float]:
    """AUROC of each finding in TSTR and TRTR, and what of it is lost.

    Args:
        legs: Scores of ``tstr`` and ``trtr``, rows as ``real``'s.
        real: The real test set.

    Returns:
        ``tstr/finding_auroc_{finding}``, ``trtr/finding_auroc_{finding}`` and
        ``t_gap/utility_lost_finding_{finding}``, and ``images/finding_{finding}``: how many test
        images have the finding and its label, and so stand behind these, which are NaN below
        ``FEWEST``. Nothing where no findings are known, or where they are the labels themselves.
    """
    if real.finding_names == real.label_names:
        return {}
    aurocs = {leg: finding_aurocs(legs[leg], real) for leg in ("tstr", "trtr")}
    metrics: dict[str, float] = {}
    for i, name in enumerate(metric_names(real.finding_names)):
        for leg, values in aurocs.items():
            metrics[f"{leg}/finding_auroc_{name}"] = float(values[i])
        lost = float(aurocs["trtr"][i] - aurocs["tstr"][i])
        metrics[f"t_gap/utility_lost_finding_{name}"] = lost
        metrics[f"images/finding_{name}"] = float(_carriers(real, i)[1].sum())
    return metrics


def finding_aurocs(leg: Scores, real: ImageSet) -> Doubles:
    """AUROC of each finding's images against the images of other labels, by their label's score.

    A finding's label is the one that most of its images carry. Images of that label without the
    finding play no part: the question is whether a classifier that was trained on labels alone
    sees the label in *these* images.

    Args:
        leg: Scores of the real test set.
        real: Its labels and findings.

    Returns:
        ``(F,)`` float64; NaN for a finding that fewer than ``FEWEST`` images have.
    """
    aurocs = np.full(len(real.finding_names), np.nan)
    for i in range(len(aurocs)):
        label, positives = _carriers(real, i)
        rows = positives | ~real.labels[:, label]
        if positives.sum() >= FEWEST:
            aurocs[i] = auroc(leg.scores[rows, label], positives[rows])
    return aurocs


def _carriers(real: ImageSet, finding: int) -> tuple[int, Bools]:
    """A finding's label, and ``(N,)``: the images that have both."""
    has = real.findings[:, finding]
    label = int(real.labels[has].sum(axis=0).argmax())
    return label, has & real.labels[:, label]
