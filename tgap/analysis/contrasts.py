"""Differences between groups of runs, paired by seed, and trends over their sizes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from tgap.analysis.groups import RunGroup
from tgap.analysis.splits import Sampled, mean_interval
from tgap.metrics.intervals import Interval, recovered, t_quantile
from tgap.metrics.legs import SCALES
from tgap.metrics.significance import FEWEST_SEEDS, holm, p_of_interval

ON_THESE = np.zeros(2)
"""In place of resamples, of a metric that has none: its interval is over seeds alone."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of groups' numbers, over the seeds that all have; weights add up to 0.

    Args:
        groups: The minuend and the subtrahend, or a method's sizes, ascending.
        weights: One per group: 1 and -1, or those of the slope per doubling of the size.
        metric: What is compared.
        seeds: In common.
        missing: Seeds of any, finished or not, that are not in common.
        missing_splits: Splits of any, such as folds, that are not in common.
        difference: Paired by seed and by resampled patient; of this contrast alone. Of a metric
            without resamples, over seeds on these test images.
        p_value: Of ``p_of_interval``, adjusted by Holm; NaN with fewer than ``FEWEST_SEEDS``, and
            where there is no interval.
        comparisons: In the family: all that have a p-value.
    """

    groups: tuple[RunGroup, ...]
    weights: tuple[float, ...]
    metric: str
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    missing_splits: tuple[str, ...]
    difference: Interval
    p_value: float
    comparisons: int = 1

    @property
    def first(self) -> RunGroup:
        """The minuend."""
        return self.groups[0]

    @property
    def second(self) -> RunGroup:
        """The subtrahend."""
        return self.groups[-1]

    @property
    def collapsed(self) -> tuple[int, ...]:
        """Seeds with which a group has learnt next to nothing."""
        seeds = {s for group in self.groups for of_leg in group.collapsed.values() for s in of_leg}
        return tuple(sorted(seeds & set(self.seeds)))

    @property
    def median(self) -> float:
        """Of the seeds' own values; the mean is ``difference``."""
        return float(np.median([one.value for one in _paired(self)]))


def differences(
    pairs: Sequence[tuple[RunGroup, RunGroup]], metrics: Sequence[str]
) -> tuple[Contrast, ...]:
    """Of each metric and pair; one family."""
    return _adjusted([_contrast(pair, (1.0, -1.0), name) for name in metrics for pair in pairs])


def over_sizes(methods: Sequence[Sequence[RunGroup]], metrics: Sequence[str]) -> list[Contrast]:
    """Trends per doubling of the size, and if there are more than two the steps; one family.

    Args:
        methods: The groups of each, sizes ascending.
        metrics: What may depend on the size.
    """
    found = []
    for name in metrics:
        for groups in methods:
            found.append(_contrast(groups, _slope([group.size or 1 for group in groups]), name))
            if len(groups) > 2:
                steps = [(larger, smaller) for smaller, larger in pairwise(groups)]
                found += [_contrast(step, (1.0, -1.0), name) for step in steps]
    return list(_adjusted(found))


