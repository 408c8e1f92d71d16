"""How a loss falls with a number of images: a power law above a floor, and what it predicts.

::

    loss(n) = E + B (n + k)^-beta,   E >= least, B >= 0, .01 <= beta <= 3

with k = 0, as learning curves are described (Hestness et al. 2017, arXiv 1712.00409; Viering & Loog
2021, arXiv 2103.10948), or with a k that is fitted, where other images stand beside the n and are
worth k of them: D-CPT Law (Que et al. 2024, arXiv 2406.01375) has the ratio of a mixture in that
form. Its joint law of ratio, model and data is not fitted: runs vary one number at a time.

Fitted with a Huber loss, so that a run that failed does not bend the curve. Seeds are whole: one
that is drawn brings its values at all sizes, because they share what the seed chose.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from tgap.core import ContractError, Doubles, rng_for
from tgap.metrics.intervals import ROUNDING, t_quantile

LEVEL = 0.95
RESAMPLES = 200
EXPONENTS = (0.01, 3.0)
"""Hestness et al. report .07 to .35 of deep networks and .5 to 1 of theory."""
OFFSETS = (0.1, 10.0)
"""The least k, and the largest in units of the largest size."""
STARTS = (0.1, 0.3, 0.6, 1.0, 1.7, 2.5)
"""Exponents from which a fit begins; floor and factor follow from each by least squares."""
OFFSET_STARTS = (0.01, 0.1, 1.0)
"""Offsets from which it begins, in units of the largest size."""
HUBER = 1.345
"""Standard deviations from which a deviation counts linearly: 95 % efficient on a normal."""
FINEST = 1e-3
"""AUROCs that differ by less are the same to the Huber loss."""
AT_BOUND = 1e-4


@dataclass(frozen=True)
class Law:
    """``floor + above * ((n + offset) / (largest + offset)) ** -exponent``.

    Args:
        floor: E, the loss that endless images would leave.
        above: What the loss is above it at the largest size.
        exponent: beta.
        largest: The largest size that it was fitted to.
        offset: k; ``None`` where it is 0 and was not fitted.
        least: The least that the floor may be.
    """

    floor: float
    above: float
    exponent: float
    largest: float
    offset: float | None = None
    least: float = 0.0

    @property
    def factor(self) -> float:
        """B."""
        return float(self.above * (self.largest + (self.offset or 0.0)) ** self.exponent)

    @property
    def numbers(self) -> Doubles:
        """What is fitted: floor, above, exponent and perhaps the offset's logarithm."""
        further = () if self.offset is None else (math.log(self.offset),)
        return np.array([self.floor, self.above, self.exponent, *further])

    @property
    def is_level(self) -> bool:
        """Whether it no longer falls at the largest size, whatever the exponent."""
        return self.above < AT_BOUND

    @property
    def free(self) -> int:
        """How many of its numbers the data chose, and no bound did."""
        if self.is_level:
            return 1
        low, high = _bounds(self.largest, self.least, self.offset is not None)
        numbers = self.numbers
        return int(((numbers > low + AT_BOUND) & (numbers < high - AT_BOUND)).sum())

    def at(self, sizes: Sequence[float] | Doubles) -> Doubles:
        """The loss at these sizes, float64."""
        falling = _falling(np.asarray(sizes, dtype=np.float64), self.largest, self.numbers)
        return np.asarray(self.floor + self.above * falling)


def fitted(
    sizes: Doubles,
    losses: Doubles,
    least: float = 0.0,
    offset: bool = False,
    begin: Law | None = None,
) -> Law:
    """The law of least Huber loss.

    The Huber loss is linear from 1.345 standard deviations of a size's seeds on, which are 1.4826
    times the median distance to the size's median, its own left out.

    Args:
        sizes: ``(K,)`` float64, ascending, above 0; with an offset from 0 on.
        losses: ``(S, K)`` float64, of each seed at each size.
        least: The least that the floor may be: 0 for 1 - AUROC.
        offset: Whether k is fitted.
        begin: Where to begin; at all of ``STARTS`` if ``None``.

    Raises:
        ContractError: If shapes disagree or a value is not finite.
    """
    from scipy.optimize import least_squares

    _check(sizes, losses, offset)
    largest = float(sizes[-1])
    bounds = _bounds(largest, least, offset)
    starts = _starts(sizes, losses, offset) if begin is None else [begin.numbers]
    found = [
        least_squares(
            partial(_residuals, sizes, losses),
            np.clip(start, *bounds),
            partial(_slopes, sizes, len(losses)),
            bounds,
            loss="huber",
            f_scale=max(HUBER * _scatter(losses), FINEST),
            x_scale=[0.1, 0.1, 0.5, 1.0][: len(start)],
        )
        for start in starts
    ]
    best = min(found, key=lambda one: float(one.cost)).x
    floor, above, exponent = (float(number) for number in best[:3])
    return Law(floor, above, exponent, largest, math.exp(best[3]) if offset else None, least)


