"""Partial correlations within groups of runs, and how well one group is foretold by the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tgap.core import Bools, Doubles
from tgap.metrics.intervals import LEAST_FREEDOM, ROUNDING, t_quantile

Texts = Sequence[str]


@dataclass(frozen=True)
class Partial:
    """A partial correlation with its 95 % interval.

    Args:
        r: Within groups, given all other predictors; NaN if these say all of it.
        lo: Lower end, by a jackknife over groups on Fisher's scale; NaN with too few of them.
        hi: Upper end.
        p_value: Of none; NaN as ``lo``.
    """

    r: float
    lo: float
    hi: float
    p_value: float


def centred(values: Doubles, groups: Texts) -> Doubles:
    """``(N, K)`` without the mean of each group: what differs between groups explains nothing."""
    found = values.astype(np.float64)
    names = np.asarray(groups)
    for name in dict.fromkeys(groups):
        rows = names == name
        found[rows] -= found[rows].mean(axis=0)
    return found


def partial_correlation(outcome: Doubles, predictors: Doubles, which: int) -> float:
    """Of residuals: what a predictor and an outcome have beyond all other predictors.

    Args:
        outcome: ``(N,)``, centred.
        predictors: ``(N, K)``, centred.
        which: Of the predictors.

    Returns:
        A value in [-1, 1]; NaN if one of the two does not vary beyond the others.
    """
    others = np.delete(predictors, which, axis=1)
    both = np.column_stack([outcome, predictors[:, which]])
    if others.shape[1]:
        both = both - others @ np.linalg.lstsq(others, both, rcond=None)[0]
    before = np.linalg.norm(np.column_stack([outcome, predictors[:, which]]), axis=0)
    left = np.linalg.norm(both, axis=0)
    if (left <= 1e-9 * np.maximum(before, ROUNDING)).any():
        return math.nan
    return float(np.clip(both[:, 0] @ both[:, 1] / left.prod(), -1, 1))


def partial(
    outcome: Doubles, predictors: Doubles, which: int, groups: Texts, units: Texts | None = None
) -> Partial:
    """A partial correlation within groups, with its interval.

    Runs of one group are alike in more than chance, so the jackknife leaves out whole groups
    (Miller, Biometrika 61:1-15, 1974): the t interval has one degree of freedom less than there
    are groups, and says how far the correlation depends on which groups there are.

    Args:
        outcome: ``(N,)``.
        predictors: ``(N, K)``.
        which: Of the predictors.
        groups: N names.
        units: N names of what is left out instead, e.g. seeds: the interval then is for new ones
            of these, in the groups there are.
    """
    names = np.asarray(groups if units is None else units)
    y, x = centred(outcome[:, None], groups)[:, 0], centred(predictors, groups)
    r = partial_correlation(y, x, which)
    each = dict.fromkeys(names.tolist())
    varying = [unit for unit in each if np.ptp(x[names == unit][:, which]) > ROUNDING]
    without = [_without(outcome, predictors, which, groups, names != unit) for unit in varying]
    number = len(without)
    if number <= LEAST_FREEDOM or not np.isfinite([r, *without]).all():
        return Partial(r, math.nan, math.nan, math.nan)
    z, left = _fisher(np.array([r]))[0], _fisher(np.array(without))
    error = math.sqrt((number - 1) / number * float(((left - left.mean()) ** 2).sum()))
    if error <= ROUNDING:
        return Partial(r, math.nan, math.nan, math.nan)
    from scipy.special import stdtr

    half = t_quantile(0.95, number - 1) * error
    p_value = float(2 * stdtr(number - 1, -abs(z) / error))
    return Partial(r, math.tanh(z - half), math.tanh(z + half), p_value)


def _without(
    outcome: Doubles, predictors: Doubles, which: int, groups: Texts, rest: Bools
) -> float:
    """The correlation of some runs, centred anew: their groups' means are other ones."""
    of = np.asarray(groups)[rest].tolist()
    y = centred(outcome[rest][:, None], of)[:, 0]
    return partial_correlation(y, centred(predictors[rest], of), which)


def _fisher(r: Doubles) -> Doubles:
    return np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))


def foretold(outcome: Doubles, predictors: Doubles, worlds: Texts, methods: Texts) -> Doubles:
    """Each run's outcome, foretold by least squares from the runs of all other methods.

    With an intercept for each world. A method that is alone in its world is not foretold.

    Args:
        outcome: ``(N,)``.
        predictors: ``(N, K)``, K may be 0: the means of the other methods in the world.
        worlds: N names.
        methods: N names.

    Returns:
        ``(N,)``, NaN where nothing is foretold.
    """
    of_world, of_method = np.asarray(worlds), np.asarray(methods)
    design = np.column_stack([of_world == name for name in dict.fromkeys(worlds)]).astype(float)
    found = np.full(len(outcome), np.nan)
    for method in dict.fromkeys(methods):
        rest = of_method != method
        known = np.isin(of_world, of_world[rest]) & ~rest
        if not known.any():
            continue
        centre, spread = predictors[rest].mean(axis=0), predictors[rest].std(axis=0)
        scaled = (predictors - centre) / np.where(spread > ROUNDING, spread, 1.0)
        whole = np.column_stack([design, np.where(spread > ROUNDING, scaled, 0.0)])
        weights = np.linalg.lstsq(whole[rest], outcome[rest], rcond=None)[0]
        found[known] = whole[known] @ weights
    return found


def explained(outcome: Doubles, told: Doubles, by_means: Doubles) -> float:
    """Share of the squared error of the other methods' means that a forecast takes away.

    Negative where it is worse than these means; NaN where nothing was foretold.
    """
    there = np.isfinite(told) & np.isfinite(by_means)
    if not there.any():
        return math.nan
    error = float(((outcome - told)[there] ** 2).sum())
    before = float(((outcome - by_means)[there] ** 2).sum())
    return 1 - error / before if before > ROUNDING else math.nan
