"""A sweep's runs by method, size and settings: means over seeds, with intervals."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tgap.analysis.distinct import averaged, results_of, units_of
from tgap.analysis.readings import SCATTER
from tgap.analysis.redrawn import LEAST_SPLITS, averaged_over_draws, family_of, own_share, shares_of
from tgap.analysis.rows import PlannedRun, RunRow, Settings
from tgap.analysis.splits import (
    NOT_RESAMPLED,
    Numbers,
    Sampled,
    expected_splits,
    largest_block,
    mean_interval,
    mean_over_splits,
    side_by_side,
    split_name,
)
from tgap.core import Doubles
from tgap.core.settings import BEYOND_GUIDANCE
from tgap.metrics.gap import CHANCE, fter_is_meaningful
from tgap.metrics.intervals import LEAST_FREEDOM, Interval
from tgap.metrics.legs import (
    EXTERNAL,
    LEGS,
    REAL,
    SCALES,
    SYNTHETIC,
    external_patients,
    image_freedom,
    numbers_with_intervals,
    of_legs,
)

MEANINGFUL = "fter/meaningful"

FURTHER = re.compile(
    r"external/.+/(tstr|trtr)/auroc|memorization/(copied_fraction|tuning_known)|fidelity/coverage"
    r"|train_images/synthetic"
)
"""Metrics that are averaged beside those of ``SCALES``; of further test sets with intervals."""

SHARES = ("memorization/copied_fraction", "fidelity/coverage")
"""Those that have an interval over draws, given the real images."""
LEAST_DRAWS = 3
"""With two, an interval over draws alone says nothing."""

COLLAPSED = 1 / 4
"""Share of what the best seed has learnt (AUROC above chance) below which a seed is told of, if it
is ``SCATTER`` below that one, which is further than that above chance."""

NAMED = {
    "generator": "generator.class",
    "guidance": "sampler.guidance",
    "protocol": "protocol.class",
}
"""Settings that every table names, varied or not."""

NAMED_IF_ASKED = tuple(f"sampler.{name}" for name in BEYOND_GUIDANCE)
"""Those that a run has only where they were asked for: they say what the guidance means."""

BySplit = Mapping[str, Numbers]
"""A seed's numbers by split: one, or for each fold."""


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ in their seed and split only.

    Args:
        method: Label; with the start of its key where two methods have the same label.
        method_key: Of what the method is.
        size: Tuning images, as of ``PlannedRun``.
        settings: Their common settings.
        by_seed: Numbers of the seeds that are there, sorted; each has all of ``splits``.
        splits: What a seed's numbers are means over.
        missing_splits: Those that a whole mean is over too and that no seed, or not each, has.
        missing: Seeds that were asked for and are not there, or not with all of ``splits``.
        repeated: Seeds whose scores are those of another seed, which count once.
        averaged: Seeds that train on another seed's synthetic set: such are averaged first, and
            count as one draw.
        one_set: Whether all seeds train on one and the same synthetic set, so that no draw varies;
            they are not averaged then, and nothing is known of other draws of the generator.
        numbers: Mean over the seeds that are there, by metric: all of ``SCALES`` with an interval
            where one is justified, others without. FTER is the mean of the seeds' ratios.
        fter_meaningful: Whether FTER means something for every seed.
        effective: Effective patients of the rarer side, by ``REAL`` and ``SYNTHETIC``.
        collapsed: Values of seeds that have learnt next to nothing beside the best, by leg.
        is_control: As of ``PlannedRun``.
        shares: Where splits are drawn anew (``split_seed``), of ``shares_of``; empty otherwise.
        apart: Why its runs are not averaged with those of other ``split_seed``; empty otherwise.
    """

    method: str
    method_key: str
    size: int | None
    settings: Settings
    by_seed: Mapping[int, BySplit] = field(repr=False)
    splits: tuple[str, ...]
    missing_splits: tuple[str, ...]
    missing: tuple[int, ...]
    repeated: tuple[int, ...]
    averaged: tuple[int, ...]
    one_set: bool
    numbers: Mapping[str, Interval]
    fter_meaningful: bool
    effective: Mapping[str, float]
    collapsed: Mapping[str, Mapping[int, float]]
    is_control: bool
    shares: Mapping[str, float] = field(default_factory=dict)
    apart: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are there."""
        return tuple(self.by_seed)

    def over(self, seeds: Sequence[int], splits: Sequence[str]) -> list[Numbers]:
        """The numbers of these seeds, each the mean over these of its splits."""
        return [mean_over_splits(self.by_seed[seed], splits, self.shares) for seed in seeds]

    def means(self, seeds: Sequence[int], splits: Sequence[str]) -> dict[str, Interval]:
        """Means over these seeds and splits, all of ``SCALES``."""
        share = 1.0 if self.shares else len(splits) / max(1, len(self.splits))
        effective = {side: number * share for side, number in self.effective.items()}
        return _means(self.over(seeds, splits), len(splits), effective, self.least_freedom)

    def freedom(self, name: str, splits: Sequence[str]) -> float:
        """Degrees of freedom of what test images, or splits, add to a number's variance."""
        return _freedom(name, len(splits), self.effective)

    @property
    def least_freedom(self) -> float:
        """Degrees of freedom below which these bear no interval."""
        return _least_freedom(self.shares)

    def own_share(self, name: str, splits: Sequence[str]) -> float:
        """Share of a variance over splits that runs add which have nothing but it in common."""
        return own_share(name, self.shares, len(splits))

    def values(self, name: str) -> dict[int, float]:
        """A number by seed."""
        numbers = self.over(self.seeds, self.splits)
        return {seed: one[name].value for seed, one in zip(self.seeds, numbers, strict=True)}

    def has_setting(self, name: str) -> bool:
        """Whether a setting concerns it: of a control's generator none, nor the unit of no size."""
        if name == "size_unit":
            return self.size is not None
        return "generator.class" in self.settings or not name.startswith("generator.")

    @property
    def fter_of_means(self) -> float:
        """Mean TSTR over mean TRTS: the other way to average FTER; NaN if it is not defined."""
        tstr, trts = (self.numbers[f"{leg}/auroc"].estimate for leg in ("tstr", "trts"))
        return tstr / trts if trts > 0 else math.nan


