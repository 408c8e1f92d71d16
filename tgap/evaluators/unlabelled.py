"""What can be said of a synthetic set's use where no real image has a label to test on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from tgap.core import (
    Bools,
    Checkpoint,
    Doubles,
    Floats,
    Images,
    ImageSet,
    Indices,
    Weights,
    option,
    rng_for,
)
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.classification import macro_auroc
from tgap.metrics.out_of_distribution import (
    domain_auroc,
    energy,
    entropy,
    mahalanobis,
    neighbour_distance,
    told_apart,
)
from tgap.metrics.unlabelled import (
    ALPHA,
    circular_validation,
    density_ratio,
    dev,
    effective_share,
    importance_weighted_risk,
    log_losses,
    mano,
    mixval,
    of_one_label,
    prediction_entropy,
    soft_neighbourhood_density,
)

LEAST = 20
"""Real images below which nothing is said."""
CHANCE = 0.5
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
"""Among which the regression behind ``density_ratio`` is chosen."""


class Seen(NamedTuple):
    """Images by what the synthetic classifier makes of them.

    Args:
        logits: ``(N, L)``.
        features: ``(N, d)``, standardised as the training images' are.
        labels: ``(N, L)``; of real images none are known, and it is empty.
    """

    logits: Floats
    features: Doubles
    labels: Bools


@dataclass(kw_only=True)
class Unlabelled(Evaluator):
    """The synthetic classifier judged by unlabelled real images of the reserve, never of real_test.

    A score of simulation and one of out-of-distribution, which ``tgap rank`` orders methods by. The
    idea is of VSDR ("Validate on Sim, Detect on Real", arXiv 2111.00765); how the two are made here
    is ours:

    - ``unlabelled/sim_log_loss``: mean cross-entropy on the synthetic test part, lower is better.
      AUROC (TSTS) is 1 for nearly every method; this is not.
    - ``unlabelled/ood``: mean of ``unlabelled/ood_mahalanobis`` and ``unlabelled/ood_neighbour``.
      Each is the AUROC with which a score of strangeness, by the classifier's features against
      those of synthetic training images, tells real images from synthetic test images: .5 if real
      images are nothing new to it, 1 if all are, below .5 if they are the more usual ones.
    - ``unlabelled/ood_energy``, ``unlabelled/ood_entropy``: the same by its scores
      (``tgap.metrics.out_of_distribution``). They are not in the mean, since a classifier may be
      surer of what it has not seen than of what it has: of images with more contrast, say.

    Scores of unsupervised validation (``tgap.metrics.unlabelled``), each a mean over labels:

    - ``unlabelled/iw_risk``, ``unlabelled/dev``: cross-entropy on the synthetic test part, weighted
      as real images lie in its features; lower is better. Believe them only where
      ``unlabelled/weights_mean`` is near 1 and ``unlabelled/weights_effective``, the share of the
      images that is really weighted, is not near 0
    - ``unlabelled/entropy``, ``unlabelled/snd``, ``unlabelled/mano``, ``unlabelled/mixval``: how
      sure, dense, large and steady the predictions on real images are
    - ``unlabelled/circular``: trained back from real images, if asked for
    - ``unlabelled/domain_auroc``: AUROC of telling real from synthetic test images by features

    And what keeps them from being believed:

    - ``unlabelled/one_class``: share of labels of which all real images are said to be with, or all
      to be without, unless that is so of synthetic test images too and the scores vary
    - ``unlabelled/tuning_auroc``: AUROC on the tuning images, whose labels the generator was given:
      too high for a TSTR, but below .5 labels are swapped. NaN where the tuning set is not known
    - ``unlabelled/unsafe``: 1 if either is so, else 0. Swapped labels of a generator whose tuning
      set is not known nothing here can see.
    - ``cost/unlabelled_real``: real images that were looked at

    Without labels to tell apart, or with fewer than 20 such real images, there are no metrics.

    Args:
        images: Of each side, drawn at random.
        circular: Whether a classifier is trained back, at the cost of about one of the run's.
    """

    shown: ClassVar[Sequence[str]] = (
        "unlabelled/ood",
        "unlabelled/sim_log_loss",
        "unlabelled/unsafe",
    )

    images: int = option(1000, "images of each side, at most", low=LEAST, high=20_000)
    circular: bool = option(False, "train a classifier back from real images")

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        real = evidence.reserve(self.images) if legs else np.empty((0, 1, 1, 1), np.uint8)
        if len(real) < LEAST:
            return Evaluation({})
        weights, streams = evidence.fitted("synthetic"), rng.spawn(5)
        parts = [
            _drawn(part, self.images, stream)
            for part, stream in zip(evidence.synthetic(), streams[:2], strict=True)
        ]
        train, test, unknown = _seen(evidence, weights, parts, real)
        tsts = legs["tsts"]
        metrics = {"sim_log_loss": float(log_losses(tsts.scores, tsts.labels).mean())}
        metrics |= _strangeness(train, test, unknown)
        metrics["domain_auroc"] = domain_auroc(test.features, unknown.features, streams[2])
        metrics |= _weighted(train, test, unknown)
        metrics |= _of_predictions(unknown.logits)
        metrics["mixval"] = _steadiness(evidence, weights, real, unknown.logits, streams[3])
        if self.circular:
            seed = int(streams[4].integers(2**63))
            metrics["circular"] = _trained_back(evidence, parts[0], real, unknown.logits, seed)
        metrics |= _doubts(evidence, weights, test.logits, unknown.logits)
        named = {f"unlabelled/{name}": value for name, value in metrics.items()}
        return Evaluation({**named, "cost/unlabelled_real": float(len(real))})


def _drawn(part: ImageSet, most: int, rng: np.random.Generator) -> ImageSet:
    return part.take(np.sort(rng.permutation(len(part))[:most]))


def _seen(
    evidence: Evidence, weights: Weights, parts: Sequence[ImageSet], real: Images
) -> list[Seen]:
    """Synthetic training and test images, and real ones.

    Of a classifier without features its logits stand in their place.
    """
    classifier = evidence.classifier
    unknown = np.zeros((len(real), 0), np.bool_)
    sides = [*((part.images, part.labels) for part in parts), (real, unknown)]
    logits = [classifier.score(weights, images) for images, _ in sides]
    features = logits
    if classifier.has_features:
        features = [classifier.features(weights, images) for images, _ in sides]
    exact = [of_side.astype(np.float64) for of_side in features]
    mean, deviation = exact[0].mean(axis=0), exact[0].std(axis=0)
    deviation[deviation == 0] = 1  # constant features say nothing at any scale
    return [
        Seen(of_side, (vectors - mean) / deviation, labels)
        for of_side, vectors, (_, labels) in zip(logits, exact, sides, strict=True)
    ]


def _strangeness(train: Seen, test: Seen, real: Seen) -> dict[str, float]:
    """How well each score of strangeness tells real images from synthetic test images."""
    scores: dict[str, Callable[[Seen], Doubles]] = {
        "mahalanobis": lambda side: mahalanobis(train.features, train.labels, side.features),
        "neighbour": lambda side: neighbour_distance(train.features, side.features),
        "energy": lambda side: energy(side.logits),
        "entropy": lambda side: entropy(side.logits),
    }
    found = {f"ood_{name}": told_apart(of(test), of(real)) for name, of in scores.items()}
    return {"ood": (found["ood_mahalanobis"] + found["ood_neighbour"]) / 2, **found}


def _weighted(train: Seen, test: Seen, real: Seen) -> dict[str, float]:
    ratio = density_ratio(train.features, real.features, test.features, STRENGTHS)
    losses = log_losses(test.logits, test.labels)
    return {
        "iw_risk": importance_weighted_risk(losses, ratio),
        "dev": dev(losses, ratio),
        "weights_mean": float(ratio.mean()),
        "weights_effective": effective_share(ratio),
    }


def _of_predictions(logits: Floats) -> dict[str, float]:
    scores: dict[str, Callable[[Doubles], float]] = {
        "entropy": prediction_entropy,
        "snd": soft_neighbourhood_density,
        "mano": mano,
    }
    of_labels = [of_one_label(of_label) for of_label in logits.T]
    return {
        name: float(np.mean([score(probabilities) for probabilities in of_labels]))
        for name, score in scores.items()
    }


def _steadiness(
    evidence: Evidence, weights: Weights, real: Images, logits: Floats, rng: np.random.Generator
) -> float:
    """``mixval``, mean over labels; the mixes are rounded to whole grey levels."""
    partner = rng.permutation(len(real)).astype(np.int64)
    mixes = np.rint(ALPHA * real + (1 - ALPHA) * real[partner]).astype(np.uint8)
    mixed = evidence.classifier.score(weights, mixes)
    classes = zip(_classes(logits).T, _classes(mixed).T, strict=True)
    return float(np.mean([mixval(own, partner, of_mixes) for own, of_mixes in classes]))


def _trained_back(
    evidence: Evidence, synthetic: ImageSet, real: Images, logits: Floats, seed: int
) -> float:
    """``circular_validation``, mean over labels; NaN where nothing can be trained.

    One classifier is trained for all labels.
    """
    classifier, predicted = evidence.classifier, _classes(logits)
    patients = np.arange(len(real), dtype=np.int64)
    none = np.zeros((len(real), 0), np.bool_)
    labelled = ImageSet(real, predicted > 0, synthetic.label_names, none, (), patients)
    if classifier.check_training(labelled, rng_for("circular", seed)):
        return float("nan")

    def fit(checkpoint: Checkpoint) -> Weights:
        return classifier.fit(labelled, rng_for("circular", seed), checkpoint=checkpoint)

    back = _classes(evidence.trained("circular", synthetic.images, fit))
    truth = synthetic.labels.astype(np.int64)

    def of_label(label: int) -> float:
        return circular_validation(predicted[:, label], truth[:, label], lambda _: back[:, label])

    return float(np.mean([of_label(label) for label in range(truth.shape[1])]))


def _classes(logits: Floats) -> Indices:
    return (logits > 0).astype(np.int64)


def _doubts(
    evidence: Evidence, weights: Weights, synthetic: Floats, real: Floats
) -> dict[str, float]:
    """Why the other numbers may mean nothing."""
    single = one_class(synthetic, real)
    known = _tuning_auroc(evidence, weights)
    unsafe = bool(single.any()) or known < CHANCE
    return {"one_class": float(single.mean()), "tuning_auroc": known, "unsafe": float(unsafe)}


def one_class(synthetic: Floats, real: Floats) -> Bools:
    """``(L,)``: labels that a classifier says to be on all real images, or on none.

    Where it says so of all synthetic test images as well, the label may only be rare, and its
    threshold high: that counts only where the scores of real images are all the same.

    Args:
        synthetic: ``(N, L)`` logits of synthetic test images.
        real: ``(M, L)`` logits of real ones.

    >>> one_class(np.float32([[-1, -1], [1, -2]]), np.float32([[-1, -1], [-2, -2]])).tolist()
    [True, False]
    """
    shares = [(logits > 0).mean(axis=0) for logits in (real, synthetic)]
    single, usual = (np.isin(share, (0, 1)) for share in shares)
    return np.asarray((single & ~usual) | (np.ptp(real, axis=0) == 0))


def _tuning_auroc(evidence: Evidence, weights: Weights) -> float:
    tuned_on = evidence.tuned_on() if evidence.tuning_is_known() else None
    names = evidence.synthetic()[0].label_names
    if tuned_on is None or len(tuned_on) == 0 or tuned_on.label_names != names:
        return float("nan")
    return macro_auroc(evidence.classifier.score(weights, tuned_on.images), tuned_on.labels)
