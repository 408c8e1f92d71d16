"""How often a table says that methods differ, where they do not and where they do.

    python -m experiments.statistics.power [--repetitions 1000]        (about 15 minutes)

Scores are those of ``coverage``: methods share the test images and some of a seed's luck. All pairs
are compared, or those with the first method. Fewer methods are the first of the most, fewer seeds
likewise. Beside the rule of the table, Holm's p-values of the intervals, stands the exact sign-flip
test over seeds under Holm, which cannot claim anything with five seeds, and speaks of the given
test images only.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from experiments.statistics.coverage import Sample, World, head, row, sample, visits
from tgap.analysis.groups import learnt_nothing
from tgap.core import Doubles
from tgap.metrics.intervals import interval_of_covariance
from tgap.metrics.resampling import effective_images
from tgap.metrics.significance import LEVEL, holm, p_of_interval

METHODS, SEEDS = 5, (3, 5, 8)
PAIRS = tuple(combinations(range(METHODS), 2))
FAMILIES = {
    **{f"{n} methods": [second < n for _, second in PAIRS] for n in (2, 3, METHODS)},
    "5 methods, one a reference": [first == 0 for first, _ in PAIRS],
}
"""Which pairs are compared."""
LEADS = (0.03, 0.05, 0.07, 0.1)
"""True differences of TSTR, of the first method to each other one."""


@dataclass(frozen=True)
class Field:
    """Methods that are compared.

    Args:
        world: Where their scores come from.
        heavy: Seeds' luck has heavy tails (t with 3 degrees of freedom), and a spread that differs
            4 times between methods.
        positives: Share of the images with the label, each then of a patient of its own.
    """

    world: World
    heavy: bool = False
    positives: float | None = None

    def test(self, lead: float, rng: np.random.Generator) -> Sample:
        """A test set, scored by classifiers of all methods and seeds."""
        world, shape = self.world, (METHODS, max(SEEDS))
        own = rng.standard_t(3, shape) if self.heavy else rng.standard_normal(shape)
        own *= np.geomspace(0.5, 2, len(own))[:, None] if self.heavy else 1.0
        luck = world.together * rng.standard_normal(shape[1])
        luck = luck + math.sqrt(1 - world.together**2) * own
        separation = np.full((shape[0], 1), world.tstr)
        if lead:
            auroc = norm.cdf(world.tstr / math.sqrt(2)) + lead
            separation[0] = math.sqrt(2) * norm.ppf(auroc)
        learned = rng.random(shape) >= world.collapse
        separations = np.where(learned, separation + world.seed * luck, 0.0)
        if self.positives is None:
            return sample(world, separations, visits(world.images, rng), rng)
        each = np.arange(world.images)
        return sample(world, separations, each, rng, self.positives)


FIELDS = (
    Field(World("seeds", 1_000, 0.30, 0.3, 0.3)),
    Field(World("test images", 1_000, 0.02, 0.5, 0.8)),
    Field(World("both", 1_000, 0.12, 0.4, 0.6)),
    Field(World("each seed's own way with images", 1_000, 0.05, 0.2, 0.2)),
    Field(World("each method's own way with images", 1_000, 0.05, 0.2, 0.2, method=0.6)),
    Field(World("both; heavy tails, unequal spread", 1_000, 0.12, 0.4, 0.6), heavy=True),
    Field(
        World(
            "both; one seed of ten collapses, in all methods alike",
            1_000,
            0.12,
            0.4,
            0.6,
            collapse=0.1,
        )
    ),
    Field(World("both; 30 positives", 1_000, 0.12, 0.4, 0.6), positives=0.03),
    Field(World("patients, a few of whom have most images", 1_000, 0.05, 0.9, 0.2)),
)
USUAL = FIELDS[2]
"""A seed's TSTR varies by .025."""


def sign_flip(differences: Doubles) -> float:
    """Share of the sign patterns whose mean is as far from 0 as that of the differences."""
    signs = np.array(list(product((1, -1), repeat=len(differences))))
    least = abs(float(differences.sum())) - 1e-12
    return float((np.abs(signs @ differences) >= least).mean())


