"""How often intervals over random splits of one data set hold the truth.

    python -m experiments.statistics.splits [--repetitions 300]          (about 6 minutes)

Worlds, generators and classifiers are those of ``cross_fit``; the splits are those of
``protocol=clean``, 60 % pool, 20 % real_train and 20 % real_test, and the table's own code puts
them together. The truth is the mean over data sets of that size. Where tuning noise is small, most
of the variance is what the pool adds, which splits share most. Beside the rule of the table stand
two others: no correction, and Nadeau & Bengio's with n_test / n_train for the pool as training
set. Two methods are equally good, so each difference that is told is an error.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np

from experiments.statistics.cross_fit import (
    METHODS,
    WORLDS,
    Fitted,
    World,
    discriminant,
    fitted,
    truths,
    tuned,
)
from tgap.analysis.comparison import Comparison, compare
from tgap.analysis.redrawn import SPLIT_SEED
from tgap.core import Indices
from tgap.metrics.legs import SIDE_SHARES
from tgap.metrics.significance import LEVEL

SEEDS, SPLITS, IMAGES = (1, 3), (3, 5, 10), (40, 100, 400, 2000)
SHARES = {"pool": 0.6, "real_train": 0.2, "real_test": 0.2}
RULES = {
    "table": SHARES,
    "n_test / n_train": {
        "pool": 0.25,
        "real_train": 0.25,
        "real_test": 0.0,
    },  # f / (1 - f) = .2 / .6
    "none": dict.fromkeys(SHARES, 0.0),
}
CASES = [
    *((splits, seeds, "table") for splits, seeds in product(SPLITS, SEEDS)),
    *((5, seeds, rule) for seeds, rule in product(SEEDS, list(RULES)[1:])),
]
NUMBERS = ("TSTR", "TRTR", "FTER", "difference")


@dataclass(frozen=True)
class Place:
    """A world, and how much of its own each tuning adds."""

    world: World
    noise: float


PLACES = {"good": Place(WORLDS["good"], 0.4), "hard": Place(WORLDS["hard"], 0.1)}


def dealt(count: int, rng: np.random.Generator) -> tuple[Indices, Indices, Indices]:
    """Pool, real_train and real_test, with equal shares of each label."""
    sides = np.round(np.array([SHARES["pool"], 1 - SHARES["real_test"]]) * count).astype(int)
    labels = [np.split(rng.permutation(count) + label * count, sides) for label in (0, 1)]
    pool, train, test = (np.sort(np.concatenate(side)) for side in zip(*labels, strict=True))
    return pool, train, test


def experiment(
    place: Place,
    count: int,
    rng: np.random.Generator,
    splits: int = max(SPLITS),
    seeds: int = max(SEEDS),
) -> list[Fitted]:
    """All runs on one data set."""
    x = place.world.images(count, rng)
    positive = np.arange(2 * count) >= count
    generate = partial(tuned, noise=place.noise)
    runs = []
    for split in range(splits):
        pool, train, test = dealt(count, rng)
        real = discriminant(x[train], positive[train])
        for seed, method in product(range(seeds), METHODS):
            drawn = generate(x[pool], positive[pool], rng)
            words = {"method": method, "seed": seed, "split": {SPLIT_SEED: str(split)}}
            runs.append(fitted(place.world, x, test, drawn, real, words))
    return runs


def compared(
    runs: Sequence[Fitted], splits: int, seeds: int, shares: dict[str, float]
) -> Comparison:
    """What the table makes of some of the runs, if sides had these shares."""
    told = {SIDE_SHARES[side]: share for side, share in shares.items()}
    rows = [
        replace(run.row, settings=run.row.split, split={}, metrics={**run.row.metrics, **told})
        for run in some(runs, splits, seeds)
    ]
    return compare(rows)


def some(runs: Sequence[Fitted], splits: int, seeds: int) -> list[Fitted]:
    """Those of the first splits and seeds."""
    return [run for run in runs if int(run.row.split[SPLIT_SEED]) < splits and run.row.seed < seeds]


def found(comparison: Comparison) -> dict[str, tuple[float, float]]:
    """Ends of the intervals of the first method's numbers, and of the methods' difference."""
    numbers = comparison.groups[0].numbers
    intervals = {
        "TSTR": numbers["tstr/auroc"],
        "TRTR": numbers["trtr/auroc"],
        "FTER": numbers["fter"],
        "difference": comparison.pairs[0].difference,
    }
    return {name: (one.lo, one.hi) for name, one in intervals.items()}


def coverage(place: Place, count: int, repetitions: int) -> dict[tuple[object, ...], str]:
    """By rule, splits, seeds and number: coverage and mean width; claims of a difference."""
    rng = np.random.default_rng(count)
    ends: dict[tuple[object, ...], list[tuple[float, float]]] = defaultdict(list)
    claims: dict[tuple[object, ...], list[bool]] = defaultdict(list)
    true = []
    for _ in range(repetitions):
        runs = experiment(place, count, rng)
        true.append(truths(runs, max(SEEDS)) | {"difference": 0.0})
        for splits, seeds, rule in CASES:
            comparison = compared(runs, splits, seeds, RULES[rule])
            claims[rule, splits, seeds].append(comparison.pairs[0].p_value <= LEVEL)
            for name, interval in found(comparison).items():
                ends[rule, splits, seeds, name].append(interval)
    truth = {name: float(np.mean([one[name] for one in true])) for name in NUMBERS}
    lines = {}
    for key, told in ends.items():
        lo, hi = np.array(told).T
        value, held = truth[str(key[3])], np.isfinite(lo)
        covered = ((lo <= value) & (value <= hi))[held].mean()
        error = f" | errors {np.mean(claims[key[:3]]):.3f}" if key[3] == "difference" else ""
        width, none = np.mean((hi - lo)[held]), 1 - held.mean()
        lines[key] = f"{value:.3f} | {covered:.3f} | {width:.3f} | {none:.3f}{error}"
    return lines


def main() -> None:
    """Print all coverages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--images", type=int, nargs="*", default=IMAGES)
    chosen = parser.parse_args()
    print("world, images | rule | splits | seeds | of | truth | coverage | width | none")
    for (name, place), count in product(PLACES.items(), chosen.images):
        lines = coverage(place, count, chosen.repetitions)
        for key, line in lines.items():
            print(f"{name}, {count} | {' | '.join(map(str, key))} | {line}", flush=True)


if __name__ == "__main__":
    main()
