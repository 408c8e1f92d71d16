"""Intervals of a mean over seeds, from seeds and resampled test images together.

A t interval over seeds, with the test images' part of the variance from a bootstrap of patients.
Seeds are not resampled: drawing few with replacement understates their spread (a percentile
bootstrap over five seeds covers .85 where .95 is claimed).

Seed s has ``y_s = mu + a_s + c + e_s``: what the seed adds, what the test images add to all
seeds alike, and what they add to this one. The variance of ``y`` over seeds, ``s2``, holds a
and e; ``var(c)`` is the mean over pairs of seeds of their replicates' covariance, not below 0
(the variance of the replicates' mean over seeds, less the part of e in it)::

    variance of the mean = s2 / S + var(c)

The degrees of freedom of the t quantile are the harmonic mean of ``S - 1`` and of the images'
own, weighted by their shares of the variance::

    freedom = variance / (s2 / S / (S - 1) + var(c) / image_freedom)

Satterthwaite squares these shares; with three seeds and a share of .9 his interval of 95 %
covers .92, this one .94, and .96 or less at any share (experiments/statistics). With two seeds
this one covers .91 to .93 where seeds make most of the variance. The ends are symmetric on the
scale, where the standard error goes by the delta method.

With one seed the variance is var(Y), and the degrees of freedom are the images'.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tgap.core import ContractError, Doubles
from tgap.metrics.few_errors import few_errors, model_variance, score_ends, unseen_variance

Scale = Literal["identity", "logit", "log"]

UNDEFINED = 0.05
"""Largest share of resamples that may be undefined, e.g. for want of positives."""
ROUNDING = 1e-12
"""A standard error up to this is 0, but for rounding."""
LEAST_FREEDOM = 4
"""Fewer degrees of freedom of the images' part do not bear an interval: a variance estimated with
3, from 4 positives say, is anywhere from .07 to 3.1 times the true one (chi-squared, 95 %)."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the range in which it may lie.

    Args:
        estimate: Mean over seeds; NaN if one seed's value is.
        lo: Lower end; NaN, as ``hi``, where no interval is justified (see ``interval``).
        hi: Upper end.
        standard_error: Of the mean over seeds, on the identity scale.
        degrees_of_freedom: Of the t quantile; infinite where seeds add nothing.
        n_seeds: With one, the interval is of the test images only.
        unseen: Variance that the test images are too few to show; 0 where they show errors enough.
    """

    estimate: float
    lo: float
    hi: float
    standard_error: float
    degrees_of_freedom: float
    n_seeds: int
    unseen: float = 0.0

    def named(self, name: str) -> dict[str, float]:
        """The estimate by a metric's name, and the ends below it."""
        return {name: self.estimate, f"{name}/lo": self.lo, f"{name}/hi": self.hi}


def interval(
    values: Doubles,
    resampled: NDArray[np.floating],
    level: float = 0.95,
    scale: Scale = "identity",
    image_freedom: float = math.inf,
    patients: float | None = None,
    cautious: float = 0.0,
    least_freedom: float = LEAST_FREEDOM,
) -> Interval:
    """Interval of the mean over seeds, for new seeds and new test images, given the split.

    What another ``real_train`` or ``pool`` would have made of it is not in it: all seeds share
    these.

    With one seed the spread over seeds is unknown, and the interval is that of the trained model at
    hand, for new test images only. On the logit scale, which is for AUROCs, test images that show
    few errors have the one of ``tgap.metrics.few_errors``.

    Otherwise no interval, rather than one that is too short, is given where
      - a value is not finite, or more than 5 % of the resamples (rows) have an undefined value;
        up to that, such rows are left out;
      - the variance is 0: equal resamples show that the images are too few to see errors, not that
        there are none;
      - ``image_freedom`` is below ``least_freedom``: the patients, or the positives, are too few;
      - the estimate is at or beyond the end of the scale: 0 (log).

    Ratios and differences of AUROCs that show few errors: see ``recovered``.

    Args:
        values: ``(S,)`` float64, one per seed, from all test images.
        resampled: ``(B, S)``, B >= 2; replicate b draws the same patients in all seeds where they
            share a test set, and independently where each has its own.
        level: Chance that the interval holds the truth, between 0 and 1.
        scale: ``logit`` for what lies between 0 and 1 (AUROC), ``log`` for ratios, ``identity``
            for differences.
        image_freedom: Degrees of freedom of the images' part, ``effective_clusters(patients) - 1``
            (``tgap.metrics.resampling``); infinite will do for more than a hundred.
        patients: Effective number of the rarer side; ``image_freedom`` + 1 unless the columns'
            variance has other units than patients, such as folds.
        cautious: Take the variance over seeds to be no less than this share, 1 or less, of what
            the test images alone make of it. For differences, of which those are claimed that seem
            surest: among many, those of few seeds that happen to be alike.
        least_freedom: What the images' part must have; fewer will do where its rows are splits,
            whose numbers are means and nearly normal, see ``tgap.analysis.redrawn``.

    Raises:
        ContractError: If shapes disagree, or level or scale are not as above.

    >>> aurocs = np.array([0.80, 0.82, 0.84])
    >>> draws = np.random.default_rng(0).normal(aurocs, 0.01, (2000, 3))
    >>> found = interval(aurocs, draws, scale="logit")
    >>> f"{found.estimate:.3f} [{found.lo:.3f}, {found.hi:.3f}]"
    '0.820 [0.765, 0.864]'
    """
    if resampled.ndim != 2 or resampled.shape[1:] != values.shape or len(resampled) < 2:
        raise ContractError(
            f"resampled must be (B, {len(values)}) with B >= 2, a column for each value, "
            f"got {resampled.shape}"
        )
    defined = np.isfinite(resampled).all(axis=1)
    covariance = np.full((len(values), len(values)), np.nan)
    if defined.mean() >= 1 - UNDEFINED and defined.sum() >= 2:
        covariance = np.atleast_2d(np.cov(resampled[defined], rowvar=False, dtype=np.float64))
    return interval_of_covariance(
        values, covariance, level, scale, image_freedom, patients, cautious, least_freedom
    )