def varied(groups: Sequence[RunGroup]) -> list[str]:
    """Settings in which groups differ; one for those that vary together, best a ``NAMED`` one."""
    names = dict.fromkeys([*NAMED.values(), *(name for group in groups for name in group.settings)])
    first_names: dict[tuple[int, ...], str] = {}
    for name in names:
        values = [group.settings.get(name) for group in groups if group.has_setting(name)]
        pattern = tuple(values.index(value) for value in values)
        if any(pattern):
            first_names.setdefault(pattern, name)
    return list(first_names.values())


def group_runs(
    rows: Sequence[RunRow], missing: Sequence[PlannedRun] = (), further: Sequence[str] = ()
) -> tuple[RunGroup, ...]:
    """Average runs over their seeds.

    A group is a method (by key), a size and settings. Runs of one seed are averaged first, over
    its splits if it has several, and those with the same evaluation key count once, also where
    they were asked for by several seeds (``seeds.classify=0 seed=1,2``: nothing varies); so do
    seeds that train on one synthetic set, as their mean, where there is another. The interval over
    seeds is that of ``tgap.metrics.intervals``. Seeds that lack a split that another
    one has are missing, lest means over different folds are averaged.

    Runs that differ in ``split_seed`` are splits of one group where ``averaged_over_draws`` says.

    Args:
        rows: One per finished run.
        missing: Runs that were asked for and did not finish.
        further: Metrics to average beside ``SCALES`` and ``FURTHER``.

    Returns:
        Groups in the order in which their methods came, then by size.
    """
    runs, reasons = averaged_over_draws((*rows, *missing))
    alike: dict[tuple[object, ...], list[PlannedRun]] = {}
    for run in runs:
        key = (run.method_key, run.size, tuple(sorted(run.settings.items())))
        alike.setdefault(key, []).append(run)
    labels = _labels((*rows, *missing))
    order = list(labels)
    found = sorted({name for row in rows for name in row.metrics if FURTHER.fullmatch(name)})
    further = [name for name in dict.fromkeys([*found, *further]) if name not in SCALES]
    ordered = sorted(
        alike.values(), key=lambda runs: (order.index(runs[0].method_key), runs[0].size or 0)
    )
    return tuple(
        _group(runs, labels[runs[0].method_key], further, reasons.get(family_of(runs[0]), ""))
        for runs in ordered
    )