def _check(sizes: Doubles, losses: Doubles, offset: bool) -> None:
    if losses.ndim != 2 or losses.shape[1:] != sizes.shape or not losses.size:
        raise ContractError(
            f"losses must be (S, K), a column for each of the sizes {sizes.shape}, "
            f"got {losses.shape}"
        )
    rising = (np.diff(sizes) > 0).all() and (sizes[0] > 0 or (offset and sizes[0] == 0))
    if not (np.isfinite(losses).all() and rising):
        raise ContractError("sizes must be above 0 and rise, and losses must be finite")


def _bounds(largest: float, least: float, offset: bool) -> tuple[Doubles, Doubles]:
    low, high = [least, 0.0, EXPONENTS[0]], [1.0, 1.0, EXPONENTS[1]]
    if offset:
        low.append(math.log(OFFSETS[0]))
        high.append(math.log(OFFSETS[1] * largest))
    return np.array(low), np.array(high)


def _starts(sizes: Doubles, losses: Doubles, offset: bool) -> list[Doubles]:
    """Floor and what is above it by least squares, given exponent and offset."""
    starts = []
    for exponent, share in product(STARTS, OFFSET_STARTS if offset else (None,)):
        further = [] if share is None else [math.log(share * sizes[-1])]
        falling = _falling(sizes, sizes[-1], np.array([0.0, 0.0, exponent, *further]))
        design = np.stack([np.ones_like(falling), falling], axis=1)
        floor, above = np.linalg.lstsq(design, losses.mean(axis=0), rcond=None)[0]
        starts.append(np.array([floor, max(above, 10 * AT_BOUND), exponent, *further]))
    return starts


def _falling(sizes: Doubles, largest: float, numbers: Doubles) -> Doubles:
    """``((n + k) / (largest + k)) ** -exponent``."""
    k = math.exp(numbers[3]) if len(numbers) > 3 else 0.0
    return np.asarray(((sizes + k) / (largest + k)) ** -numbers[2])


def _residuals(sizes: Doubles, losses: Doubles, numbers: Doubles) -> Doubles:
    law = numbers[0] + numbers[1] * _falling(sizes, sizes[-1], numbers)
    return np.asarray((law - losses).ravel())


def _slopes(sizes: Doubles, seeds: int, numbers: Doubles) -> Doubles:
    """``(S * K, 3 or 4)``: of the residuals by the numbers."""
    falling = _falling(sizes, sizes[-1], numbers)
    k = math.exp(numbers[3]) if len(numbers) > 3 else 0.0
    by_exponent = -numbers[1] * falling * np.log((sizes + k) / (sizes[-1] + k))
    columns = [np.ones_like(falling), falling, by_exponent]
    if len(numbers) > 3:
        apart = k / (sizes + k) - k / (sizes[-1] + k)
        columns.append(-numbers[2] * numbers[1] * falling * apart)
    return np.tile(np.stack(columns, axis=1), (seeds, 1))


def _scatter(losses: Doubles) -> float:
    """A robust standard deviation of seeds about their size's median."""
    distances = np.abs(losses - np.median(losses, axis=0))
    seeds, sizes = losses.shape
    kept = np.sort(distances, axis=None)[sizes if seeds > 1 else 0 :]
    return 1.4826 * float(np.median(kept))


@dataclass(frozen=True)
class Predicted:
    """What a method's row would hold at a size: a mean over as many new seeds as the curve has.

    Args:
        size: Asked for.
        estimate: The law there.
        lo: Lower end of the prediction interval, no lower than the floor may be.
        hi: Upper end.
    """

    size: float
    estimate: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Prediction:
    """A law and what it says.

    Args:
        law: Fitted to all seeds and sizes.
        at: Its predictions, as asked for.
        floor: The interval of E.
        scatter: Standard deviation of a run about its size's mean.
        misfit: p-value of means that lie as far from the law as these do, if seeds alone move them
            (F test for lack of fit); NaN if nothing is left to test it by.
    """

    law: Law
    at: tuple[Predicted, ...]
    floor: tuple[float, float]
    scatter: float
    misfit: float

    @property
    def knows_floor(self) -> bool:
        """Whether E's interval is no wider than half of the loss at the largest size."""
        low, high = self.floor
        return bool(high - low <= self._last / 2)

    def is_useless(self, one: Predicted) -> bool:
        """Whether an interval is wider than the loss at the largest size: it decides nothing."""
        return bool(one.hi - one.lo > self._last)

    @property
    def _last(self) -> float:
        return float(self.law.at([self.law.largest])[0])