def p_values(aurocs: Doubles, influence: Doubles, freedom: float) -> Doubles:
    """``(2, pairs)``: of the intervals and by sign-flips, of all pairs of methods.

    Args:
        aurocs: ``(methods, S)``.
        influence: ``(patients, methods, S)``, what each patient adds to their errors.
        freedom: Degrees of freedom of what the test images add.
    """
    found = []
    for a, b in PAIRS:
        difference, spread = aurocs[a] - aurocs[b], influence[:, a] - influence[:, b]
        interval = interval_of_covariance(
            difference, spread.T @ spread, image_freedom=freedom, cautious=True
        )
        found.append((p_of_interval(interval), sign_flip(difference)))
    return np.array(found).T


def simulate(
    field: Field, lead: float, repetitions: int
) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Claims ``(repetitions, 2, pairs)`` by family and seeds."""
    claims: dict[tuple[str, int], list[NDArray[np.bool_]]] = {}
    for repetition in range(repetitions):
        test = field.test(lead, np.random.default_rng(repetition))
        shape = (METHODS, max(SEEDS))
        aurocs, influence = test.aurocs().reshape(shape), test.influence().reshape(-1, *shape)
        freedom = effective_images(test.labels, test.patients) - 1
        for seeds in SEEDS:
            raw = p_values(aurocs[:, :seeds], influence[:, :, :seeds], freedom)
            for name, chosen in FAMILIES.items():
                told = np.array([holm(p) <= LEVEL for p in raw[:, chosen]])
                claims.setdefault((name, seeds), []).append(told)
    return {design: np.array(told) for design, told in claims.items()}


def shares(claims: NDArray[np.bool_], pairs: slice) -> str:
    """How often one of these pairs is told, by the rule of the table / by sign-flips."""
    return " / ".join(f"{share:.3f}" for share in claims[:, :, pairs].any(axis=2).mean(axis=0))


def show(fields: Sequence[Field], lead: float, repetitions: int, pairs: slice) -> None:
    """A row per field."""
    designs = list(product(FAMILIES, SEEDS))
    head(["variance from", "lead", *(f"{family}, {s} seeds" for family, s in designs)])
    for field in fields:
        claims = simulate(field, lead, repetitions)
        row([field.world.name, f"{lead:g}", *(shares(claims[design], pairs) for design in designs)])


def show_collapses(repetitions: int) -> None:
    """How often any of 8 seeds is said to have learnt nothing, where all or all but one have."""
    head(["TSTR", "scatter", "all have learnt", "one has not (.5, scatter .06)"])
    rng = np.random.default_rng(0)
    for tstr, scatter in ((0.95, 0.02), (0.76, 0.03), (0.6, 0.03), (0.76, 0.06), (0.7, 0.06)):
        told = []
        for _ in range(10 * repetitions):
            values = np.minimum(1, rng.normal(tstr, scatter, 8))
            lost = [rng.normal(0.5, 0.06), *values[1:]]
            told.append(
                (
                    bool(learnt_nothing(dict(enumerate(values.tolist())))),
                    0 in learnt_nothing(dict(enumerate(lost))),
                )
            )
        row([f"{tstr:g}", f"{scatter:g}", *(f"{share:.3f}" for share in np.mean(told, axis=0))])


def main() -> None:
    """Errors of all fields; power where seeds and test images both matter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1_000)
    repetitions = parser.parse_args().repetitions
    print("Any pair is told to differ, where none does: interval's p / sign-flips, under Holm\n")
    show(FIELDS, 0.0, repetitions, slice(None))
    print("\nThe first pair is told to differ, which does\n")
    for lead in LEADS:
        show([USUAL], lead, repetitions // 2, slice(0, 1))
    print("\nA seed is said to have collapsed\n")
    show_collapses(repetitions)


if __name__ == "__main__":
    main()
