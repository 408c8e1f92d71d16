"""Standard errors of AUROCs in closed form, without resampling.

To a first order an AUROC is a mean over images, and each image's part in it, its influence, follows
from its placement among the images of the other side (DeLong, DeLong & Clarke-Pearson, Biometrics
1988). Influences add up inside a patient, so patients' images may be alike (Obuchowski, Biometrics
1997). It is the cross-check of the bootstrap (``tgap.metrics.resampling``), and cheap.
"""

import math
from dataclasses import dataclass

import numpy as np

from tgap.core.errors import ContractError
from tgap.core.types import Bools, Indices
from tgap.metrics.classification import Doubles, Reals, auroc, check_scores, macro_auroc
from tgap.metrics.intervals import ROUNDING, Interval, interval_of_covariance
from tgap.metrics.resampling import effective_clusters, effective_images


@dataclass(frozen=True)
class DeLong:
    """A paired comparison of two AUROCs on the same images.

    Args:
        auroc_a: AUROC of the first scores.
        auroc_b: AUROC of the second.
        standard_error: Of ``auroc_a - auroc_b``.
        z: The difference over its standard error.
        p_value: Two-sided, by the normal distribution; where patients are told apart, by Student's
            t with ``effective_clusters - 1`` degrees of freedom.
    """

    auroc_a: float
    auroc_b: float
    standard_error: float
    z: float
    p_value: float


def auroc_influence(scores: Reals, labels: Bools) -> Doubles:
    """What each image adds to the error of an AUROC; the sum of squares is DeLong's variance.

    A positive's placement V is the share of the negatives below it, ties one half; a
    negative's that of the positives above it. Of n images on its own side, an image has the
    influence ``(V - AUROC) / sqrt(n (n - 1))``, so that two scores' sum of products is DeLong's
    covariance, and the sum over patients of squared sums is Obuchowski's variance but for his
    factors ``I / (I - 1)`` with I patients. O(N log N): placements are counted in the sorted
    other side, which gives what Sun & Xu (IEEE Signal Processing Letters 2014) get of mid-ranks.

    Args:
        scores: ``(N,)`` real, larger for the positive side.
        labels: ``(N,)`` bool.

    Returns:
        ``(N,)`` float64 that sums to 0; NaN unless there are two positives and two negatives.

    Raises:
        ContractError: If shapes or dtypes disagree, or a score is NaN.
    """
    check_scores(scores, labels, "(N,)")
    influence = np.full(len(scores), np.nan)
    positives, negatives = scores[labels], scores[~labels]
    if min(len(positives), len(negatives)) < 2:
        return influence
    influence[labels] = _centred(_share_below(positives, negatives))
    influence[~labels] = _centred(1 - _share_below(negatives, positives))
    return influence


def macro_auroc_influence(scores: Reals, labels: Bools) -> Doubles:
    """``auroc_influence`` on the mean over labels.

    Args:
        scores: ``(N, L)`` real, one score per label.
        labels: ``(N, L)`` bool.

    Returns:
        ``(N,)`` float64; NaN if one label's is.

    Raises:
        ContractError: As ``auroc_influence``.
    """
    check_scores(scores, labels, "(N, L)")
    per_label = [auroc_influence(s, t) for s, t in zip(scores.T, labels.T, strict=True)]
    return np.asarray(np.mean(per_label, axis=0))


