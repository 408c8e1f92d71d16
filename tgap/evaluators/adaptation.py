"""What the synthetic-trained classifier says of real images once it has looked at some."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Checkpoint, Floats, Images, ImageSet, Indices, Weights, option, rng_for
from tgap.core.spectra import restyled
from tgap.evaluators.augmentation import ranks
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.tested import Resamples
from tgap.metrics.votes import adaptive_votes, votes

LEAST = 20
"""Unlabelled real images below which nothing adapts to them."""
AT_ONCE = 2**24
"""Pixels, of all channels, whose spectra are in memory: some 400 MB."""


@dataclass(kw_only=True)
class Adaptation(Evaluator):
    """Macro AUROC on real_test after the synthetic-trained classifier adapted to real images.

    TSTR is that of a classifier that has seen none, and stays so: what has seen real images has
    numbers of its own. Of ``inductive`` those are of the reserve, without labels; of
    ``transductive`` they are real_test's own, without labels; of ``few`` labelled ones of
    real_train.

    - ``adapted/{inductive,transductive}/batch_norm``: batch norm's statistics are those of the real
      images (Schneider et al. 2020, arXiv 2006.16971, with no synthetic images mixed in); networks
      with batch norm only
    - ``.../self_training``: trained on (``Classifier.adapt``) with the real images of which all
      labels are said with a probability of at least ``sure``, or of at most 1 - ``sure``, as if
      that were true (Lee 2013)
    - ``adapted/inductive/neighbours``: votes of the nearest synthetic images by features, which no
      real image changes: the baseline of
    - ``adapted/transductive/neighbours``, where confident test images vote too (AdaNPC, Zhang et
      al. 2023, arXiv 2302.12566): in a random order, which matters
    - ``adapted/inductive/fourier``: a classifier trained anew on the synthetic training images,
      each with the low-frequency amplitudes of a random image of the reserve (Yang & Soatto 2020,
      arXiv 2004.05498, for another task; ``tgap.core.spectra``)
    - ``adapted/few/{n}``: LP-FT (Kumar et al. 2022, arXiv 2202.10054): the last layer by logistic
      regression on n labelled real images per label, then all layers (``Classifier.adapt``)

    All have ``.../lo`` and ``.../hi`` (95 %, of this training, for new test images).
    ``adapted/none`` is TSTR; ``.../self_trained_on`` the share of the images that were sure enough.
    Where fewer than 20 are, or a label is believed of all of them or of none, nothing is trained
    and the number is TSTR's. ``cost/unlabelled_real`` counts the reserve's images. Nothing here
    chooses anything by the labels of real_test. Each number is of one training: small differences
    need seeds.

    Args:
        images: Of the reserve, at most.
        sure: Probability from which a label is taken for true.
        neighbours: That vote.
        temperature: Of their votes: the less, the more the nearest count.
        share: Of the spectrum's area whose amplitudes are the real images'.
        few: Labelled real images per label.
    """

    version: ClassVar[int] = 3
    shown: ClassVar[Sequence[str]] = (
        "adapted/none",
        "adapted/*/batch_norm",
        "adapted/*/self_training",
        "adapted/*/neighbours",
        "adapted/*/fourier",
    )

    images: int = option(1000, "unlabelled real images of the reserve", low=LEAST, high=20_000)
    sure: float = option(0.9, "probability from which a label is believed", above=0.5, high=1)
    neighbours: int = option(
        100, "synthetic images that vote, all where they are fewer", low=1, high=100_000
    )
    temperature: float = option(0.1, "of the neighbours' votes", above=0)
    share: float = option(0.01, "of the spectrum's area, for fourier", low=0, high=1)
    few: list[int] = option([1, 10], "labelled real images per label")

    def problems(self) -> list[str]:
        """Numbers that are no numbers of images."""
        if any(n < 1 for n in self.few) or sorted(set(self.few)) != self.few:
            return [f"few must be rising numbers of images per label, got {self.few}"]
        return []

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        if not legs:
            return Evaluation({})
        seed, tstr = int(rng.integers(2**63)), legs["tstr"]
        test, spare = evidence.real_test(), evidence.reserve(self.images)
        tested = Resamples.of(test)
        metrics = tested.macro(tstr.scores).named("adapted/none")
        for leg, images in (("inductive", spare), ("transductive", test.images)):
            if len(images) < LEAST:
                continue
            for name, scores in self._unlabelled(evidence, leg, images, test.images, seed):
                metrics |= tested.macro(scores).named(f"adapted/{leg}/{name}")
            sure = self._sure(self._probabilities(evidence, images))
            metrics[f"adapted/{leg}/self_trained_on"] = float(sure.mean())
        if len(spare) >= LEAST:
            scores = self._restyled(evidence, spare, test.images, seed)
            metrics |= tested.macro(scores).named("adapted/inductive/fourier")
        for n, scores in self._few(evidence, test.images, seed):
            metrics |= tested.macro(scores).named(f"adapted/few/{n}")
        looked_at = len(spare) if len(spare) >= LEAST else 0
        return Evaluation({**metrics, "cost/unlabelled_real": float(looked_at)})

    def _unlabelled(
        self, evidence: Evidence, leg: str, seen: Images, test: Images, seed: int
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """Scores of the test images by each way of adapting to unlabelled ones, by its name."""
        classifier, fitted = evidence.classifier, evidence.fitted("synthetic")
        if classifier.restandardises and any(name.endswith("running_mean") for name in fitted):
            yield "batch_norm", classifier.score(classifier.restandardised(fitted, seen), test)
        if classifier.adapts:
            yield "self_training", self._self_trained(evidence, leg, seen, test, seed)
        if classifier.has_features:
            train = evidence.synthetic()[0]
            memory = classifier.features(fitted, train.images)
            asked = classifier.features(fitted, test)
            how = (min(self.neighbours, len(train)), self.temperature)
            if leg == "inductive":
                yield "neighbours", votes(memory, train.labels, asked, *how)
            else:
                order = rng_for("adaptation", seed, "order").permutation(len(asked))
                shares = adaptive_votes(memory, train.labels, asked[order], *how, self.sure)
                yield "neighbours", shares[np.argsort(order)]

    def _self_trained(
        self, evidence: Evidence, leg: str, seen: Images, test: Images, seed: int
    ) -> Floats:
        """Scores by the classifier that went on with what it was sure of."""
        classifier, fitted = evidence.classifier, evidence.fitted("synthetic")
        probabilities = self._probabilities(evidence, seen)
        rows = np.flatnonzero(self._sure(probabilities)).astype(np.int64)
        believed = probabilities[rows] > 0.5
        if len(rows) < LEAST or (believed.all(axis=0) | ~believed.any(axis=0)).any():
            return classifier.score(fitted, test)
        train = replace(
            evidence.synthetic()[0].without_images().take(np.zeros(len(rows), np.int64)),
            images=seen[rows],
            labels=believed,
            patients=np.arange(len(rows), dtype=np.int64),
        )
        rng = rng_for("adaptation", seed, leg)
        fit = partial(_adapt, evidence, fitted, train, rng)
        return evidence.trained(f"self_training_{leg}", test, fit)

    def _restyled(self, evidence: Evidence, seen: Images, test: Images, seed: int) -> Floats:
        """Scores by a classifier of synthetic images in the styles of real ones."""

        def fit(checkpoint: Checkpoint) -> Weights:
            rng = rng_for("adaptation", seed, "fourier")
            train = evidence.synthetic()[0]
            donors = rng.integers(len(seen), size=len(train))
            images = in_styles_of(train.images, seen, donors, self.share)
            changed = replace(train, images=images)
            return evidence.classifier.fit(changed, rng, checkpoint=checkpoint)

        return evidence.trained("fourier", test, fit)

    def _probabilities(self, evidence: Evidence, images: Images) -> NDArray[np.float64]:
        from scipy.special import expit

        scores = evidence.classifier.score(evidence.fitted("synthetic"), images)
        probabilities: NDArray[np.float64] = expit(scores.astype(np.float64))
        return probabilities

    def _sure(self, probabilities: NDArray[np.float64]) -> Bools:
        """Images of which every label is said surely."""
        surest = np.maximum(probabilities, 1 - probabilities)
        sure: Bools = np.asarray((surest >= self.sure).all(axis=1), bool)
        return sure

    def _few(self, evidence: Evidence, test: Images, seed: int) -> Iterator[tuple[int, Floats]]:
        """Scores of the test images after so many labelled real images per label."""
        classifier, fitted = evidence.classifier, evidence.fitted("synthetic")
        if not (classifier.adapts and classifier.has_features):
            return
        train = evidence.real_train()
        least = ranks(train.labels, rng_for("adaptation", seed, "few"))
        for n in self.few:
            some = train.take(np.flatnonzero(least <= n).astype(np.int64))
            if n > int(least.max()) or len(some) < 2:
                continue
            headed = with_head(fitted, classifier.features(fitted, some.images), some.labels)
            rng = rng_for("adaptation", seed, "few", n)
            fit = partial(_adapt, evidence, headed, some, rng)
            yield n, evidence.trained(f"few_{n}", test, fit)


def in_styles_of(images: Images, others: Images, donors: Indices, share: float) -> Images:
    """Images with low-frequency amplitudes of others (``restyled``), all in memory.

    Args:
        images: ``(N, H, W, C)`` uint8.
        others: ``(M, H, W, C)`` uint8.
        donors: ``(N,)`` position in ``others`` of each image's donor.
        share: Of the spectrum's area.
    """
    import torch

    changed = np.empty_like(images)
    step = max(1, AT_ONCE // max(1, images[:1].size))
    for start in range(0, len(images), step):
        rows = slice(start, start + step)
        some, given = (
            torch.from_numpy(np.array(part)) for part in (images[rows], others[donors[rows]])
        )
        changed[rows] = restyled(some, given, share).numpy()
    return changed


def with_head(weights: Weights, features: Floats, labels: Bools) -> Weights:
    """A fitted network whose last layer is a logistic regression on its features.

    By scikit-learn with C = 1, of each label by itself, on features divided by their root mean
    square, which is put back into the weights. A label that all images have, or none, keeps its
    old layer.

    Args:
        weights: With ``head.weight`` ``(L, d)`` and ``head.bias`` ``(L,)``; others stay as they
            are.
        features: ``(N, d)``.
        labels: ``(N, L)`` bool.
    """
    from sklearn.linear_model import LogisticRegression

    if "head.weight" not in weights:
        return weights
    weight, bias = weights["head.weight"].copy(), weights["head.bias"].copy()
    scale = float(np.sqrt(np.mean(np.square(features, dtype=np.float64)))) or 1.0
    for label, truth in enumerate(labels.T):
        if truth.any() and not truth.all():
            fitted = LogisticRegression(max_iter=1000).fit(features / scale, truth)
            weight[label], bias[label] = fitted.coef_[0] / scale, fitted.intercept_[0]
    return {**weights, "head.weight": weight, "head.bias": bias}


def _adapt(
    evidence: Evidence,
    weights: Weights,
    images: ImageSet,
    rng: np.random.Generator,
    checkpoint: Checkpoint,
) -> Weights:
    return evidence.classifier.adapt(weights, images, rng, checkpoint=checkpoint)
