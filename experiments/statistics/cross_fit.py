"""How often the intervals of cross-fitting hold the truth where images are few.

    python -m experiments.statistics.cross_fit [--repetitions 600] [--world hard]

Images are Gaussian vectors of two labels, ``x_1`` telling them apart, dealt by the protocol itself
and put together by the table's own code. A generator draws around the pool's mean of each label,
displaced by tuning noise of its own in every run; a classifier is a linear discriminant with a
ridge. Its AUROC on endless images is ``Phi(w_1 distance / (sqrt 2 |w|))``, so the truth is known:
that of the trained classifiers at hand, and its mean over data sets of that size.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import norm

from tgap.analysis.comparison import compare
from tgap.analysis.rows import RunRow
from tgap.core import Bools, Doubles, ImageSet, Indices
from tgap.core.settings import Splitting
from tgap.metrics.classification import auroc
from tgap.metrics.intervals import Interval
from tgap.metrics.legs import LEGS, REAL, SYNTHETIC, numbers_with_intervals
from tgap.metrics.resampling import effective_images, resampled_auroc_per_label
from tgap.protocols.clean import Clean
from tgap.protocols.cross_fit import CrossFit

SEEDS = (1, 3, 5)
DRAWN = 100
"""Synthetic images of a label that train, and as many that test."""
TUNING_NOISE = 0.4
RIDGE = 1.0
METHODS = ("a", "b")
"""Equally good."""


@dataclass(frozen=True)
class World:
    """Images of two labels.

    Args:
        dimensions: Of the vectors.
        best: AUROC of the best classifier there is.
    """

    dimensions: int
    best: float

    @property
    def distance(self) -> float:
        """Of the labels' means."""
        return float(norm.ppf(self.best) * np.sqrt(2))

    def images(self, count: int, rng: np.random.Generator) -> Doubles:
        """``(2 count, dimensions)``: the first half without the label."""
        x = rng.standard_normal((2 * count, self.dimensions))
        x[count:, 0] += self.distance
        return x

    def truth(self, direction: Doubles) -> float:
        """AUROC of a direction on endless images."""
        return float(norm.cdf(direction[0] * self.distance / 2**0.5 / np.linalg.norm(direction)))


WORLDS = {"hard": World(20, 0.85), "good": World(20, 0.97), "easy": World(10, 0.995)}


def discriminant(x: Doubles, positive: Bools) -> Doubles:
    """Direction of a linear discriminant with a ridge."""
    means = [x[positive == side].mean(axis=0) for side in (False, True)]
    centred = x - np.where(positive[:, None], means[1], means[0])
    within = centred.T @ centred / max(1, len(x) - 2) + RIDGE * np.eye(x.shape[1])
    direction: Doubles = np.linalg.solve(within, means[1] - means[0])
    return direction


@dataclass(frozen=True)
class Drawn:
    """A synthetic set, train and test part alike: half of each has the label."""

    train: Doubles
    test: Doubles
    positive: Bools


def tuned(
    x: Doubles, positive: Bools, rng: np.random.Generator, noise: float = TUNING_NOISE
) -> Drawn:
    """What a generator draws that was tuned on these images."""
    labels = np.repeat([False, True], DRAWN)
    means = np.stack([x[positive == side].mean(axis=0) for side in (False, True)])
    means += noise * rng.standard_normal(means.shape)
    parts = means[labels.astype(int)] + rng.standard_normal((2, 2 * DRAWN, x.shape[1]))
    return Drawn(parts[0], parts[1], labels)


def copied(x: Doubles, positive: Bools, rng: np.random.Generator) -> Drawn:
    """What a generator draws that knows its tuning images by heart, and nothing else."""
    return Drawn(x, x, positive)


def dataset(count: int) -> ImageSet:
    """Labels of so many images each, and a patient for each; no pixels."""
    return ImageSet(
        images=np.zeros((2 * count, 1, 1, 1), np.uint8),
        labels=np.eye(2, dtype=bool)[np.repeat([0, 1], count)],
        label_names=("without", "with"),
        findings=np.zeros((2 * count, 0), bool),
        finding_names=(),
        patients=np.arange(2 * count, dtype=np.int64),
    )


@dataclass(frozen=True)
class Fitted:
    """A run: its row, and its AUROCs on endless images by leg (of those on real ones)."""

    row: RunRow
    truth: Mapping[str, float]