def interval_of_covariance(
    values: Doubles,
    covariance: Doubles,
    level: float = 0.95,
    scale: Scale = "identity",
    image_freedom: float = math.inf,
    patients: float | None = None,
    cautious: float = 0.0,
    least_freedom: float = LEAST_FREEDOM,
) -> Interval:
    """``interval``, where the covariance over test images is known otherwise than by resampling.

    Args:
        values: ``(S,)`` float64, one per seed.
        covariance: ``(S, S)`` float64, what the test images make of the values' covariance;
            NaN if it is not defined.
        level: Chance that the interval holds the truth.
        scale: As in ``interval``.
        image_freedom: As in ``interval``.
        patients: As in ``interval``.
        cautious: As in ``interval``.
        least_freedom: As in ``interval``.

    Raises:
        ContractError: As ``interval``.
    """
    seeds = len(values)
    if values.ndim != 1 or seeds == 0 or covariance.shape != (seeds, seeds):
        raise ContractError(
            "values must be (S,) with S >= 1 and their covariance (S, S), "
            f"got {values.shape} and {covariance.shape}"
        )
    if not 0 < level < 1:
        raise ContractError(f"level must be between 0 and 1, e.g. 0.95, got {level:g}")
    if scale not in get_args(Scale):
        raise ContractError(f"scale must be one of {', '.join(get_args(Scale))}, got {scale!r}")
    estimate = float(values.mean())
    of_seeds, of_images = _components(values, covariance)
    if cautious and seeds > 1:
        own = (float(np.trace(covariance)) / seeds - of_images) / seeds
        of_seeds = max(of_seeds, cautious * own)
    patients = image_freedom + 1 if patients is None else patients
    if scale == "logit" and few_errors(estimate, patients):
        return _of_few_errors(values, of_seeds, of_images, level, image_freedom, patients)
    variance = of_seeds + of_images
    error = math.sqrt(variance)
    if not (math.isfinite(estimate) and error > ROUNDING and image_freedom >= least_freedom):
        return Interval(estimate, math.nan, math.nan, math.nan, math.nan, seeds)
    per_freedom = of_seeds / max(1, seeds - 1) + of_images / image_freedom
    freedom = variance / per_freedom if per_freedom > 0 else math.inf
    lo, hi = ends_on_scale(estimate, t_quantile(level, freedom) * error, scale)
    return Interval(estimate, lo, hi, error, freedom, seeds)


def _of_few_errors(
    values: Doubles,
    of_seeds: float,
    of_images: float,
    level: float,
    freedom: float,
    patients: float,
) -> Interval:
    """Wilson's interval of a mean AUROC, see ``interval``."""
    estimate, seeds = float(values.mean()), len(values)
    model, unseen = model_variance(estimate, patients), unseen_variance(patients)
    if math.isnan(of_images) or of_seeds + of_images <= ROUNDING**2:
        of_images, freedom = model, math.inf
    variance = of_seeds + of_images
    per_freedom = of_seeds / max(1, seeds - 1) + of_images / freedom
    freedom = (variance + unseen) / per_freedom if per_freedom > 0 else math.inf
    excess = (variance + unseen) / (model + unseen)
    lo, hi = score_ends(estimate, patients, excess, t_quantile(level, freedom))
    return Interval(estimate, lo, hi, math.sqrt(variance), freedom, seeds, unseen)


