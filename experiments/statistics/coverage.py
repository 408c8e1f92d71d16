"""How often the intervals hold the truth, on simulated experiments whose truth is known.

    python -m experiments.statistics.coverage [--repetitions 1000]        (about 15 minutes)

Scores are binormal: positives lie ``d + a_s`` above negatives, where ``a_s`` is seed s's luck, and
their spread of 1 is made of the patient, the image (both the same for all seeds), what the image
is to the method (the same for all seeds of one method) and noise that each seed has of its own.
The AUROC of seed s on endless test images is then ``Phi((d + a_s) / sqrt 2)``, and the truth its
mean over seeds. Real test images are shared by all seeds and by two methods, which are equally
good, and come in patients of 1 to some 100 images; synthetic ones are fresh for each seed.
"""

import argparse
import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from experiments.statistics.influence import auroc_influence, macro_auroc_influence
from tgap.core import Doubles
from tgap.metrics.classification import auroc, macro_auroc
from tgap.metrics.intervals import Interval, Scale, interval, interval_of_covariance
from tgap.metrics.resampling import effective_images, resampled_auroc_per_label

SCALES: dict[str, Scale] = {
    "TSTR": "logit",
    "TRTS": "logit",
    "FTER": "log",
    "T-Gap": "identity",
    "difference": "identity",
}
"""What is estimated, the difference being that of two methods' TSTR."""
SEEDS = (2, 3, 5, 8, 20)
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
        together: Correlation, within a seed, of TSTR's luck with TRTS's and the other method's.
        method: Standard deviation of what an image adds to its scores in all seeds of one method.
        collapse: How often a seed's synthetic-trained classifier learns nothing: d is 0.
    """

    name: str
    images: int
    seed: float
    patient: float
    image: float
    tstr: float = 1.0
    trts: float = 1.8
    together: float = 0.3
    method: float = 0.0
    collapse: float = 0.0

    def truth(self) -> dict[str, float]:
        """Expectation over seeds of each quantity on endless test images, by quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        weights = np.outer(weights, weights) / weights.sum() ** 2
        luck, other = self.seed * nodes[:, None], self.seed * nodes[None, :]
        both = self.together * luck + math.sqrt(1 - self.together**2) * other
        tstr = norm.cdf((self.tstr + luck) / math.sqrt(2)) + 0 * both
        tstr = (1 - self.collapse) * tstr + self.collapse * 0.5
        trts = norm.cdf((self.trts + both) / math.sqrt(2))
        values = (tstr, trts, tstr / trts, trts - tstr, 0 * tstr)
        return {
            name: float((weights * value).sum()) for name, value in zip(SCALES, values, strict=True)
        }


@dataclass(frozen=True)
class Sample:
    """A test set: scores ``(C, N, 2)`` of C classifiers, labels ``(N, 2)``, patients ``(N,)``."""

    scores: Doubles
    labels: NDArray[np.bool_]
    patients: NDArray[np.int64]

    def aurocs(self) -> Doubles:
        """Macro AUROC of each classifier."""
        return np.array([macro_auroc(scores, self.labels) for scores in self.scores])

    def influence(self) -> Doubles:
        """``(patients, C)``: what each patient adds to the error of each macro AUROC."""
        _, cluster = np.unique(self.patients, return_inverse=True)
        columns = [macro_auroc_influence(scores, self.labels) for scores in self.scores]
        return np.stack([np.bincount(cluster, column) for column in columns], axis=1)

    def resampled(self, resamples: int, seed: int) -> Doubles:
        """``(resamples, C)``: macro AUROCs, the same patients drawn for all classifiers."""
        columns = [
            resampled_auroc_per_label(
                scores, self.labels, self.patients, resamples, np.random.default_rng(seed)
            ).mean(axis=1)
            for scores in self.scores
        ]
        return np.stack(columns, axis=1)


def sample(
    world: World,
    separations: Doubles,
    patients: NDArray[np.int64],
    rng: np.random.Generator,
    positives: float | None = None,
) -> Sample:
    """A test set of these patients, scored by classifiers of separations ``(methods, S)``.

    A patient's images are positive as often as they like, or every image with this share.
    """
    distinct, patient = np.unique(patients, return_inverse=True)
    often = rng.beta(1, 1, len(distinct))[patient] if positives is None else positives
    positive = rng.random(len(patients)) < often
    known = world.patient * rng.standard_normal(len(distinct))[patient]
    known = known + world.image * rng.standard_normal(len(patients))
    of_method = world.method * rng.standard_normal((len(separations), 1, len(patients)))
    noise = math.sqrt(1 - world.patient**2 - world.image**2 - world.method**2)
    latent = separations[:, :, None] * positive + known + of_method
    latent = latent.reshape(-1, len(patients))
    scores = np.stack([latent, -latent], axis=2)
    scores += noise * rng.standard_normal(scores.shape)
    return Sample(scores, np.stack([positive, ~positive], axis=1), patients)