Sides = tuple[Indices, Indices, Indices]
"""Pool, real_train and real_test: not a ``Split``, because a design may have two of them equal."""
Design = Callable[[Sequence[Indices]], Sides]
"""From the folds, turned so that the first one tests."""


def halves(turned: Sequence[Indices]) -> Sides:
    """As ``CrossFit`` has it."""
    return np.concatenate(turned[3:]), np.concatenate(turned[1:3]), turned[0]


def large_pool(turned: Sequence[Indices]) -> Sides:
    """One fold trains the real classifier, the others tune."""
    return np.concatenate(turned[2:]), turned[1], turned[0]


def same(turned: Sequence[Indices]) -> Sides:
    """What tunes trains the real classifier too."""
    others = np.concatenate(turned[1:])
    return others, others, turned[0]


def crossed(count: int, seed: int, design: Design = halves) -> list[Sides]:
    """For each fold."""
    every = CrossFit().averaged()
    folds = [one.split(dataset(count), Splitting(split_seed=seed)).real_test for one in every]
    return [design([*folds[k:], *folds[:k]]) for k in range(len(folds))]


def clean(count: int, seed: int) -> list[Sides]:
    """The one split of ``protocol=clean``."""
    split = Clean().split(dataset(count), Splitting(split_seed=seed))
    return [(split.pool, split.real_train, split.real_test)]


CASES = [(count, "cross_fit", crossed) for count in (12, 20, 40)] + [(40, "clean", clean)]
"""With fewer, ``clean`` has less than 5 test images of a label, and no interval."""


def fitted(
    world: World,
    x: Doubles,
    test: Indices,
    drawn: Drawn,
    real: Doubles,
    named: Mapping[str, object],
) -> Fitted:
    """A run on a split, with the real classifier's direction."""
    positive = np.arange(len(x)) >= len(x) // 2
    direction = discriminant(drawn.train, drawn.positive)
    tests = {"r": (x[test], positive[test])}
    tests["s"] = (drawn.test, drawn.positive)
    scores = {leg: tests[leg[3]][0] @ (direction if leg[1] == "s" else real) for leg in LEGS}
    legs = {leg: auroc(scores[leg], tests[leg[3]][1]) for leg in LEGS}
    metrics = dict(numbers_with_intervals(legs))
    metrics[REAL] = effective_images(positive[test, None], test)
    metrics[SYNTHETIC] = float(DRAWN)
    resampled: dict[str, Doubles] = {}
    if not named["split"]:  # folds have too few images, and a table would not look at it
        resampled = {leg: _resampled(scores[leg], tests[leg[3]][1]) for leg in LEGS}
    row = RunRow(
        size=None,
        settings={},
        evaluation_key=str(named),
        metrics=metrics,
        resampled=resampled,
        method_key=str(named["method"]),
        **named,  # type: ignore[arg-type]
    )
    return Fitted(row, {"tstr": world.truth(direction), "trtr": world.truth(real), **legs_of(legs)})


def legs_of(legs: Mapping[str, float]) -> dict[str, float]:
    """Those on synthetic images, which are drawn anew in any number: as they were found."""
    return {leg: legs[leg] for leg in ("trts", "tsts")}


def _resampled(scores: Doubles, positive: Bools) -> Doubles:
    each = np.arange(len(scores), dtype=np.int64)
    rng = np.random.default_rng(0)
    return resampled_auroc_per_label(scores[:, None], positive[:, None], each, 400, rng).mean(
        axis=1
    )


def experiment(
    world: World,
    count: int,
    divide: Callable[[int, int], list[Sides]],
    rng: np.random.Generator,
    generate: Callable[[Doubles, Bools, np.random.Generator], Drawn] = tuned,
    seeds: int = max(SEEDS),
) -> list[Fitted]:
    """All runs of two equally good methods on a data set."""
    x = world.images(count, rng)
    positive = np.arange(2 * count) >= count
    divided = divide(count, int(rng.integers(2**31)))
    splits = [{} if len(divided) == 1 else {"fold": str(k)} for k in range(len(divided))]
    runs = []
    for (pool, train, test), split in zip(divided, splits, strict=True):
        real = discriminant(x[train], positive[train])
        for seed in range(seeds):
            for method in METHODS:
                drawn = generate(x[pool], positive[pool], rng)
                words = {"method": method, "seed": seed, "split": split, "splits": splits}
                runs.append(fitted(world, x, test, drawn, real, words))
    return runs