def common(groups: Sequence[RunGroup]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Seeds that all groups have, and those that some lack; none if they share no split, or if no
    draw of one varies.
    """
    shared = set.intersection(*(set(group.seeds) for group in groups))
    shared = shared if common_splits(groups) and not any(g.one_set for g in groups) else set()
    every = {seed for group in groups for seed in (*group.seeds, *group.missing)}
    return tuple(sorted(shared)), tuple(sorted(every - shared))


def common_splits(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """Splits that all groups have."""
    return tuple(name for name in groups[0].splits if all(name in g.splits for g in groups))


def comparable_pairs(
    groups: Sequence[RunGroup], reference: str | None, across: Sequence[str]
) -> tuple[list[tuple[RunGroup, RunGroup]], list[tuple[RunGroup, RunGroup]]]:
    """Pairs to compare, and for each group that has no partner of a method the nearest one.

    Args:
        groups: All.
        reference: Key of the method that each other one is compared with; each with each if
            ``None``.
        across: Settings that may differ.
    """
    asked = [pair for a, b in combinations(groups, 2) if (pair := _asked(a, b, reference))]
    pairs = [pair for pair in asked if not apart(*pair, across)]
    partners = {(id(one), other.method_key) for a, b in pairs for one, other in ((a, b), (b, a))}
    nearest: dict[tuple[int, str], tuple[RunGroup, RunGroup]] = {}
    for pair in asked:
        for one, other in (pair, pair[::-1]):
            key = (id(one), other.method_key)
            best = nearest.get(key)
            if best is None or len(apart(*pair, across)) < len(apart(*best, across)):
                nearest[key] = pair
    left = {(id(a), id(b)): (a, b) for key, (a, b) in nearest.items() if key not in partners}
    return pairs, list(left.values())


def _asked(a: RunGroup, b: RunGroup, reference: str | None) -> tuple[RunGroup, RunGroup] | None:
    """The two in the order of their difference, if it is asked for."""
    if a.method_key == b.method_key:
        return None
    if reference is None:
        return None if a.is_control or b.is_control else (b, a)
    one, other = (b, a) if a.method_key == reference else (a, b)
    return (one, other) if other.method_key == reference and not one.is_control else None


def apart(a: RunGroup, b: RunGroup, across: Sequence[str] = ()) -> list[str]:
    """Settings that keep two groups from being compared, and ``size``."""
    names = [
        name
        for name in dict.fromkeys([*a.settings, *b.settings])
        if a.settings.get(name) != b.settings.get(name)
        and a.has_setting(name)
        and b.has_setting(name)
        and name not in across
    ]
    return names + (["size"] if a.size != b.size and None not in (a.size, b.size) else [])


def _contrast(groups: Sequence[RunGroup], weights: Sequence[float], metric: str) -> Contrast:
    every = [*dict.fromkeys(n for g in groups for n in (*g.splits, *g.missing_splits))]
    lacking = tuple(name for name in every if name not in common_splits(groups))
    nothing = Interval(math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    made = Contrast(
        tuple(groups), tuple(weights), metric, *common(groups), lacking, nothing, math.nan
    )
    difference = _difference(made)
    enough = len(made.seeds) >= FEWEST_SEEDS
    p_value = p_of_interval(difference) if enough else math.nan
    return replace(made, difference=difference, p_value=p_value)


def _difference(contrast: Contrast) -> Interval:
    """The mean of the seeds' differences, as the means of the same seeds and splits allow."""
    groups, name, splits = contrast.groups, contrast.metric, common_splits(contrast.groups)
    if name not in SCALES:
        return mean_interval([replace(one, resampled=ON_THESE) for one in _paired(contrast)])
    freedom = min(group.freedom(name, splits) for group in groups)
    found = mean_interval(
        _paired(contrast),
        image_freedom=freedom,
        cautious=max(group.own_share(name, splits) for group in groups),
        least_freedom=max(group.least_freedom for group in groups),
    )
    means = [group.means(contrast.seeds, splits)[name] for group in groups]
    if contrast.weights == (1.0, -1.0):
        return recovered(found, means[0], means[1], scale="identity")
    return _as_wide_as(found, contrast.weights, means)


def _as_wide_as(found: Interval, weights: Sequence[float], means: Sequence[Interval]) -> Interval:
    """``recovered`` of any number of means, as if they were independent where few errors show.

    They are correlated, since they share test images, so this is too wide rather than too narrow.
    """
    if any(math.isnan(mean.lo) for mean in means):
        return replace(found, lo=math.nan, hi=math.nan)
    if not any(mean.unseen for mean in means):
        return found
    parts = list(zip(weights, means, strict=True))
    below = math.hypot(*(w * (m.estimate - (m.lo if w > 0 else m.hi)) for w, m in parts))
    above = math.hypot(*(w * (m.estimate - (m.hi if w > 0 else m.lo)) for w, m in parts))
    freedom = min(mean.degrees_of_freedom for mean in means)
    seen = 0.0 if math.isnan(found.standard_error) else found.standard_error
    nearer = below if found.estimate > 0 else above
    return replace(
        found,
        lo=found.estimate - below,
        hi=found.estimate + above,
        standard_error=seen,
        degrees_of_freedom=freedom,
        unseen=max((nearer / t_quantile(0.95, freedom)) ** 2 - seen**2, 0.0),
    )


def _paired(contrast: Contrast) -> list[Sampled]:
    """By seed: what the groups have in common, seed or patients, is not in them."""
    splits = common_splits(contrast.groups)
    of_groups = [group.over(contrast.seeds, splits) for group in contrast.groups]
    found = []
    for numbers in zip(*of_groups, strict=True):
        parts = [one[contrast.metric] for one in numbers]
        least = min(len(part.resampled) for part in parts)
        resampled = np.array([part.resampled[:least] for part in parts])
        values = np.array([part.value for part in parts])
        weights = np.array(contrast.weights)
        found.append(Sampled(float(weights @ values), weights @ resampled))
    return found


def _slope(sizes: Sequence[int]) -> tuple[float, ...]:
    """Weights of the least-squares slope per doubling."""
    doublings = np.log2(sizes)
    centred = doublings - doublings.mean()
    return tuple((centred / (centred @ centred)).tolist())


def _adjusted(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    p_values = np.array([one.p_value for one in contrasts], np.float64)
    family = int(np.isfinite(p_values).sum())
    return tuple(
        replace(one, p_value=float(p), comparisons=family)
        for one, p in zip(contrasts, holm(p_values), strict=True)
    )
