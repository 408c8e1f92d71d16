"""How often the intervals hold the truth where test images are few, or show no errors.

    python -m experiments.statistics.few_images [--repetitions 1000]        (about 10 minutes)

Binormal scores of as many patients with the label as without it, one image each (or one to five,
alike in half of their variance), and two methods that share the test images and half of what these
add to a score. The truth is on endless test images, and over seeds where there are several.
"""

import argparse
import math
from collections import defaultdict

import numpy as np
from scipy.stats import norm

from experiments.statistics.coverage import covered, head, row, width
from tgap.core import Doubles
from tgap.metrics.classification import auroc
from tgap.metrics.intervals import Interval, interval, recovered
from tgap.metrics.resampling import effective_images, multiplicities, resampled_auroc

PATIENTS = (3, 5, 10, 12, 20, 40, 100)
AUROCS = (0.6, 0.8, 0.95, 0.99, 1.0)
RESAMPLES = 200
LUCK = 0.2
"""Standard deviation of a seed's luck, where there are several: about .06 of its AUROC."""


def experiment(
    patients: int, truth: float, seeds: int, most: int, rng: np.random.Generator
) -> tuple[Interval, Interval]:
    """Intervals of one method's AUROC, and of the difference to one that is as good."""
    images = rng.integers(1, most + 1, 2 * patients)
    patient = np.repeat(np.arange(2 * patients), images)
    labels = patient < patients
    luck = LUCK * (seeds > 1)
    separation = min(norm.ppf(truth), 20.0) * math.sqrt(2 + luck**2)
    common = rng.standard_normal(2 * patients)[patient] if most > 1 else 0.0
    common = math.sqrt(0.5) * (common + (most == 1) * rng.standard_normal(len(patient)))
    noise = rng.standard_normal((2, seeds, len(patient)))
    lucky = separation + luck * rng.standard_normal((2, seeds, 1))
    scores = common + math.sqrt(0.5) * noise + lucky * labels
    weights = multiplicities(patient, RESAMPLES, rng)
    flat = scores.reshape(2 * seeds, -1)
    values = np.array([auroc(one, labels) for one in flat]).reshape(2, seeds)
    resampled = np.array([resampled_auroc(one, labels, weights) for one in flat])
    draws = resampled.reshape(2, seeds, -1).transpose(0, 2, 1)
    freedom = effective_images(labels[:, None], patient) - 1
    return _both(values, draws, freedom)


def _both(values: Doubles, draws: Doubles, freedom: float) -> tuple[Interval, Interval]:
    first, second = (
        interval(v, d, scale="logit", image_freedom=freedom)
        for v, d in zip(values, draws, strict=True)
    )
    difference = interval(
        values[0] - values[1], draws[0] - draws[1], image_freedom=freedom, cautious=True
    )
    return first, recovered(difference, first, second, scale="identity")


def simulate(
    patients: int, truth: float, seeds: int, most: int, repetitions: int
) -> dict[str, tuple[float, float]]:
    """Coverage and mean width of the intervals of ``experiment``."""
    found: dict[str, list[Interval]] = defaultdict(list)
    for repetition in range(repetitions):
        rng = np.random.default_rng(repetition)
        one, difference = experiment(patients, truth, seeds, most, rng)
        found["AUROC"].append(one)
        found["difference"].append(difference)
    truths = {"AUROC": truth, "difference": 0.0}
    return {name: (covered(its, truths[name]), width(its)) for name, its in found.items()}


def main() -> None:
    """A table for each design."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1_000)
    repetitions = parser.parse_args().repetitions
    for seeds, most in ((1, 1), (3, 1), (1, 5)):
        print(f"\n{seeds} seeds, at most {most} images of a patient\n")
        head(["patients per label", "of", *(f"AUROC {truth:g}" for truth in AUROCS)])
        for patients in PATIENTS:
            found = [simulate(patients, truth, seeds, most, repetitions) for truth in AUROCS]
            for name in ("AUROC", "difference"):
                cells = [f"{one[name][0]:.3f} ({one[name][1]:.2f})" for one in found]
                row([f"{patients}", name, *cells])


if __name__ == "__main__":
    main()
