"""Which findings a classifier knows, and so which ones a synthetic set fails to teach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tgap.core import Bools, Doubles, ImageSet, Scores
from tgap.metrics.naming import metric_names
from tgap.metrics.tested import Resamples, TwoSides, difference, ends

FEWEST = 10
"""Images that a finding's AUROC needs. With fewer, its standard error at chance,
``1 / sqrt(12 n)``, is above .09: as large as what findings differ by."""


@dataclass(frozen=True)
class _Tested:
    """Images with findings, resampled.

    Args:
        images: Pixels are not looked at.
        resamples: Of them.
    """

    images: ImageSet
    resamples: Resamples

    def found(self, finding: int, legs: Sequence[Scores]) -> tuple[list[Doubles], float, int]:
        """``(1 + B,)`` AUROCs of a finding by each of some scores, the patients behind them, and
        how many images have it.
        """
        label, positives = _carriers(self.images, finding)
        rows, count = positives | ~self.images.labels[:, label], int(positives.sum())
        part = self.resamples.part(rows, positives[:, None])
        if count < FEWEST:
            return [np.full(1 + len(part.weights), np.nan) for _ in legs], 0.0, count
        aurocs = [part.aurocs(leg.scores[rows, label, None])[:, 0] for leg in legs]
        return aurocs, part.effective, count


def finding_metrics(
    legs: Mapping[str, Scores], real: ImageSet, synthetic: ImageSet, synthetic_key: str
) -> dict[str, float]:
    """AUROC of each finding in TSTR and TRTR, and what of it is lost.

    A finding's images are told from the images of other labels by the score of their label, which
    is the one that most of its images carry. Images of that label without the finding play no
    part: the question is whether a classifier that was trained on labels alone sees the label in
    *these* images.

    Args:
        legs: Scores of ``tstr``, ``trtr`` and ``trts``.
        real: The real test set, rows as those of the first two; pixels are not looked at.
        synthetic: The synthetic test part, rows as those of the last.
        synthetic_key: Names the synthetic set.

    Returns:
        ``tstr/finding_auroc_{finding}``, ``trtr/finding_auroc_{finding}`` and
        ``t_gap/utility_lost_finding_{finding}``, all with ``.../lo`` and ``.../hi``, and
        ``images/finding_{finding}``: how many test images have the finding and its label, and so
        stand behind these, which are NaN below ``FEWEST``. Where synthetic images were asked to
        show findings, of these also ``trts/finding_auroc_{finding}``, ``fter_finding_{finding}``
        and ``t_gap_finding_{finding}``. Nothing where no findings are known, or where they are the
        labels themselves.
    """
    if not real.finding_names or real.finding_names == real.label_names:
        return {}
    metrics: dict[str, float] = {}
    tested = _Tested(real, Resamples.of(real))
    drawn = _Tested(synthetic, Resamples.of(synthetic, key=synthetic_key))
    for i, name in enumerate(metric_names(real.finding_names)):
        (tstr, trtr), patients, count = tested.found(i, [legs["tstr"], legs["trtr"]])
        metrics[f"images/finding_{name}"] = float(count)
        for leg, values in (("tstr", tstr), ("trtr", trtr)):
            metrics |= ends(values, patients).named(f"{leg}/finding_auroc_{name}")
        lost = difference(trtr, tstr, patients)
        metrics |= lost.named(f"t_gap/utility_lost_finding_{name}")
        if real.finding_names[i] in synthetic.finding_names:
            at = synthetic.finding_names.index(real.finding_names[i])
            (trts,), others, _ = drawn.found(at, [legs["trts"]])
            of = TwoSides.of(tstr, patients, trts, others)
            metrics |= of.trts.named(f"trts/finding_auroc_{name}")
            metrics |= of.fter.named(f"fter_finding_{name}")
            metrics |= of.gap.named(f"t_gap_finding_{name}")
    return metrics


def _carriers(real: ImageSet, finding: int) -> tuple[int, Bools]:
    """A finding's label, and ``(N,)``: the images that have both."""
    has = real.findings[:, finding]
    if not has.any():
        return 0, has
    label = int(real.labels[has].sum(axis=0).argmax())
    return label, has & real.labels[:, label]
