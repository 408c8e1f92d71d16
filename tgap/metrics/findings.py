"""Which findings a classifier knows, and so which ones a synthetic set fails to teach."""

from collections.abc import Mapping

import numpy as np

from tgap.core import Bools, ImageSet, Scores
from tgap.metrics.naming import metric_names
from tgap.metrics.tested import Resamples, difference, ends

FEWEST = 10
"""Images that a finding's AUROC needs. With fewer, its standard error at chance,
``1 / sqrt(12 n)``, is above .09: as large as what findings differ by."""


def finding_metrics(
    legs: Mapping[str, Scores], real: ImageSet, tested: Resamples
) -> dict[str, float]:
    """AUROC of each finding in TSTR and TRTR, and what of it is lost.

    A finding's images are told from the images of other labels by the score of their label, which
    is the one that most of its images carry. Images of that label without the finding play no
    part: the question is whether a classifier that was trained on labels alone sees the label in
    *these* images.

    Args:
        legs: Scores of ``tstr`` and ``trtr``, rows as ``real``'s.
        real: The real test set.
        tested: It, resampled.

    Returns:
        ``tstr/finding_auroc_{finding}``, ``trtr/finding_auroc_{finding}`` and
        ``t_gap/utility_lost_finding_{finding}``, all with ``.../lo`` and ``.../hi``, and
        ``images/finding_{finding}``: how many test images have the finding and its label, and so
        stand behind these, which are NaN below ``FEWEST``. Nothing where no findings are known, or
        where they are the labels themselves.
    """
    if real.finding_names == real.label_names:
        return {}
    metrics: dict[str, float] = {}
    for i, name in enumerate(metric_names(real.finding_names)):
        label, positives = _carriers(real, i)
        metrics[f"images/finding_{name}"] = float(positives.sum())
        rows = positives | ~real.labels[:, label]
        tstr = trtr = np.full(1 + len(tested.weights), np.nan)
        part = tested.part(rows, positives[:, None])
        if positives.sum() >= FEWEST:
            tstr, trtr = (
                part.aurocs(legs[leg].scores[rows, label, None])[:, 0] for leg in ("tstr", "trtr")
            )
        for leg, values in (("tstr", tstr), ("trtr", trtr)):
            metrics |= ends(values, part.effective).named(f"{leg}/finding_auroc_{name}")
        lost = difference(trtr, tstr, part.effective)
        metrics |= lost.named(f"t_gap/utility_lost_finding_{name}")
    return metrics


def _carriers(real: ImageSet, finding: int) -> tuple[int, Bools]:
    """A finding's label, and ``(N,)``: the images that have both."""
    has = real.findings[:, finding]
    label = int(real.labels[has].sum(axis=0).argmax())
    return label, has & real.labels[:, label]