def visits(images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Patients of so many images: half have one or two, few have many, as in ChestX-ray14."""
    sizes = np.ceil(rng.lognormal(0.3, 1.2, images)).astype(np.int64)
    return np.repeat(np.arange(images), sizes)[:images]


def experiment(world: World, seeds: int, rng: np.random.Generator) -> tuple[Sample, list[Sample]]:
    """The real test set with two methods' TSTR of all seeds, and each seed's synthetic of TRTS.

    TRTS is of the first method.
    """
    own = rng.standard_normal((3, seeds))
    luck = world.together * own[0] + math.sqrt(1 - world.together**2) * own
    luck[0] = own[0]
    learned = rng.random((2, seeds)) >= world.collapse
    tstr = np.where(learned, world.tstr + world.seed * luck[:2], 0.0)
    real = sample(world, tstr, visits(world.images, rng), rng)
    each = np.arange(world.images)
    synthetic = [
        sample(world, np.array([[world.trts + world.seed * its]]), each, rng) for its in luck[2]
    ]
    return real, synthetic


Found = dict[str, tuple[Doubles, Doubles]]
"""Of each quantity, values ``(S,)`` and their covariance ``(S, S)`` or replicates ``(B, S)``."""


def by_influence(real: Sample, synthetic: list[Sample], rng: np.random.Generator) -> Found:
    """Covariances in closed form."""
    (a, other), b = np.split(real.aurocs(), 2), np.concatenate([p.aurocs() for p in synthetic])
    influence, of_other = np.split(real.influence(), 2, axis=1)
    of_a = influence.T @ influence
    of_b = np.array([(part.influence() ** 2).sum() for part in synthetic])
    difference = influence - of_other
    found = (
        (a, of_a),
        (b, np.diag(of_b)),
        (a / b, of_a / np.outer(b, b) + np.diag(of_b * a**2 / b**4)),
        (b - a, of_a + np.diag(of_b)),
        (a - other, difference.T @ difference),
    )
    return dict(zip(SCALES, found, strict=True))


def by_bootstrap(real: Sample, synthetic: list[Sample], rng: np.random.Generator) -> Found:
    """Replicates by ``RESAMPLES`` resamples."""
    (a, other), b = np.split(real.aurocs(), 2), np.concatenate([p.aurocs() for p in synthetic])
    own = rng.integers(2**32, size=len(synthetic) + 1).tolist()
    of_a, of_other = np.split(real.resampled(RESAMPLES, own.pop()), 2, axis=1)
    of_b = np.hstack(
        [part.resampled(RESAMPLES, seed) for part, seed in zip(synthetic, own, strict=True)]
    )
    found = ((a, of_a), (b, of_b), (a / b, of_a / of_b), (b - a, of_b - of_a))
    return dict(zip(SCALES, (*found, (a - other, of_a - of_other)), strict=True))


def freedoms(real: Sample, synthetic: list[Sample]) -> dict[str, float]:
    """Degrees of freedom of what test images add to each quantity, as the evaluation has them."""
    of_real = effective_images(real.labels, real.patients) - 1
    of_synthetic = (
        min(effective_images(part.labels, np.arange(len(part.labels))) for part in synthetic) - 1
    )
    both = min(of_real, of_synthetic)
    return dict(zip(SCALES, (of_real, of_synthetic, both, both, of_real), strict=True))


def simulate(
    world: World, seeds: tuple[int, ...], repetitions: int, bootstrap: bool = False
) -> dict[tuple[str, int], list[Interval]]:
    """Intervals of each quantity and number of seeds; fewer seeds are the first of the most."""
    found: dict[tuple[str, int], list[Interval]] = defaultdict(list)
    method, make = (by_bootstrap, interval) if bootstrap else (by_influence, interval_of_covariance)
    for repetition in range(repetitions):
        rng = np.random.default_rng(repetition)
        real, synthetic = experiment(world, max(seeds), rng)
        freedom = freedoms(real, synthetic)
        for name, (values, spread) in method(real, synthetic, rng).items():
            for s in seeds:
                part = spread[:, :s] if bootstrap else spread[:s, :s]
                found[name, s].append(
                    make(
                        values[:s],
                        part,
                        scale=SCALES[name],
                        image_freedom=freedom[name],
                        cautious=name == "difference",
                    )
                )
    return found


def covered(intervals: list[Interval], truth: float) -> float:
    """Share of the intervals that hold the truth, of those that are given; NaN if none is."""
    there = given(intervals)
    return float(np.mean([i.lo <= truth <= i.hi for i in there])) if there else math.nan


def width(intervals: list[Interval]) -> float:
    """Mean width of those that are given."""
    return float(np.mean([i.hi - i.lo for i in given(intervals)]))


def given(intervals: list[Interval]) -> list[Interval]:
    """Those that are defined."""
    return [i for i in intervals if not math.isnan(i.lo)]


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


def few_positives(
    positives: int, separation: float, repetitions: int, images: int = 500
) -> tuple[float, float]:
    """Coverage of one run's AUROC with few positives, and how often there is no interval."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) < positives
    found = []
    for _ in range(repetitions):
        scores = rng.standard_normal(images) + separation * labels
        variance = (auroc_influence(scores, labels) ** 2).sum()
        found.append(
            interval_of_covariance(
                np.array([auroc(scores, labels)]),
                np.array([[variance]]),
                scale="logit",
                image_freedom=positives - 1,
            )
        )
    truth = float(norm.cdf(separation / math.sqrt(2)))
    return covered(found, truth), 1 - len(given(found)) / repetitions


REGIMES = tuple(
    World(name, images, seed, patient, image, method=method)
    for images in (250, 2_000)
    for name, seed, patient, image, method in (
        ("seeds", 0.30, 0.3, 0.3, 0.0),
        ("test images", 0.02, 0.5, 0.8, 0.0),
        ("both", 0.12, 0.4, 0.6, 0.0),
        ("each seed's own way with images", 0.05, 0.2, 0.2, 0.0),
        ("each method's own way with images", 0.05, 0.2, 0.2, 0.6),
    )
)
FAILURES = (
    World("patients, a few of whom have most images", 250, 0.05, 0.9, 0.2),
    World("patients, a few of whom have most images", 1_000, 0.05, 0.9, 0.2),
    World("one seed of ten collapses", 1_000, 0.05, 0.2, 0.2, collapse=0.1),
    World("one seed of five collapses", 1_000, 0.05, 0.2, 0.2, collapse=0.2),
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


def show_regimes(worlds: tuple[World, ...], repetitions: int) -> None:
    """Coverage and mean width, by the closed form."""
    head(["variance from", "test images", "of", *(f"{s} seeds" for s in SEEDS), "no interval"])
    for world in worlds:
        found, truth = simulate(world, SEEDS, repetitions), world.truth()
        for name in SCALES:
            cells = [f"{covered(found[name, s], truth[name]):.3f}" for s in SEEDS]
            widths = [f"({width(found[name, s]):.3f})" for s in SEEDS]
            both = [" ".join(pair) for pair in zip(cells, widths, strict=True)]
            none = 1 - len(given(found[name, 3])) / repetitions
            row([world.name, f"{world.images}", name, *both, f"{none:.3f}"])


def show_bootstrap(repetitions: int) -> None:
    """The same experiments by resampling and by the closed form."""
    head(["of", "seeds", "resampling", "closed form", "standard errors, resampling / closed form"])
    seeds, truth = (3, 5, 8), RESAMPLED.truth()
    resampled = simulate(RESAMPLED, seeds, repetitions, bootstrap=True)
    closed = simulate(RESAMPLED, seeds, repetitions)
    for name, s in closed:
        pairs = zip(resampled[name, s], closed[name, s], strict=True)
        ratios = np.array(
            [a.standard_error / b.standard_error for a, b in pairs if len(given([a, b])) == 2]
        )
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
    for seeds in (2, 3, 5):
        for share in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
            ours, usual = few_seeds(seeds, share, 20 * repetitions)
            row([f"{seeds}", f"{share:g}", f"{ours:.3f}", f"{usual:.3f}"])


def show_few_images(repetitions: int) -> None:
    """One run with few positives."""
    head(["positives of 500", "AUROC", "covered", "no interval"])
    for positives in (2, 3, 5, 8, 15, 30):
        for separation in (1.0, 2.0):
            coverage, none = few_positives(positives, separation, 5 * repetitions)
            truth = norm.cdf(separation / math.sqrt(2))
            row([f"{positives}", f"{truth:.2f}", f"{coverage:.3f}", f"{none:.3f}"])


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1_000)
    repetitions = parser.parse_args().repetitions
    for worlds in (REGIMES, FAILURES):
        show_regimes(worlds, repetitions)
        print()
    for show in (show_bootstrap, show_control, show_few_seeds, show_few_images):
        show(repetitions)
        print()


if __name__ == "__main__":
    main()
