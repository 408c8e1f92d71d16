"""What a sweep found: its groups of runs, which of them differ, and what MLflow shows of them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tgap.analysis.groups import RunGroup, group_runs, mean_interval, side_by_side, varied
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.analysis.splits import Sampled, short
from tgap.core import rng_for
from tgap.metrics.intervals import Interval, recovered
from tgap.metrics.legs import SCALES
from tgap.metrics.significance import equivalence, holm, p_of_interval, sign_flip

PRIMARY = "tstr/auroc"
"""What methods are compared by."""

FTER = "fter"

MARGIN = 0.02
"""FTERs that differ by less count as equal."""


@dataclass(frozen=True)
class Pair:
    """Two groups compared by TSTR, over the seeds that both have.

    Args:
        first: The minuend, the later one of the table.
        second: The subtrahend.
        seeds: In common.
        missing: Seeds of either, finished or not, that are not in common.
        missing_splits: Splits of either, such as folds, that are not in common.
        difference: Of TSTR, paired by seed and by resampled patient; of this pair alone.
        p_value: Of ``sign_flip``, on these test images, adjusted by Holm; NaN if it is not defined.
        p_new_images: Of ``p_of_interval``, adjusted by Holm; NaN where there is no interval.
        comparisons: Pairs in the family: all of the sweep that have a p-value.
    """

    first: RunGroup
    second: RunGroup
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    missing_splits: tuple[str, ...]
    difference: Interval
    p_value: float
    p_new_images: float
    comparisons: int


@dataclass(frozen=True)
class SizeEffect:
    """Whether a method's FTER is the same at all sizes.

    Args:
        groups: One per size, ascending, at least two.
        seeds: In common.
        missing: Seeds of any, finished or not, that are not in common.
        margin: FTERs that differ by less count as equal.
        p_value: Of ``equivalence``, the largest over all pairs of sizes: the claim holds only if
            it holds for each (Berger 1982). Of several methods not corrected for their number.
            NaN if it is not defined, or FTER means nothing.
    """

    groups: tuple[RunGroup, ...]
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    margin: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """What a sweep found.

    Args:
        groups: In the order in which their methods came, then by size.
        pairs: Of groups that share size and settings.
        size_effects: Of methods with more than one size.
    """

    groups: tuple[RunGroup, ...]
    pairs: tuple[Pair, ...]
    size_effects: tuple[SizeEffect, ...]


def compare(
    rows: Sequence[RunRow], missing: Sequence[PlannedRun] = (), margin: float = MARGIN
) -> Comparison:
    """Group a sweep's runs and compare the groups.

    Groups are compared where size and settings agree; a method that tunes nothing has no size and
    is compared with every size. Controls are not compared: that copies of real images beat noise is
    no question, and each further pair costs the others power (Holm). What is missing is never
    averaged away: groups and pairs name it.

    Args:
        rows: One per finished run.
        missing: Runs that were asked for and did not finish.
        margin: FTERs that differ by less count as equal between sizes.
    """
    groups = group_runs(rows, missing)
    return Comparison(groups, _pairs(groups), _size_effects(groups, margin))


def metrics_of(comparison: Comparison) -> dict[int, dict[str, float]]:
    """Metrics of the sweep's parent run in MLflow, by step: the size, 0 where nothing is tuned.

    For each metric of ``SCALES`` and each group ``{metric}/mean/{group}``, ``.../lo/{group}`` and
    ``.../hi/{group}``, e.g. ``fter/lo/random-dreambooth``, so that MLflow draws intervals over
    sizes; ``fter/of_means/{group}``; ``seeds/{group}`` and ``seeds_missing/{group}``, and the same
    of folds if there are. A group is named by its method and the settings that vary
    (``random-dreambooth-guidance-3.0``), other characters than letters, digits, ``_`` and ``.``
    becoming ``-``. What is not defined is left out.
    """
    names = _names(comparison.groups)
    by_size: dict[int, dict[str, float]] = {}
    for group, name in zip(comparison.groups, names, strict=True):
        values = {f"fter/of_means/{name}": group.fter_of_means}
        for metric in SCALES:
            number = group.numbers[metric]
            ends = {"mean": number.estimate, "lo": number.lo, "hi": number.hi}
            values |= {f"{metric}/{end}/{name}": value for end, value in ends.items()}
        values |= {f"seeds/{name}": len(group.seeds), f"seeds_missing/{name}": len(group.missing)}
        if len(group.splits) + len(group.missing_splits) > 1:
            values[f"folds/{name}"] = len(group.splits)
            values[f"folds_missing/{name}"] = len(group.missing_splits)
        defined = {key: float(value) for key, value in values.items() if not math.isnan(value)}
        by_size.setdefault(group.size or 0, {}).update(defined)
    return by_size


def _names(groups: Sequence[RunGroup]) -> list[str]:
    """A part of metric names for each group: the same for a method's sizes, different otherwise."""
    owners: dict[str, tuple[str, ...]] = {}
    names = []
    for group in groups:
        words = [group.method, *own_settings(group, groups)]
        identity = (group.method_key, *words)
        plain = re.sub(r"[^\w.]+", "-", " ".join(words)).strip("-.")[:150] or "method"
        name, number = plain, 1
        while owners.setdefault(name, identity) != identity:
            number += 1
            name = f"{plain}-{number}"
        names.append(name)
    return names