def recovered(
    number: Interval, first: Interval, second: Interval, level: float = 0.95, scale: Scale = "log"
) -> Interval:
    """A difference or ratio of AUROCs, with the ends that theirs leave it.

    Where one of two AUROCs shows few errors, the variance of their difference lacks what it does
    not show. So the ends are recovered from those of the two (Zou & Donner, Statistics in Medicine
    2008; of logarithms for a ratio, Donner & Zou 2012), e.g. the lower one ::

        d - sqrt((a - a_lo)^2 + (b_hi - b)^2 - 2 r (a - a_lo) (b_hi - b))

    where the correlation r is what the three variances say, ``unseen`` counting as independent.

    Args:
        number: The difference or ratio.
        first: The minuend or numerator.
        second: The subtrahend or denominator.
        level: Of all three.
        scale: ``identity`` for a difference, ``log`` for a ratio.

    Returns:
        The number as it is where both show errors enough; without an interval where one of them
        has none. ``unseen`` is what the end nearer to no difference has beyond the standard error,
        so that differences of ratios and gaps are recovered in turn.
    """
    if math.isnan(first.lo) or math.isnan(second.lo):
        return replace(number, lo=math.nan, hi=math.nan)
    if not (first.unseen or second.unseen):
        return number
    if scale == "log" and not number.estimate > 0:
        return replace(number, lo=math.nan, hi=math.nan)
    at, slope, back = _SCALED[scale]
    r = _correlation(number, first, second, slope)
    d, a, b = (at(one.estimate) for one in (number, first, second))
    below = _joined(a - at(first.lo), at(second.hi) - b, r)
    above = _joined(at(first.hi) - a, b - at(second.lo), r)
    freedom = min(first.degrees_of_freedom, second.degrees_of_freedom)
    error = (below if d > 0 else above) / t_quantile(level, freedom) / slope(number.estimate)
    seen = 0.0 if math.isnan(number.standard_error) else number.standard_error
    return Interval(
        estimate=number.estimate,
        lo=back(d - below),
        hi=back(d + above),
        standard_error=seen,
        degrees_of_freedom=freedom,
        n_seeds=number.n_seeds,
        # Ends are not symmetric, and this one may be the nearer: nothing is seen twice.
        unseen=max(error**2 - seen**2, 0.0),
    )


_SCALED: dict[str, tuple[Callable[[float], float], ...]] = {
    "identity": (float, lambda _: 1.0, float),
    "log": (lambda x: float(np.log(x)) if x else -math.inf, lambda x: 1 / x, math.exp),
}
"""Of a scale: the value there, its derivative, and the way back."""


def _correlation(
    number: Interval, first: Interval, second: Interval, slope: Callable[[float], float]
) -> float:
    """Of two means, by the variance of their difference on a scale; 0 where that is not known."""
    variances = [(one.standard_error * slope(one.estimate)) ** 2 for one in (number, first, second)]
    unseen = [one.unseen * slope(one.estimate) ** 2 for one in (first, second)]
    both = math.sqrt((variances[1] + unseen[0]) * (variances[2] + unseen[1]))
    r = (variances[1] + variances[2] - variances[0]) / 2 / both
    return min(max(r, -1.0), 0.99) if math.isfinite(r) else 0.0


def _joined(one: float, other: float, r: float) -> float:
    """Length of a difference of two deviations with correlation r."""
    return (
        math.sqrt(one**2 + other**2 - 2 * r * one * other)
        if math.isfinite(one + other)
        else math.inf
    )


def _components(values: Doubles, covariance: Doubles) -> tuple[float, float]:
    """Variance of the mean over seeds: what is seen between seeds, and what all seeds share."""
    seeds = len(values)
    if seeds == 1:
        return 0.0, float(covariance[0, 0])
    shared = float(covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
    # max() would turn NaN into 0
    return float(values.var(ddof=1)) / seeds, 0.0 if shared < 0 else shared


def t_quantile(level: float, freedom: float) -> float:
    """How many standard errors an interval of Student's t reaches to either side."""
    from scipy.special import stdtrit  # the same numbers as scipy.stats', read in no time

    return float(stdtrit(freedom, (1 + level) / 2))


def ends_on_scale(estimate: float, half: float, scale: Scale) -> tuple[float, float]:
    """Ends that are symmetric on a scale: ``g^-1(g(estimate) -+ half g'(estimate))``.

    Args:
        estimate: Between them.
        half: How far off they are on the identity scale, to first order.
        scale: Of ``interval``, the function g.

    Returns:
        NaN where g is not defined.
    """
    if scale == "identity":
        return estimate - half, estimate + half
    if scale == "log":
        if estimate <= 0:
            return math.nan, math.nan
        with np.errstate(over="ignore"):
            factor = float(np.exp(half / estimate))
        return estimate / factor, estimate * factor
    if not 0 < estimate < 1:
        return math.nan, math.nan
    shift = half / (estimate * (1 - estimate))
    odds = math.log(estimate / (1 - estimate))
    return _expit(odds - shift), _expit(odds + shift)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
