"""How often the intervals of ``tgap predict`` hold the truth, in worlds whose law is known.

    python -m experiments.statistics.scaling [--worlds 500]        (about 20 minutes)

A world is a law, drawn anew: the loss at the smallest size, the floor, the exponent, the number of
seeds and their scatter, of which a share is common to a seed's sizes. Runs are at 25, 50, 100, 200
and 400; the interval at 800 and 1,600 is held against the mean of as many new seeds there, which
is what it is of. Of real images beside synthetic ones the sizes are 0, 1, 3, 10, 30, 100 and 300,
and the intervals are at 600 and 1,200.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tgap.analysis.predictions import misses, rises
from tgap.analysis.scaling import Prediction, predict
from tgap.core import Doubles, rng_for

SIZES = (25.0, 50.0, 100.0, 200.0, 400.0)
REAL = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
TIMES = np.array([2.0, 4.0])


@dataclass(frozen=True)
class World:
    """Where a method's runs come from.

    Args:
        law: The mean loss at sizes.
        sizes: Of its runs.
        seeds: S.
        scatter: Standard deviation of a run.
        common: Share of its variance that a seed adds to all its sizes alike.
        offset: Whether the law has one.
    """

    law: Callable[[Doubles], Doubles]
    sizes: Doubles
    seeds: int
    scatter: float
    common: float
    offset: bool = False

    @property
    def at(self) -> Doubles:
        """Sizes to predict at."""
        return TIMES * self.sizes[-1]

    def runs(self, sizes: Doubles, rng: np.random.Generator) -> Doubles:
        """``(S, K)``: losses of new seeds."""
        own = rng.standard_normal((self.seeds, len(sizes)))
        shared = rng.standard_normal((self.seeds, 1))
        noise = np.sqrt(self.common) * shared + np.sqrt(1 - self.common) * own
        return np.asarray(self.law(sizes) + self.scatter * noise)


def falling(rng: np.random.Generator, seeds: Sequence[int] = (5, 8)) -> World:
    """From .15 to .4 at 25 images towards a floor of .01 to .1."""
    floor, first = rng.uniform(0.01, 0.1), rng.uniform(0.15, 0.4)
    exponent = rng.uniform(0.2, 1.2)
    return World(
        lambda n: floor + (first - floor) * (n / SIZES[0]) ** -exponent,
        np.array(SIZES),
        int(rng.integers(seeds[0], seeds[-1] + 1)),
        rng.uniform(0.01, 0.02),
        rng.uniform(0, 0.5),
    )


def few_seeds(rng: np.random.Generator) -> World:
    """The same of three seeds."""
    return falling(rng, (3, 3))


def level(rng: np.random.Generator) -> World:
    """More images change nothing."""
    floor = rng.uniform(0.03, 0.1)
    world = falling(rng)
    return World(lambda n: floor + 0 * n, world.sizes, world.seeds, world.scatter, world.common)


def rising(rng: np.random.Generator) -> World:
    """Falls to 100 images, and is worse by .02 with each doubling from there on: no such law."""
    world = falling(rng)
    return World(
        lambda n: world.law(np.minimum(n, 100)) + 0.02 * np.log2(np.maximum(n / 100, 1)),
        world.sizes,
        world.seeds,
        world.scatter,
        world.common,
    )


def with_real(rng: np.random.Generator) -> World:
    """Real images beside synthetic ones that are worth 3 to 100 of them."""
    floor, first = rng.uniform(0.01, 0.03), rng.uniform(0.05, 0.15)
    worth, exponent = np.exp(rng.uniform(np.log(3), np.log(100))), rng.uniform(0.2, 1.0)
    world = falling(rng)
    return World(
        lambda n: floor + (first - floor) * ((n + worth) / worth) ** -exponent,
        np.array(REAL),
        world.seeds,
        rng.uniform(0.005, 0.01),
        world.common,
        offset=True,
    )


KINDS: dict[str, Callable[[np.random.Generator], World]] = {
    "falling, 5 to 8 seeds": falling,
    "falling, 3 seeds": few_seeds,
    "level": level,
    "rising from 100 on": rising,
    "real beside synthetic": with_real,
}


@dataclass(frozen=True)
class Outcome:
    """What was predicted in a world, and what came.

    Args:
        found: At twice and four times the largest size.
        truth: ``(2,)``: the law's mean loss there.
        came: ``(2,)``: the mean loss of new seeds there.
        rises: Whether the means of the runs rise somewhere.
        refused: Whether nothing would be predicted.
    """

    found: Prediction
    truth: Doubles
    came: Doubles
    rises: bool
    refused: bool

    def holds(self, values: Doubles) -> list[bool]:
        """Whether each lies in its interval."""
        pairs = zip(self.found.at, values, strict=True)
        return [one.lo <= value <= one.hi for one, value in pairs]


def outcome(kind: str, number: int, resamples: int = 200) -> Outcome:
    """Of one world."""
    rng = rng_for("experiments.scaling", number, kind)
    world = KINDS[kind](rng)
    losses = world.runs(world.sizes, rng)
    found = predict(
        world.sizes, losses, world.at.tolist(), offset=world.offset, resamples=resamples
    )
    came = world.runs(world.at, rng).mean(axis=0)
    turned = len(rises(losses)) > 0
    return Outcome(found, world.law(world.at), came, turned, misses(found, losses))


def share(flags: Sequence[bool]) -> str:
    """``.95``, or ``-`` of nothing."""
    return f"{np.mean(flags):.2f}".lstrip("0") if flags else "-"


def width(widths: Sequence[float]) -> str:
    """Their median, e.g. ``.043``, or ``-`` of nothing."""
    return f"{np.median(widths):.3f}".lstrip("0") if widths else "-"


def line(kind: str, outcomes: Sequence[Outcome]) -> str:
    """A row of the table."""
    kept = [one for one in outcomes if not one.refused]
    rising_ones = [one for one in kept if one.rises]
    cells = [kind, share([one.refused for one in outcomes])]
    for place in (0, 1):
        cells += [
            share([one.holds(one.came)[place] for one in kept]),
            share([one.holds(one.truth)[place] for one in kept]),
            width([one.found.at[place].hi - one.found.at[place].lo for one in kept]),
            share([one.found.is_useless(one.found.at[place]) for one in kept]),
        ]
    cells += [str(len(rising_ones)), share([one.holds(one.came)[1] for one in rising_ones])]
    cells += [share([one.found.knows_floor for one in kept])]
    return "| " + " | ".join(cells) + " |"


HEADINGS = (
    "world",
    "refused",
    *(f"{what} {n}x" for n in (2, 4) for what in ("covers", "covers mean", "width", "useless")),
    "not monotone",
    "of these covers 4x",
    "floor known",
)


def main() -> None:
    """Print a row for each kind of world: 500 falling ones, half as many of the others."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=500)
    worlds = parser.parse_args().worlds
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS), flush=True)
    for place, kind in enumerate(KINDS):
        number = max(2, worlds if place == 0 else worlds // 2)
        print(line(kind, [outcome(kind, n) for n in range(number)]), flush=True)


if __name__ == "__main__":
    main()
