"""How many seeds a comparison of methods needs: simulation of the sign-flip test with Holm.

python -m experiments.statistics.power        (about 3 minutes on one core)

Prints Markdown tables and draws ``docs/power.png``: the family-wise error where no method differs,
on a given test set and on a new one, power against seeds, and the spread up to which 8 seeds find a
true difference of .03.
"""

import argparse
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import t

from tgap.core import ContractError, Doubles
from tgap.metrics.intervals import interval_of_covariance
from tgap.metrics.significance import holm, p_of_interval, sign_flip, smallest_p

Noise = Callable[[np.random.Generator, tuple[int, int]], Doubles]

FIGURE = Path(__file__).parents[2] / "docs" / "power.png"
SEED = 20_000
DIFFERENCES = (0.01, 0.02, 0.03, 0.05)
SPREADS = (0.01, 0.02, 0.04)
SEEDS = range(5, 21)
# Okabe & Ito's colours, told apart by colour-blind readers; markers for those who print in grey.
STYLES = (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^"), ("#CC79A7", "D"))


@dataclass(frozen=True)
class Family:
    """Methods whose pairs are all compared, over seeds that they share."""

    methods: int
    seeds: int
    noise: str

    @property
    def pairs(self) -> int:
        """Comparisons in the family."""
        return self.methods * (self.methods - 1) // 2


def gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> Doubles:
    """Equal spread for every method."""
    return rng.standard_normal(shape)


def unequal(rng: np.random.Generator, shape: tuple[int, int]) -> Doubles:
    """Heavy tails (t with 3 degrees of freedom), and methods whose spread differs 4 times."""
    return rng.standard_t(3, shape) * np.geomspace(0.5, 2, shape[1])


NOISES: dict[str, Noise] = {"normal": gaussian, "heavy tails, unequal": unequal}
FAMILIES = tuple(
    Family(methods, seeds, noise)
    for noise in NOISES
    for methods, seeds in ((3, 8), (10, 8), (10, 12))
)


def adjusted(
    means: Sequence[float], seeds: int, noise: Noise, repetitions: int, rng: np.random.Generator
) -> Doubles:
    """Holm's p-values of all pairs of methods, in simulated experiments.

    Values are the method's mean, a seed's effect on all methods, and noise. Pairs that share a
    method are correlated.

    Args:
        means: The methods' true means.
        seeds: Seeds.
        noise: Draws ``(seeds, methods)``.
        repetitions: Experiments.
        rng: Draws.

    Returns:
        ``(repetitions, pairs)`` float64.
    """
    found = []
    for _ in range(repetitions):
        shared = 3 * rng.standard_normal((seeds, 1))
        values = np.asarray(means) + shared + noise(rng, (seeds, len(means)))
        pairs = combinations(values.T, 2)
        found.append(np.array([sign_flip(first - second) for first, second in pairs]))
    with spared_by_the_collector():
        return np.array([holm(p_values) for p_values in found])


@contextmanager
def spared_by_the_collector() -> Iterator[None]:
    """Statsmodels' Holm collects garbage in each call: 0.1 s of looking through all imports."""
    holm(np.ones(1))  # imports statsmodels
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def family_wise_error(family: Family, repetitions: int, rng: np.random.Generator) -> float:
    """How often any pair is found to differ where none does, at the level .05."""
    equal = [0.0] * family.methods
    found = adjusted(equal, family.seeds, NOISES[family.noise], repetitions, rng)
    return float((found <= 0.05).any(axis=1).mean())


def shares_of_error(
    family: Family, share: float, repetitions: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """How often a pair is found to differ where methods are equally good on endless test images.

    What the test images are to one method rather than another is the same in all seeds.

    Args:
        family: Methods; the noise of seeds is normal.
        share: Of the variance of a mean difference, what comes from the test images.
        repetitions: Experiments, each with test images of its own.
        rng: Draws.

    Returns:
        Family-wise errors at the level .05: of the sign-flip test, of the intervals' p-values, and
        of both at once, which a sweep's table calls "differ".
    """
    shape = (family.seeds, family.methods)
    of_images = share / (1 - share) / family.seeds  # variance of what images are to a method
    covariance = np.full((family.seeds, family.seeds), 2 * of_images)
    found = []
    for _ in range(repetitions):
        values = gaussian(rng, shape) + np.sqrt(of_images) * rng.standard_normal(family.methods)
        differences = [first - second for first, second in combinations(values.T, 2)]
        over_seeds = [sign_flip(d) for d in differences]
        over_both = [p_of_interval(interval_of_covariance(d, covariance)) for d in differences]
        found.append((np.array(over_seeds), np.array(over_both)))
    with spared_by_the_collector():
        rejected = np.array([[holm(p) <= 0.05 for p in pair] for pair in found])
    both = rejected.all(axis=1, keepdims=True)
    errors = np.concatenate([rejected, both], axis=1).any(axis=2).mean(axis=0)
    return float(errors[0]), float(errors[1]), float(errors[2])


def power(
    difference: float,
    spread: float,
    seeds: int,
    comparisons: int = 1,
    *,
    rng: np.random.Generator,
    alpha: float = 0.05,
    repetitions: int = 2000,
) -> float:
    """The chance that ``sign_flip`` finds a true difference on a given test set, by simulation.

    Differences are normal. Of several comparisons, this one is taken to be the first of Holm's
    steps, ``comparisons * p <= alpha``; where others are found too, Holm asks less of it, so this
    is a lower bound.

    Args:
        difference: True mean difference.
        spread: Standard deviation, over seeds, of the paired difference; above 0.
        seeds: Seeds per method, at least 1.
        comparisons: Size of the family, at least 1.
        rng: Draws the differences.
        alpha: Level.
        repetitions: Simulated experiments; the standard error is at most ``0.5 / repetitions^.5``.

    Returns:
        A share in [0, 1]; 0 if ``smallest_p(seeds, comparisons) > alpha``.

    Raises:
        ContractError: If the spread is not above 0, or as ``smallest_p``.
    """
    if not spread > 0:
        raise ContractError(f"the spread must be above 0, got {spread}")
    if smallest_p(seeds, comparisons) > alpha:
        return 0.0
    drawn = rng.normal(difference, spread, size=(repetitions, seeds))
    return float(np.mean([comparisons * sign_flip(d, rng) <= alpha for d in drawn]))


def closed_form_of_error(share: float, seeds: int) -> float:
    """As the sign-flip test's error, for one pair, by the t test in its place."""
    return float(2 * t.sf(t.ppf(0.975, seeds - 1) * np.sqrt(1 - share), seeds - 1))


def power_of_holm(
    difference: float, spread: float, seeds: int, repetitions: int, rng: np.random.Generator
) -> float:
    """Power of one of 3 pairs where the third method equals the second, all of Holm's steps taken.

    ``power`` counts the first step only, so it is a lower bound of this.
    """
    means = [difference * np.sqrt(2) / spread, 0.0, 0.0]  # noise 1, so paired spread 2^.5
    return float((adjusted(means, seeds, gaussian, repetitions, rng)[:, 0] <= 0.05).mean())


def largest_spread(
    difference: float, seeds: int, comparisons: int, wanted: float, repetitions: int
) -> float:
    """The largest spread at which ``power`` is at least ``wanted``, by bisection to 1 %."""
    low, high = difference / 10, difference * 10
    while high / low > 1.01:
        middle = float(np.sqrt(low * high))
        # The same draws at every spread, so that power falls steadily.
        rng = np.random.default_rng(SEED)
        got = power(difference, middle, seeds, comparisons, rng=rng, repetitions=repetitions)
        low, high = (middle, high) if got >= wanted else (low, middle)
    return low


Curves = dict[tuple[float, int, float], list[float]]
"""Power by seeds, of (spread, comparisons, difference)."""


def power_curves(seeds: Sequence[int], repetitions: int, rng: np.random.Generator) -> Curves:
    """Power against seeds, for a single comparison and for one of three."""
    return {
        (spread, comparisons, difference): [
            power(difference, spread, s, comparisons, rng=rng, repetitions=repetitions)
            for s in seeds
        ]
        for spread in SPREADS
        for comparisons in (1, 3)
        for difference in DIFFERENCES
    }


def draw(curves: Curves, seeds: Sequence[int], path: Path) -> None:
    """A panel per spread: power against seeds, a line per true difference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for panel, spread in zip(figure.subplots(1, len(SPREADS), sharey=True), SPREADS, strict=True):
        panel.axhline(0.8, color="0.8", linewidth=1, zorder=0)
        for difference, (colour, marker) in zip(DIFFERENCES, STYLES, strict=True):
            for comparisons, dashes in ((1, "-"), (3, ":")):
                panel.plot(
                    seeds,
                    curves[spread, comparisons, difference],
                    dashes,
                    color=colour,
                    marker=marker if comparisons == 1 else None,
                    markersize=4,
                    linewidth=1.6,
                    label=f"{difference:g}" if comparisons == 1 else None,
                )
        panel.set_title(f"spread of the paired difference {spread:g}")
        panel.set(xlabel="seeds", ylim=(-0.03, 1.03), xticks=range(5, 21, 3))
        panel.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("power (level .05)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(DIFFERENCES),
        frameon=False,
        title="true difference of TSTR; solid: one comparison, dotted: one of three (Holm)",
    )
    # Without the version of matplotlib, which would change the bytes.
    figure.savefig(path, format="png", metadata={"Software": None})


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows in Markdown."""
    lines = [list(headings), ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def error_table(repetitions: int, rng: np.random.Generator) -> str:
    """The family-wise error of every family."""
    return table(
        ["methods", "pairs", "seeds", "noise", "smallest adjusted p", "family-wise error"],
        [
            [
                str(family.methods),
                str(family.pairs),
                str(family.seeds),
                family.noise,
                f"{smallest_p(family.seeds, family.pairs):.3f}",
                f"{family_wise_error(family, repetitions, rng):.3f}",
            ]
            for family in FAMILIES
        ],
    )


def image_table(repetitions: int, rng: np.random.Generator) -> str:
    """The family-wise error on a new test set, by the test images' share of the variance."""
    rows = []
    for methods, seeds in ((2, 8), (3, 8), (10, 12)):
        family = Family(methods, seeds, "normal")
        for share in (0.0, 0.2, 0.5, 0.8, 0.9):
            errors = shares_of_error(family, share, repetitions, rng)
            closed = f"{closed_form_of_error(share, seeds):.3f}" if methods == 2 else ""
            rows.append(
                [
                    f"{methods} ({family.pairs})",
                    str(seeds),
                    f"{share:g}",
                    *(f"{error:.3f}" for error in errors),
                    closed,
                ]
            )
    return table(
        [
            "methods (pairs)",
            "seeds",
            "test images' share",
            "sign-flip",
            "interval's p",
            "both",
            "sign-flip, closed form",
        ],
        rows,
    )


def power_table(curves: Curves, seeds: Sequence[int]) -> str:
    """Power at a few numbers of seeds: of a single comparison / of one of three."""
    shown = [s for s in seeds if s in (5, 6, 8, 10, 12, 16, 20)]
    rows = [
        [
            f"{spread:g}",
            f"{difference:g}",
            *(
                " / ".join(
                    f"{curves[spread, comparisons, difference][list(seeds).index(s)]:.2f}"
                    for comparisons in (1, 3)
                )
                for s in shown
            ),
        ]
        for spread in SPREADS
        for difference in DIFFERENCES
    ]
    return table(["spread", "difference", *(f"{s} seeds" for s in shown)], rows)


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    asked = parser.parse_args()
    rng = np.random.default_rng(SEED)
    print("Family-wise error where no method differs on the given test set (level .05)\n")
    print(error_table(asked.repetitions, rng))
    print("The same where none differs on endless test images\n")
    print(image_table(asked.repetitions // 2, np.random.default_rng(SEED)))
    curves = power_curves(SEEDS, asked.repetitions, rng)
    draw(curves, SEEDS, asked.figure)
    print("Power on a given test set: a single comparison / one of three under Holm\n")
    print(power_table(curves, SEEDS))
    for comparisons, words in ((1, "a single comparison"), (3, "one of 3 comparisons under Holm")):
        spread = largest_spread(0.03, 8, comparisons, 0.8, 10 * asked.repetitions)
        print(f"8 seeds have power .8 for a difference of .03 up to spread {spread:.4f}: {words}")
    full = power_of_holm(0.03, spread, 8, asked.repetitions, rng)
    print(f"There, with all of Holm's steps, where a second pair differs too, power is {full:.2f}")


if __name__ == "__main__":
    main()