def _labels(runs: Sequence[PlannedRun]) -> dict[str, str]:
    """A label per method key, in their order; methods that share one get the start of their key."""
    labels: dict[str, str] = {}
    for run in runs:
        labels.setdefault(run.method_key, run.method)
    shared = list(labels.values())
    return {
        key: f"{label} #{key[:6]}" if shared.count(label) > 1 else label
        for key, label in labels.items()
    }


def _group(runs: Sequence[PlannedRun], label: str, further: Sequence[str], apart: str) -> RunGroup:
    rows = sorted((run for run in runs if isinstance(run, RunRow)), key=lambda row: row.seed)
    units = units_of(rows)
    one_set = len(units) > 1 and len(set(units.values())) == 1
    units = {seed: seed for seed in units} if one_set else units
    once = results_of(rows)
    results = averaged(once, units)
    there = {
        seed: {split: _sampled(same, further) for split, same in by_split.items()}
        for seed, by_split in sorted(results.items())
    }
    expected = expected_splits(runs)
    splits = largest_block(there, expected)
    by_seed = {seed: one for seed, one in there.items() if one.keys() >= set(splits)}
    repeated = {row.seed for row in rows} - once.keys()
    shared = {seed for seed in once if units[seed] != seed}
    every = [row for row in rows if units[row.seed] in by_seed]
    shares = shares_of(every)
    effective = {side: _effective(side, every, splits, bool(shares)) for side in (REAL, SYNTHETIC)}
    means = [mean_over_splits(of_seed, splits, shares) for of_seed in by_seed.values()]
    first = runs[0]
    return RunGroup(
        method=label,
        method_key=first.method_key,
        size=first.size,
        settings=first.settings,
        by_seed=by_seed,
        splits=splits,
        missing_splits=tuple(name for name in expected if name not in splits),
        missing=tuple(sorted({run.seed for run in runs} - by_seed.keys() - repeated - shared)),
        repeated=tuple(sorted(repeated)),
        averaged=tuple(sorted(shared)),
        one_set=one_set and len(by_seed) > 1,
        numbers=_means(means, len(splits), effective, _least_freedom(shares))
        | {name: _further(name, means, every) for name in further}
        | ({} if one_set else _shares(means, further)),
        fter_meaningful=_meaningful(means, splits, every),
        effective=effective,
        collapsed=_collapsed(dict(zip(by_seed, means, strict=True))),
        is_control=first.is_control,
        shares=shares,
        apart=apart,
    )


def _effective(side: str, rows: Sequence[RunRow], splits: Sequence[str], anew: bool) -> float:
    """Effective patients that a seed is tested on: the fewest of any seed, over all splits; of one
    split where they are drawn anew, since they may test on the same patients.
    """
    of_split = [
        [row.metrics.get(side, math.inf) for row in rows if split_name(row.split) == split]
        for split in splits
    ]
    fewest = [min(numbers) for numbers in of_split]
    return (min(fewest) if anew else math.fsum(fewest)) if fewest else math.inf