def predict(
    sizes: Doubles,
    losses: Doubles,
    at: Sequence[float],
    least: float = 0.0,
    offset: bool = False,
    resamples: int = RESAMPLES,
) -> Prediction:
    """Fit the law, and predict the mean loss of S new seeds at other sizes.

    That mean is what the next row of a comparison would hold, so it can be held against one. Its
    interval has both what the law is not sure of and what S new seeds scatter::

        end = estimate -+ sqrt((w d)^2 + t^2 s^2 / S),   w = t sqrt(S / (S - 1)) / 1.96

    where d is from the law to the 2.5 or 97.5 % point of the laws of resampled seeds, s the
    standard deviation of a run, t the quantile of Student's t with S - 1 degrees of freedom. A
    plain percentile bootstrap of few seeds is too short; w widens it as Hesterberg (2015, arXiv
    1411.5279) does, but by length instead of by percentile, of which few seeds have none so far
    out. No upper end beyond the largest size is above that of the largest size: the law never
    rises. The order of the seeds does not matter: they are sorted by their values.

    Args:
        sizes: ``(K,)`` float64, ascending.
        losses: ``(S, K)`` float64, S >= 2.
        at: Sizes to predict at, above 0.
        least: The least that the floor may be, and so any loss.
        offset: Whether k is fitted.
        resamples: Draws of S seeds with replacement.

    Raises:
        ContractError: As ``fitted``, or with one seed.
    """
    _check(sizes, losses, offset)
    seeds = len(losses)
    if seeds < 2:
        raise ContractError("a law of one seed has no interval: give losses of two seeds or more")
    losses = losses[np.lexsort(losses.T[::-1])]
    law, rng = fitted(sizes, losses, least, offset), rng_for("predict", 0)
    laws = [
        fitted(sizes, losses[rng.integers(seeds, size=seeds)], least, offset, begin=law)
        for _ in range(resamples)
    ]
    scatter = math.sqrt(float(losses.var(axis=0, ddof=1).mean()))
    of_new = t_quantile(LEVEL, seeds - 1) * scatter / math.sqrt(seeds)
    every = np.array([*at, law.largest, math.inf])
    estimates, (below, above) = law.at(every), _reach(law, laws, every, seeds)
    lows = np.maximum(estimates - np.hypot(below, of_new), least)
    highs = estimates + np.hypot(above, of_new)
    highs = np.where(every > law.largest, np.minimum(highs, highs[-2]), highs)
    ends = np.stack([every, estimates, lows, highs], axis=1)[: len(at)]
    return Prediction(
        law,
        tuple(Predicted(*(float(number) for number in one)) for one in ends),
        (max(law.floor - float(below[-1]), least), law.floor + float(above[-1])),
        scatter,
        _misfit(sizes, losses, law),
    )


def _reach(law: Law, laws: Sequence[Law], sizes: Doubles, seeds: int) -> Doubles:
    """``(2, N)``: w d of ``predict``, how far the law at these sizes may be below and above."""
    values = np.stack([one.at(sizes) for one in laws]) - law.at(sizes)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    wider = t_quantile(LEVEL, seeds - 1) * math.sqrt(seeds / (seeds - 1))
    return np.maximum([-low, high], 0) * wider / t_quantile(LEVEL, math.inf)


def _misfit(sizes: Doubles, losses: Doubles, law: Law) -> float:
    """p-value of the F test for lack of fit; what a seed adds to all its sizes is left out.

    ``F = S sum (mean - law)^2 / (K - free) / s^2`` with s^2 of the residuals of seeds by sizes.
    """
    from scipy.special import fdtrc  # the same numbers as scipy.stats', read in no time

    seeds, k = losses.shape
    means = losses.mean(axis=0)
    rest = losses - losses.mean(axis=1, keepdims=True) - means + losses.mean()
    freedom, of_rest = k - law.free, (seeds - 1) * (k - 1)
    variance = float((rest**2).sum()) / of_rest if of_rest else 0.0
    if freedom < 1 or variance <= ROUNDING**2:
        return math.nan
    missed = seeds * float(((means - law.at(sizes)) ** 2).sum()) / freedom
    return float(fdtrc(freedom, of_rest, missed / variance))