def delong_test(a: Reals, b: Reals, labels: Bools, clusters: Indices | None = None) -> DeLong:
    """Whether two scores of the same images have different AUROCs (DeLong et al. 1988).

    For one label and one pair of trained models: it knows nothing of seeds, and several labels'
    p-values are not corrected for their number.

    Args:
        a: ``(N,)`` real, larger for the positive side.
        b: ``(N,)`` real, the other scores of the same images.
        labels: ``(N,)`` bool.
        clusters: ``(N,)`` int64, the patient of each image; each its own if not given.

    Returns:
        The test. Scores in the same order have p = 1. NaN for standard error, z and p unless there
        are two positives and two negatives; NaN for z and p where AUROCs differ with a variance of
        0 (one separates perfectly, the other is constant), which the test cannot judge; NaN for p
        if there is one patient only.

    Raises:
        ContractError: If shapes or dtypes disagree, or a score is NaN.

    >>> labels = np.arange(20) % 2 == 0
    >>> noise = np.random.default_rng(0).normal(size=(2, 20))
    >>> found = delong_test(noise[0] + 2 * labels, noise[1] + labels, labels)
    >>> f"{found.auroc_a:.2f} {found.auroc_b:.2f} p = {found.p_value:.2f}"
    '0.90 0.70 p = 0.19'
    """
    from scipy.stats import t

    auroc_a, auroc_b = auroc(a, labels), auroc(b, labels)
    influence = auroc_influence(a, labels) - auroc_influence(b, labels)
    error = math.sqrt(_variance(influence, clusters))
    z = (auroc_a - auroc_b) / error if error > ROUNDING else math.nan
    if error <= ROUNDING and abs(auroc_a - auroc_b) <= ROUNDING:
        z = 0.0
    freedom = math.inf if clusters is None else effective_clusters(clusters) - 1
    return DeLong(auroc_a, auroc_b, error, z, float(2 * t.sf(abs(z), freedom)))


def delta_interval_of_fter(
    tstr: tuple[Reals, Bools],
    trts: tuple[Reals, Bools],
    patients: Indices,
    synthetic_patients: Indices | None = None,
    level: float = 0.95,
) -> Interval:
    """Interval of one run's FTER over test images, by the delta method.

    ``var(FTER) = FTER^2 (var(TSTR) / TSTR^2 + var(TRTS) / TRTS^2)``, symmetric in log FTER; the
    legs have no test image in common. The t quantile is for so many patients as
    the rarest side of a label has. It says nothing of
    other seeds (``n_seeds`` is 1).

    Args:
        tstr: Scores ``(N, L)`` and labels ``(N, L)`` bool of real images; AUROCs are macro means.
        trts: Scores ``(M, L)`` and labels ``(M, L)`` of synthetic images.
        patients: ``(N,)`` int64, of the real images.
        synthetic_patients: ``(M,)`` int64, which synthetic images go together; each its own if not
            given.
        level: Chance that the interval holds the truth.

    Returns:
        As ``interval`` gives it, NaN where that is.

    Raises:
        ContractError: If shapes or dtypes disagree, or a score is NaN.
    """
    a, b = macro_auroc(*tstr), macro_auroc(*trts)
    ratio = a / b if b > 0 else math.nan
    var_a = _variance(macro_auroc_influence(*tstr), patients)
    var_b = _variance(macro_auroc_influence(*trts), synthetic_patients)
    known = b > 0 and min(var_a, var_b) > ROUNDING**2  # a leg without variance is not a known one
    variance = (var_a + ratio**2 * var_b) / b**2 if known else math.nan
    if synthetic_patients is None:
        synthetic_patients = np.arange(len(trts[1]), dtype=np.int64)
    of_legs = ((tstr[1], patients), (trts[1], synthetic_patients))
    freedom = min(effective_images(*its) for its in of_legs) - 1
    return interval_of_covariance(np.array([ratio]), np.array([[variance]]), level, "log", freedom)


def _share_below(images: Reals, others: Reals) -> Doubles:
    """For each image, which share of the others has a smaller score, ties one half."""
    ordered = np.sort(others)
    left = np.searchsorted(ordered, images, "left")
    return np.asarray((left + np.searchsorted(ordered, images, "right")) / (2 * len(others)))


def _centred(placements: Doubles) -> Doubles:
    n = len(placements)
    return np.asarray((placements - placements.mean()) / math.sqrt(n * (n - 1)))


def _variance(influence: Doubles, clusters: Indices | None) -> float:
    """Sum over clusters of the squared sum of their images' influence."""
    if clusters is not None:
        if len(clusters) != len(influence):
            raise ContractError(f"clusters must be ({len(influence)},), got {clusters.shape}")
        _, cluster = np.unique(clusters, return_inverse=True)
        influence = np.asarray(np.bincount(cluster, weights=influence), np.float64)
    return float((influence**2).sum())
