"""Runs of one seed on several splits of the data, such as the folds of a cross-fitting."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tgap.analysis.redrawn import correction, shares_test
from tgap.analysis.rows import PlannedRun, Settings
from tgap.core import Doubles
from tgap.metrics.intervals import LEAST_FREEDOM, Interval, Scale, interval
from tgap.metrics.legs import LEGS, numbers_with_intervals

NO_SHARES: Mapping[str, float] = {}


@dataclass(frozen=True)
class Sampled:
    """A number of one seed, and what it is on resampled test images, ``(B,)``."""

    value: float
    resampled: Doubles


Numbers = Mapping[str, Sampled]


def short(setting: str) -> str:
    """``guidance`` for ``sampler.guidance``, ``generator`` for ``generator.class``."""
    return setting.removesuffix(".class").rpartition(".")[2]


def split_name(split: Settings) -> str:
    """``fold 2``; empty where a seed has one split only."""
    return ", ".join(f"{short(name)} {value}" for name, value in split.items())


def expected_splits(runs: Sequence[PlannedRun]) -> tuple[str, ...]:
    """All splits that a whole mean is over, asked for or not, in their order."""
    every = [split for run in runs for split in (run.splits or [run.split])]
    return tuple(dict.fromkeys(map(split_name, every)))


def largest_block(
    there: Mapping[int, Mapping[str, Numbers]], expected: Sequence[str]
) -> tuple[str, ...]:
    """The splits of the seed that has most of them: means over others would not compare."""
    most = max(there.values(), key=len, default={})
    return tuple(name for name in expected if name in most)


NOT_RESAMPLED = np.full(2, np.nan)


def mean_over_splits(
    by_split: Mapping[str, Numbers], splits: Sequence[str], shares: Mapping[str, float] = NO_SHARES
) -> Numbers:
    """The numbers of one seed: of mean AUROCs over the splits.

    Ratios and gaps are of these means, because a fold may have few images, and ratios of two noisy
    numbers lie too high. In place of resampled test images there is a row for each split, with the
    variance of the delete-one jackknife over splits, ``(J - 1) / J sum (x_-j - mean of x_-j)^2``,
    which for an AUROC is its variance over splits / J. It holds all that differs between splits:
    the images tested on, and tuned on and trained on as far as splits do not share them.

    Splits that are drawn anew share images by chance. For these the variance over splits is not
    divided by J but multiplied by ``1 / J + correction``; resampled test images are added where
    all splits have one test set.

    Args:
        by_split: At least all of ``SCALES``; other numbers lose their resamples, which do not know
            of splits.
        splits: Which of them; J.
        shares: Of ``shares_of`` where splits are drawn anew; empty for the folds of one dealing.
    """
    parts = [by_split[split] for split in splits]
    if len(parts) == 1:
        return parts[0]
    legs = np.array([[part[f"{leg}/auroc"].value for leg in LEGS] for part in parts])
    without = np.clip((legs.sum(axis=0) - legs) / (len(parts) - 1), 0, 1)  # but for rounding
    values = numbers_with_intervals(dict(zip(LEGS, legs.mean(axis=0), strict=True)))
    left = numbers_with_intervals(dict(zip(LEGS, without.T, strict=True)))
    wide = (len(parts) - 1) / math.sqrt(len(parts))
    numbers = {}
    for name, value in values.items():
        factor = wide * math.sqrt(1 + len(parts) * correction(name, shares))
        rows = factor * (left[name] - value)
        if shares_test(name, shares):
            of_images = side_by_side([part[name].resampled for part in parts]).mean(axis=1)
            rows = _together(rows, of_images)
        numbers[name] = Sampled(float(value), np.asarray(value + rows))
    others = {
        name: Sampled(
            math.fsum(part[name].value for part in parts) / len(parts), np.full(2, np.nan)
        )
        for name in parts[0]
        if name not in numbers
    }
    return numbers | others


def _together(*sources: Doubles) -> Doubles:
    """Rows about 0 whose covariances are the sums of those of independent sources of rows."""
    n = sum(map(len, sources))
    centred = [
        rows - rows[np.isfinite(rows)].sum() / max(1, np.isfinite(rows).sum()) for rows in sources
    ]
    return np.concatenate([rows * math.sqrt((n - 1) / (len(rows) - 1)) for rows in centred])


def listed(splits: Sequence[str]) -> str:
    """``fold 0, 3`` for ``fold 0`` and ``fold 3``."""
    return re.sub(r", (\w+) (?=\S+(?:, |$))", ", ", ", ".join(splits))


def side_by_side(replicates: Sequence[Doubles]) -> Doubles:
    """Replicates side by side; of more resamples, the first are the same as of fewer."""
    least = min(len(one) for one in replicates)
    return np.stack([one[:least] for one in replicates], axis=1)


def mean_interval(
    sampled: Sequence[Sampled],
    scale: Scale = "identity",
    image_freedom: float = math.inf,
    patients: float | None = None,
    cautious: float = 0.0,
    least_freedom: float = LEAST_FREEDOM,
) -> Interval:
    """The mean over seeds; NaN if there are none."""
    if not sampled:
        return Interval(math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    values = np.array([one.value for one in sampled])
    resampled = side_by_side([one.resampled for one in sampled])
    return interval(
        values,
        resampled,
        scale=scale,
        image_freedom=image_freedom,
        patients=patients,
        cautious=cautious,
        least_freedom=least_freedom,
    )
