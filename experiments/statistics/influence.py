"""What each image adds to the error of an AUROC, in closed form: what simulations use for speed.

To a first order an AUROC is a mean over images, and each image's part in it, its influence, follows
from its placement among the images of the other side (DeLong, DeLong & Clarke-Pearson, Biometrics
1988). Influences add up inside a patient, whose images may be alike (Obuchowski, Biometrics 1997).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Doubles

Reals = NDArray[Any]


def auroc_influence(scores: Reals, labels: Bools) -> Doubles:
    """What each image adds to the error of an AUROC; the sum of squares is DeLong's variance.

    A positive's placement V is the share of the negatives below it, ties one half; a
    negative's that of the positives above it. Of n images on its own side, an image has the
    influence ``(V - AUROC) / sqrt(n (n - 1))``, so that two scores' sum of products is DeLong's
    covariance, and the sum over patients of squared sums is Obuchowski's variance but for his
    factors ``I / (I - 1)`` with I patients. O(N log N): placements are counted in the sorted
    other side.

    Args:
        scores: ``(N,)`` real, larger for the positive side.
        labels: ``(N,)`` bool.

    Returns:
        ``(N,)`` float64 that sums to 0; NaN unless there are two positives and two negatives.
    """
    influence = np.full(len(scores), np.nan)
    positives, negatives = scores[labels], scores[~labels]
    if min(len(positives), len(negatives)) < 2:
        return influence
    influence[labels] = _centred(_share_below(positives, negatives))
    influence[~labels] = _centred(1 - _share_below(negatives, positives))
    return influence


def macro_auroc_influence(scores: Reals, labels: Bools) -> Doubles:
    """``auroc_influence`` on the mean over labels, of ``(N, L)`` scores and labels."""
    per_label = [auroc_influence(s, t) for s, t in zip(scores.T, labels.T, strict=True)]
    return np.asarray(np.mean(per_label, axis=0))


def _share_below(images: Reals, others: Reals) -> Doubles:
    """For each image, which share of the others has a smaller score, ties one half."""
    ordered = np.sort(others)
    left = np.searchsorted(ordered, images, "left")
    return np.asarray((left + np.searchsorted(ordered, images, "right")) / (2 * len(others)))


def _centred(placements: Doubles) -> Doubles:
    n = len(placements)
    return np.asarray((placements - placements.mean()) / math.sqrt(n * (n - 1)))
