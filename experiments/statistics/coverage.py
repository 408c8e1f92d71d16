"""How often the intervals hold the truth, on simulated experiments whose truth is known.

    python -m experiments.statistics.coverage [--repetitions 1000]        (about 10 minutes)

Scores are binormal: positives lie ``d + a_s`` above negatives, where ``a_s`` is seed s's luck, and
their spread of 1 is made of the patient, the image (both the same for all seeds) and noise that
each seed has of its own. The AUROC of seed s on endless test images is then
``Phi((d + a_s) / sqrt 2)``, and the truth its mean over seeds. Real test images are shared by all
seeds and come in patients of 1 to some 100 images; synthetic ones are fresh for each seed.
"""

import argparse
import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from tgap.metrics.classification import macro_auroc
from tgap.metrics.delong import macro_auroc_influence
from tgap.metrics.intervals import Interval, Scale, interval, interval_of_covariance
from tgap.metrics.resampling import effective_clusters, resampled_macro_auroc

Array = NDArray[np.float64]
SCALES: dict[str, Scale] = {"TSTR": "logit", "FTER": "log", "T-Gap": "identity"}
SEEDS = (3, 5, 8, 20)
RESAMPLES = 400


@dataclass(frozen=True)
class World:
    """Where an experiment's numbers come from.

    Args:
        name: For the table.
        images: Real test images; as many synthetic ones per seed.
        seed: Standard deviation of a seed's luck ``a_s``, about 5 times that of its AUROC.
        patient: Standard deviation of what a patient adds to all its images' scores.
        image: Standard deviation of what an image adds to its scores in all seeds.
        tstr: Separation d in TSTR.
        trts: Separation d in TRTS.
        together: Correlation of the two legs' luck within a seed.
    """

    name: str
    images: int
    seed: float
    patient: float
    image: float
    tstr: float = 1.0
    trts: float = 1.8
    together: float = 0.3

    def truth(self) -> dict[str, float]:
        """Expectation over seeds of each quantity on endless test images, by quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        weights = np.outer(weights, weights) / weights.sum() ** 2
        luck, other = self.seed * nodes[:, None], self.seed * nodes[None, :]
        both = self.together * luck + math.sqrt(1 - self.together**2) * other
        tstr = norm.cdf((self.tstr + luck) / math.sqrt(2))
        trts = norm.cdf((self.trts + both) / math.sqrt(2))
        quantities = {"TSTR": tstr + 0 * trts, "FTER": tstr / trts, "T-Gap": trts - tstr}
        return {name: float((weights * values).sum()) for name, values in quantities.items()}


@dataclass(frozen=True)
class Sample:
    """A test set: scores ``(S, N, 2)`` of S seeds, labels ``(N, 2)``, patients ``(N,)``."""

    scores: Array
    labels: NDArray[np.bool_]
    patients: NDArray[np.int64]

    def aurocs(self) -> Array:
        """Macro AUROC of each seed."""
        return np.array([macro_auroc(scores, self.labels) for scores in self.scores])

    def influence(self) -> Array:
        """``(patients, S)``: what each patient adds to the error of each seed's macro AUROC."""
        _, cluster = np.unique(self.patients, return_inverse=True)
        columns = [macro_auroc_influence(scores, self.labels) for scores in self.scores]
        return np.stack([np.bincount(cluster, column) for column in columns], axis=1)

    def resampled(self, resamples: int, seed: int) -> Array:
        """``(resamples, S)``: macro AUROCs, the same patients drawn for all seeds."""
        columns = [
            resampled_macro_auroc(
                scores, self.labels, self.patients, resamples, np.random.default_rng(seed)
            )
            for scores in self.scores
        ]
        return np.stack(columns, axis=1)


def sample(
    world: World, separations: Array, patients: NDArray[np.int64], rng: np.random.Generator
) -> Sample:
    """A test set of these patients, scored by a classifier for each separation."""
    distinct, patient = np.unique(patients, return_inverse=True)
    often = rng.beta(1, 1, len(distinct))[patient]  # how often a patient's images are positive
    positive = rng.random(len(patients)) < often
    known = world.patient * rng.standard_normal(len(distinct))[patient]
    known = known + world.image * rng.standard_normal(len(patients))
    noise = math.sqrt(1 - world.patient**2 - world.image**2)
    latent = separations[:, None] * positive + known
    scores = np.stack([latent, -latent], axis=2)
    scores += noise * rng.standard_normal(scores.shape)
    return Sample(scores, np.stack([positive, ~positive], axis=1), patients)