def found(runs: Sequence[Fitted], seeds: int) -> dict[str, Interval]:
    """Intervals of the first method's numbers, and of the methods' difference."""
    comparison = compare([run.row for run in runs if run.row.seed < seeds])
    numbers = comparison.groups[0].numbers
    return {
        "TSTR": numbers["tstr/auroc"],
        "TRTR": numbers["trtr/auroc"],
        "FTER": numbers["fter"],
        "difference": comparison.pairs[0].difference,
    }


def truths(runs: Sequence[Fitted], seeds: int) -> dict[str, float]:
    """The same of the trained classifiers at hand, on endless real images."""
    legs = {
        method: {
            leg: float(
                np.mean(
                    [
                        run.truth[leg]
                        for run in runs
                        if run.row.method == method and run.row.seed < seeds
                    ]
                )
            )
            for leg in LEGS
        }
        for method in METHODS
    }
    first = numbers_with_intervals(legs["a"])
    return {
        "TSTR": first["tstr/auroc"],
        "TRTR": first["trtr/auroc"],
        "FTER": first["fter"],
        "difference": legs["b"]["tstr"] - legs["a"]["tstr"],
    }


def coverage(
    world: World, count: int, divide: Callable[[int, int], list[Sides]], repetitions: int
) -> dict[tuple[str, int], str]:
    """By quantity and seeds: coverage of the models' truth, of the mean truth, width, and more."""
    rng = np.random.default_rng(count)
    intervals: dict[tuple[str, int], list[Interval]] = defaultdict(list)
    true: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(repetitions):
        runs = experiment(world, count, divide, rng)
        for seeds in SEEDS:
            now = truths(runs, seeds)
            for name, interval in found(runs, seeds).items():
                intervals[name, seeds].append(interval)
                true[name, seeds].append(now[name])
    return {key: _line(intervals[key], np.array(true[key]), key[0]) for key in intervals}


def _line(intervals: Sequence[Interval], true: Doubles, name: str) -> str:
    lo, hi = (np.array([getattr(one, end) for one in intervals]) for end in ("lo", "hi"))
    known = np.isfinite(lo)
    if known.mean() < 0.5:
        return f"no interval in {1 - known.mean():.2f}"
    lo, hi, true = lo[known], hi[known], true[known]
    mean = true.mean()
    models = ((lo <= true) & (true <= hi)).mean()
    such = ((lo <= mean) & (mean <= hi)).mean()
    apart = {"TSTR": 0.5, "TRTR": 0.5, "FTER": 1.0, "difference": 0.0}[name]
    shows = ((lo > apart) | (hi < apart)).mean()
    return (
        f"{mean:.3f} | {models:.3f} | {such:.3f} | {np.mean(hi - lo):.3f} | {shows:.2f} | "
        f"{1 - known.mean():.3f}"
    )


def designs(world: World, count: int, repetitions: int) -> dict[str, str]:
    """TSTR, TRTS and TRTR of a generator that copies, and of one that does not, by design."""
    lines = {}
    for design in (halves, large_pool, same):
        rng = np.random.default_rng(0)
        words = []
        for generate in (copied, tuned):
            runs = [
                run
                for _ in range(repetitions)
                for run in experiment(
                    world, count, partial(crossed, design=design), rng, generate, seeds=1
                )
            ]
            words += [f"{np.mean([run.truth[leg] for run in runs]):.3f}" for leg in LEGS[:3]]
        lines[design.__name__] = " | ".join(words)
    return lines


def main() -> None:
    """Print the tables of ``docs/few_images.md``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=600)
    parser.add_argument("--world", choices=[*WORLDS, "designs"])
    chosen = parser.parse_args()
    print(
        "world, images, protocol | seeds | of | truth | models | such data | width | apart | none"
    )
    for name, world in WORLDS.items():
        for count, words, divide in CASES if chosen.world in (None, name) else ():
            lines = coverage(world, count, divide, chosen.repetitions)
            for (number, seeds), line in lines.items():
                print(f"{name}, {count}, {words} | {seeds} | {number} | {line}", flush=True)
    for count in (12, 20, 40) if chosen.world in (None, "designs") else ():
        for words, line in designs(WORLDS["good"], count, chosen.repetitions).items():
            print(f"{count}: {words} | {line}", flush=True)


if __name__ == "__main__":
    main()