def own_settings(group: RunGroup, groups: Sequence[RunGroup]) -> list[str]:
    """What tells a group from others of its method, e.g. ``["guidance 3.0"]``."""
    names = varied([other for other in groups if other.method_key == group.method_key])
    return [f"{short(name)} {group.settings.get(name, 'default')}" for name in names]


def _pairs(groups: Sequence[RunGroup]) -> tuple[Pair, ...]:
    pairs = [(b, a) for a, b in combinations(groups, 2) if _comparable(a, b)]
    differences = [_differences(*pair) for pair in pairs]
    intervals = [_difference(*pair, d) for pair, d in zip(pairs, differences, strict=True)]
    of_seeds = holm(np.array([_sign_flip(of_pair) for of_pair in differences], np.float64))
    of_images = holm(np.array([p_of_interval(one) for one in intervals], np.float64))
    comparisons = int(np.isfinite(of_seeds).sum())
    return tuple(
        Pair(*pair, *_common(pair), _not_common(pair), difference, float(p), float(q), comparisons)
        for pair, difference, p, q in zip(pairs, intervals, of_seeds, of_images, strict=True)
    )


def _comparable(a: RunGroup, b: RunGroup) -> bool:
    """Whether two groups are no controls, and differ in their method only."""
    names = a.settings.keys() | b.settings.keys()
    return (
        a.method_key != b.method_key
        and not (a.is_control or b.is_control)
        and (a.size == b.size or None in (a.size, b.size))
        and all(
            a.settings.get(name) == b.settings.get(name)
            for name in names
            if a.has_setting(name) and b.has_setting(name)
        )
    )


def _differences(first: RunGroup, second: RunGroup) -> list[Sampled]:
    """Of TSTR by seed: what both have in common, seed or patients, is not in them."""
    differences = []
    splits = _splits((first, second))
    for seed in _common((first, second))[0]:
        a, b = (group.sampled(seed, PRIMARY, splits) for group in (first, second))
        resampled = side_by_side([a.resampled, b.resampled])
        differences.append(Sampled(a.value - b.value, resampled[:, 0] - resampled[:, 1]))
    return differences


def _difference(first: RunGroup, second: RunGroup, paired: Sequence[Sampled]) -> Interval:
    """The mean of the differences, as the two means of the same seeds and splits allow."""
    pair = (first, second)
    splits, (seeds, _) = _splits(pair), _common(pair)
    freedom = min(group.freedom(splits) for group in pair)
    one, other = (
        mean_interval(
            [group.sampled(seed, PRIMARY, splits) for seed in seeds],
            SCALES[PRIMARY],
            freedom,
            group.patients(splits),
        )
        for group in pair
    )
    return recovered(mean_interval(paired, "identity", freedom), one, other, scale="identity")


def _sign_flip(differences: Sequence[Sampled]) -> float:
    if not differences:
        return math.nan
    return sign_flip(np.array([one.value for one in differences]), rng_for("sign flip", 0))


def _common(groups: Sequence[RunGroup]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Seeds that all groups have, and those that some lack; none if they share no split, or if
    no draw of one varies.
    """
    common = set.intersection(*(set(group.seeds) for group in groups))
    common = common if _splits(groups) and not any(group.one_set for group in groups) else set()
    every = {seed for group in groups for seed in (*group.seeds, *group.missing)}
    return tuple(sorted(common)), tuple(sorted(every - common))


def _splits(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """Splits that all groups have."""
    return tuple(name for name in groups[0].splits if all(name in g.splits for g in groups))


def _not_common(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """Splits that some groups lack."""
    every = dict.fromkeys(n for group in groups for n in (*group.splits, *group.missing_splits))
    return tuple(name for name in every if name not in _splits(groups))


def _size_effects(groups: Sequence[RunGroup], margin: float) -> tuple[SizeEffect, ...]:
    of_method: dict[tuple[object, ...], list[RunGroup]] = {}
    for group in groups:
        if group.size is not None:
            key = (group.method_key, tuple(sorted(group.settings.items())))
            of_method.setdefault(key, []).append(group)
    return tuple(
        SizeEffect(tuple(sizes), *_common(sizes), margin, _same_fter(sizes, margin))
        for sizes in of_method.values()
        if len(sizes) > 1
    )


def _same_fter(groups: Sequence[RunGroup], margin: float) -> float:
    if not all(group.fter_meaningful for group in groups):
        return math.nan
    (seeds, _), splits = _common(groups), _splits(groups)
    fters = [np.array([group.sampled(s, FTER, splits).value for s in seeds]) for group in groups]
    if not seeds:
        return math.nan
    return float(np.max([equivalence(a - b, margin) for a, b in combinations(fters, 2)]))
