"""Means over seeds of AUROCs whose resamples are not kept: of a label, a finding, an attack."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tgap.analysis.distinct import units_of
from tgap.analysis.groups import RunGroup
from tgap.analysis.redrawn import SPLIT_SEED
from tgap.analysis.rows import RunRow
from tgap.analysis.splits import split_name
from tgap.core import ContractError
from tgap.metrics.intervals import Interval, ends_on_scale, t_quantile

Ends = tuple[float, float, float]
"""A number and the ends of its own interval: estimate, lower, upper."""
UNKNOWN = Interval(math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def mean_of_intervals(numbers: Sequence[Ends], level: float = 0.95) -> Interval:
    """The mean of seeds' AUROCs, with ends for new seeds and new test images.

    Each has an interval for new test images alone. How far those of two seeds go together is not
    known, so that they are taken to be the same images to all of them, which makes the most of it.
    What seeds add and what images add are independent, and each end is as far off as both together
    (MOVER: Zou & Donner, Statistics in Medicine 2008), e.g. the lower one ::

        m - sqrt((m - seeds_lo)^2 + (mean of y - lo)^2)

    with ``seeds_lo`` the end of Student's interval of the S numbers y, symmetric on the logit
    scale. What images add to one seed and not to another is in both parts. Ends are cut at 0 and 1.

    Args:
        numbers: One per seed, between 0 and 1, each with its ends; those of a single one are the
            result's.
        level: Of all of them.

    Returns:
        Without ends where one of the numbers has none.

    Raises:
        ContractError: If there is no number.

    >>> found = mean_of_intervals([(0.80, 0.77, 0.83), (0.84, 0.81, 0.86), (0.82, 0.79, 0.85)])
    >>> f"{found.estimate:.3f} [{found.lo:.3f}, {found.hi:.3f}]"
    '0.820 [0.757, 0.872]'
    """
    if not numbers:
        raise ContractError("numbers must have one number or more, got none")
    values, los, his = np.array(numbers, dtype=np.float64).T
    mean, seeds = float(values.mean()), len(values)
    if seeds == 1:
        return Interval(mean, float(los[0]), float(his[0]), math.nan, math.nan, 1)
    half = t_quantile(level, seeds - 1) * float(values.std(ddof=1)) / math.sqrt(seeds)
    seeds_lo, seeds_hi = ends_on_scale(mean, half, "logit") if half > 0 else (mean, mean)
    lo = mean - math.hypot(mean - seeds_lo, float((values - los).mean()))
    hi = mean + math.hypot(seeds_hi - mean, float((his - values).mean()))
    if not math.isnan(lo + hi):
        lo, hi = max(lo, 0.0), min(hi, 1.0)
    return Interval(mean, lo, hi, math.nan, seeds - 1, seeds)


def over_seeds(rows: Sequence[RunRow], metric: str, group: RunGroup | None = None) -> Interval:
    """``mean_of_intervals`` of a metric of recorded runs.

    Args:
        rows: Different results; of a row of the table if ``group`` is one.
        metric: Its name; its ends are ``.../lo`` and ``.../hi``.
        group: A row of the table, for a number of synthetic images: what the row leaves out is
            left out, and seeds that share a synthetic set count once where they do in the row.
            ``None`` for one of real images alone, which a seed has once whatever the method.

    Returns:
        NaN if no run has it; without ends where a seed's number is a mean over splits, whose own
        variance nothing here knows.
    """
    together: dict[int, dict[str, list[Ends]]] = {}
    for unit, row in _by_unit(rows, group):
        if not math.isnan(row.metrics.get(metric, math.nan)):
            by_split = together.setdefault(unit, {})
            by_split.setdefault(_split(row, group), []).append(_ends(row, metric))
    if not together:
        return UNKNOWN
    found = mean_of_intervals([_mean(by_split) for by_split in together.values()])
    if max(map(len, together.values())) > 1:
        return Interval(found.estimate, math.nan, math.nan, math.nan, math.nan, found.n_seeds)
    return found


def _by_unit(rows: Sequence[RunRow], group: RunGroup | None) -> Iterator[tuple[int, RunRow]]:
    """Each result with the seed that it counts for."""
    ordered = sorted(rows, key=lambda row: row.seed)
    units = units_of(ordered) if group is not None and not group.one_set else {}
    for row in ordered:
        unit = units.get(row.seed, row.seed)
        if group is None or (unit in group.by_seed and _split(row, group) in group.splits):
            yield unit, row


def _split(row: RunRow, group: RunGroup | None) -> str:
    """As the row of the table calls it, which may be over several ``split_seed``."""
    if (group is None or group.shares) and SPLIT_SEED in row.settings:
        return split_name({SPLIT_SEED: row.settings[SPLIT_SEED]})
    return split_name(row.split)


def _mean(by_split: Mapping[str, Sequence[Ends]]) -> Ends:
    of_splits = [np.mean(np.array(same), axis=0) for same in by_split.values()]
    estimate, lo, hi = np.mean(of_splits, axis=0).tolist()
    return estimate, lo, hi


def _ends(row: RunRow, metric: str) -> Ends:
    lo, hi = (row.metrics.get(f"{metric}/{end}", math.nan) for end in ("lo", "hi"))
    return row.metrics[metric], lo, hi