def visits(images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Patients of so many images: half have one or two, few have many, as in ChestX-ray14."""
    sizes = np.ceil(rng.lognormal(0.3, 1.2, images)).astype(np.int64)
    return np.repeat(np.arange(images), sizes)[:images]


def experiment(world: World, seeds: int, rng: np.random.Generator) -> tuple[Sample, list[Sample]]:
    """The real test set with all seeds' scores of TSTR, and each seed's synthetic one of TRTS."""
    luck = rng.standard_normal((2, seeds))
    other = world.together * luck[0] + math.sqrt(1 - world.together**2) * luck[1]
    real = sample(world, world.tstr + world.seed * luck[0], visits(world.images, rng), rng)
    each = np.arange(world.images)
    synthetic = [
        sample(world, np.array([world.trts + world.seed * own]), each, rng) for own in other
    ]
    return real, synthetic


Found = dict[str, tuple[Array, Array]]
"""Of each quantity, values ``(S,)`` and their covariance ``(S, S)`` or replicates ``(B, S)``."""


def by_influence(real: Sample, synthetic: list[Sample], rng: np.random.Generator) -> Found:
    """Covariances in closed form."""
    a, b = real.aurocs(), np.concatenate([part.aurocs() for part in synthetic])
    influence = real.influence()
    of_a = influence.T @ influence
    of_b = np.array([(part.influence() ** 2).sum() for part in synthetic])
    return {
        "TSTR": (a, of_a),
        "FTER": (a / b, of_a / np.outer(b, b) + np.diag(of_b * a**2 / b**4)),
        "T-Gap": (b - a, of_a + np.diag(of_b)),
    }


def by_bootstrap(real: Sample, synthetic: list[Sample], rng: np.random.Generator) -> Found:
    """Replicates by ``RESAMPLES`` resamples."""
    a, b = real.aurocs(), np.concatenate([part.aurocs() for part in synthetic])
    own = rng.integers(2**32, size=len(synthetic) + 1).tolist()
    of_a = real.resampled(RESAMPLES, own.pop())
    of_b = np.hstack(
        [part.resampled(RESAMPLES, seed) for part, seed in zip(synthetic, own, strict=True)]
    )
    return {"TSTR": (a, of_a), "FTER": (a / b, of_a / of_b), "T-Gap": (b - a, of_b - of_a)}


def simulate(
    world: World, seeds: tuple[int, ...], repetitions: int, bootstrap: bool = False
) -> dict[tuple[str, int], list[Interval]]:
    """Intervals of each quantity and number of seeds; fewer seeds are the first of the most."""
    found: dict[tuple[str, int], list[Interval]] = defaultdict(list)
    method, make = (by_bootstrap, interval) if bootstrap else (by_influence, interval_of_covariance)
    for repetition in range(repetitions):
        rng = np.random.default_rng(repetition)
        real, synthetic = experiment(world, max(seeds), rng)
        freedom = effective_clusters(real.patients) - 1
        for name, (values, spread) in method(real, synthetic, rng).items():
            for s in seeds:
                part = spread[:, :s] if bootstrap else spread[:s, :s]
                found[name, s].append(
                    make(values[:s], part, scale=SCALES[name], image_freedom=freedom)
                )
    return found


def covered(intervals: list[Interval], truth: float) -> float:
    """Share of the intervals that hold the truth; an undefined one does not."""
    return float(np.mean([i.lo <= truth <= i.hi for i in intervals]))


def width(intervals: list[Interval]) -> float:
    """Mean width."""
    return float(np.mean([i.hi - i.lo for i in intervals]))


def satterthwaite(found: Interval, seeds_share: float, level: float = 0.95) -> Interval:
    """The same interval with the usual degrees of freedom, for comparison."""
    freedom = (found.n_seeds - 1) / seeds_share**2
    half = t.ppf((1 + level) / 2, freedom) * found.standard_error
    return replace(found, lo=found.estimate - half, hi=found.estimate + half)


def few_seeds(seeds: int, share: float, repetitions: int) -> tuple[float, float]:
    """Coverage with the degrees of freedom of ``interval``, and with Satterthwaite's.

    Normal values; the seeds make this share of the variance of their mean, and what all seeds have
    in common, of known variance, the rest.
    """
    rng = np.random.default_rng(0)
    covariance = np.full((seeds, seeds), 1 - share)
    ours, usual = [], []
    for _ in range(repetitions):
        values = math.sqrt(seeds * share) * rng.standard_normal(seeds)
        values += math.sqrt(1 - share) * rng.standard_normal()
        ours.append(interval_of_covariance(values, covariance))
        seen = values.var(ddof=1) / seeds
        usual.append(satterthwaite(ours[-1], seen / (seen + 1 - share)))
    return covered(ours, 0.0), covered(usual, 0.0)


REGIMES = tuple(
    World(name, images, seed, patient, image)
    for images in (250, 2_000)
    for name, seed, patient, image in (
        ("seeds", 0.30, 0.3, 0.3),
        ("test images", 0.02, 0.5, 0.8),
        ("both", 0.12, 0.4, 0.6),
        ("images, each seed's own way", 0.05, 0.2, 0.2),
    )
)
RESAMPLED = World("both", 500, 0.12, 0.4, 0.6)
CONTROL = World("control", 10_000, 0.05, 0.2, 0.4, trts=1.0, together=0.0)
"""Real held-out images in place of synthetic ones: both legs have the same AUROC, .76."""


def row(cells: list[str]) -> None:
    """One line of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def head(cells: list[str]) -> None:
    """The first two lines of a Markdown table."""
    row(cells)
    row(["---"] * len(cells))


def show_regimes(repetitions: int) -> None:
    """Coverage and mean width, by the closed form."""
    head(["variance from", "test images", "of", *(f"{s} seeds" for s in SEEDS)])
    for world in REGIMES:
        found, truth = simulate(world, SEEDS, repetitions), world.truth()
        for name in SCALES:
            cells = [f"{covered(found[name, s], truth[name]):.3f}" for s in SEEDS]
            widths = [f"({width(found[name, s]):.3f})" for s in SEEDS]
            both = [" ".join(pair) for pair in zip(cells, widths, strict=True)]
            row([world.name, f"{world.images}", name, *both])


def show_bootstrap(repetitions: int) -> None:
    """The same experiments by resampling and by the closed form."""
    head(["of", "seeds", "resampling", "closed form", "standard errors, resampling / closed form"])
    seeds, truth = SEEDS[:3], RESAMPLED.truth()
    resampled = simulate(RESAMPLED, seeds, repetitions, bootstrap=True)
    closed = simulate(RESAMPLED, seeds, repetitions)
    for name, s in closed:
        pairs = zip(resampled[name, s], closed[name, s], strict=True)
        ratios = np.array([a.standard_error / b.standard_error for a, b in pairs])
        row(
            [
                name,
                f"{s}",
                f"{covered(resampled[name, s], truth[name]):.3f}",
                f"{covered(closed[name, s], truth[name]):.3f}",
                f"{ratios.mean():.3f} +- {ratios.std():.3f}",
            ]
        )


def show_control(repetitions: int) -> None:
    """Coverage of FTER = 1, and the width."""
    found = simulate(CONTROL, (5,), repetitions)["FTER", 5]
    print(
        f"Real images as synthetic ones, {CONTROL.images:,} test images, 5 seeds: FTER = 1 in "
        f"{covered(found, 1.0):.3f} of the intervals, mean width {width(found):.3f}"
    )


def show_few_seeds(repetitions: int) -> None:
    """Why the degrees of freedom are not Satterthwaite's."""
    head(["seeds", "seeds' share of the variance", "covered", "with Satterthwaite's"])
    for seeds in (3, 5):
        for share in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
            ours, usual = few_seeds(seeds, share, 20 * repetitions)
            row([f"{seeds}", f"{share:g}", f"{ours:.3f}", f"{usual:.3f}"])


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1_000)
    repetitions = parser.parse_args().repetitions
    for show in (show_regimes, show_bootstrap, show_control, show_few_seeds):
        show(repetitions)
        print()


if __name__ == "__main__":
    main()