def _sampled(results: Sequence[RunRow], further: Sequence[str]) -> Numbers:
    """The numbers of one seed and split, averaged over its results."""
    resampled = [_resampled(row) for row in results]
    return {
        name: Sampled(
            math.fsum(row.metrics.get(name, math.nan) for row in results) / len(results),
            side_by_side([one.get(name, NOT_RESAMPLED) for one in resampled]).mean(axis=1),
        )
        for name in (*SCALES, *further)
    }


def _resampled(row: RunRow) -> dict[str, Doubles]:
    """Numbers on resampled test images, of further test sets too, by metric."""
    if not row.resampled:
        return {}
    further = {f"{leg}/auroc": one for leg, one in row.resampled.items() if leg not in LEGS}
    return numbers_with_intervals(row.resampled) | further


def _further(name: str, seeds: Sequence[Numbers], rows: Sequence[RunRow]) -> Interval:
    """Mean over seeds of what is no number of ``SCALES``, with an interval where it has one."""
    values, leg = [seed[name] for seed in seeds], EXTERNAL.fullmatch(name)
    if leg is None:
        return mean_interval(values)
    patients = [row.metrics.get(external_patients(leg[1]), math.inf) for row in rows]
    fewest = min(patients, default=math.inf)
    return mean_interval(values, "logit", fewest - 1, fewest)


def _meaningful(seeds: Sequence[Numbers], splits: Sequence[str], rows: Sequence[RunRow]) -> bool:
    """Whether FTER means something for every seed; of one fold it seldom does."""
    if len(splits) < 2:
        return all(row.metrics.get(MEANINGFUL, 1) != 0 for row in rows)
    return all(
        fter_is_meaningful(seed["tstr/auroc"].value, seed["trts/auroc"].value) for seed in seeds
    )


def _collapsed(by_seed: Mapping[int, Numbers]) -> dict[str, dict[int, float]]:
    found = {}
    for leg in LEGS:
        low = learnt_nothing({s: numbers[f"{leg}/auroc"].value for s, numbers in by_seed.items()})
        if low:
            found[leg] = low
    return found


def learnt_nothing(aurocs: Mapping[int, float]) -> dict[int, float]:
    """Of a leg's AUROCs by seed those that are next to nothing beside the best, see ``COLLAPSED``.

    >>> learnt_nothing({0: 0.91, 1: 0.5, 2: 0.93})
    {1: 0.5}
    """
    best = max(aurocs.values(), default=math.nan)
    if not best > CHANCE + SCATTER:
        return {}
    limit = min(best - SCATTER, CHANCE + COLLAPSED * (best - CHANCE))
    return {seed: auroc for seed, auroc in aurocs.items() if auroc < limit}


def _means(
    seeds: Sequence[Numbers], splits: int, effective: Mapping[str, float], least_freedom: float
) -> dict[str, Interval]:
    """Means over seeds, each of which is the mean over its splits."""
    numbers = {
        name: mean_interval(
            [seed[name] for seed in seeds],
            scale,
            _freedom(name, splits, effective),
            image_freedom(name, effective) + 1,
            least_freedom=least_freedom,
        )
        for name, scale in SCALES.items()
    }
    return of_legs(numbers)


def _freedom(name: str, splits: int, effective: Mapping[str, float]) -> float:
    return splits - 1 if splits > 1 else image_freedom(name, effective)


def _least_freedom(shares: Mapping[str, float]) -> float:
    return LEAST_SPLITS - 1 if shares else LEAST_FREEDOM


def _shares(seeds: Sequence[Numbers], further: Sequence[str]) -> dict[str, Interval]:
    """Means of ``SHARES`` with t intervals over draws; the real images stay the same."""
    if len(seeds) < LEAST_DRAWS:
        return {}
    numbers = {}
    for name in (share for share in SHARES if share in further):
        values = [Sampled(seed[name].value, np.full(2, seed[name].value)) for seed in seeds]
        number = mean_interval(values, "identity")
        numbers[name] = replace(number, lo=max(number.lo, 0.0), hi=min(number.hi, 1.0))
    return numbers
