"""What a run made, without a run: small evidence for evaluators, locked against writing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.core import Bools, Checkpoint, Floats, Images, ImageSet, Indices, Scores, Weights
from tgap.metrics.legs import LEGS

NAMES = ("no finding", "mass/nodule: big")
"""Labels that a metric's name cannot hold as they are."""


@dataclass(kw_only=True)
class Centroids(Classifier):
    """Nearest mean image; adapting moves the means towards those of the new images."""

    adapts = True
    has_features = True

    def _fit(self, train, validation, rng, log, checkpoint):
        return {"means": mean_images(train)}

    def _adapt(self, weights, few, rng, log, checkpoint):
        return {"means": (weights["means"] + mean_images(few)) / 2}

    def _score(self, weights, images):
        flat = flat_images(images).astype(float)
        distance = np.linalg.norm(flat[:, None] - weights["means"], axis=2) + 1e-9
        return (distance.min(axis=1, keepdims=True) / distance).astype(np.float32)

    def _features(self, weights, images):
        return flat_images(images)[:, :4].astype(np.float32)


def flat_images(images: Images) -> Images:
    """``(N, pixels)``; N may be 0."""
    return images.reshape(len(images), math.prod(images.shape[1:]))


def mean_images(data: ImageSet) -> Floats:
    """``(L, pixels)``: of the images of each label."""
    return np.stack([data.images[has].mean(axis=0).ravel() for has in data.labels.T])


def labelled(images: Images, labels: Bools, names: tuple[str, ...], **others: Any) -> ImageSet:
    """Images of as many patients, without findings, unless others are given; write-locked."""
    given = {
        "findings": np.zeros((len(images), 0), bool),
        "finding_names": (),
        "patients": np.arange(len(images), dtype=np.int64),
    }
    data = ImageSet(images, labels, names, **(given | others))
    arrays = (getattr(data, f.name) for f in fields(data))
    for array in (*arrays, *data.metadata.values()):
        if isinstance(array, np.ndarray) and array.flags.owndata:
            array.setflags(write=False)
    return data


def noisy(count: int, seed: int, names: tuple[str, ...] = NAMES) -> ImageSet:
    """8 x 8 images of noise, two of each patient; each label is brighter in a row of its own."""
    rng = np.random.default_rng(seed)
    kind = np.arange(count) // 2 % len(names)
    exposure = rng.integers(0, 60, count)
    pixels = rng.integers(0, 100, (count, 8, 8, 1)) + exposure[:, None, None, None]
    pixels[np.arange(count), kind] += 60
    labels = kind[:, None] == np.arange(len(names))
    age = rng.integers(20, 80, count).astype(np.float64)
    age[::7] = np.nan
    return labelled(
        pixels.astype(np.uint8),
        labels,
        names,
        findings=labels[:, -1:] & (rng.random(count) < 0.5)[:, None],
        finding_names=("large",),
        patients=1000 * seed + np.arange(count, dtype=np.int64) // 2,
        metadata={
            "exposure": exposure.astype(np.float64),
            "view": rng.choice(["AP", "PA"], count),
            "age": age,
        },
    )


@dataclass(frozen=True, kw_only=True)
class Made:
    """All that ``Evidence`` asks for. What a test is not about may be left as it is.

    Args:
        train: Real images to train on.
        test: Real images to test on.
        parts: Train and test part of the synthetic set.
        tuning: What was tuned on.
        unseen: Held-out real images.
        others: Other images of tuning patients.
        further: Another real test set, where scores on one are given.
        spare: Unlabelled real images; their labels are not handed on.
        known: Whether ``tuning`` is what the generator saw.
        tells_apart: Whether there is more than one label.
        classifier: The run's.
    """

    train: ImageSet = field(default_factory=lambda: noisy(120, 1))
    test: ImageSet = field(default_factory=lambda: noisy(80, 2))
    parts: tuple[ImageSet, ImageSet] = field(
        default_factory=lambda: (bare(noisy(100, 3)), bare(noisy(60, 4)))
    )
    tuning: ImageSet | None = field(default_factory=lambda: noisy(40, 5))
    unseen: ImageSet = field(default_factory=lambda: noisy(240, 6))
    others: ImageSet | None = None
    spare: ImageSet = field(default_factory=lambda: noisy(120, 7))
    further: ImageSet = field(default_factory=lambda: noisy(60, 8))
    known: bool = True
    tells_apart: bool = True
    classifier: Classifier = field(default_factory=lambda: Centroids(device="cpu"))

    def legs(self) -> Mapping[str, Scores]:
        if not self.tells_apart:
            return {}
        fitted = {"s": self.fitted("synthetic"), "r": self.fitted("real")}
        tests = {"s": self.parts[1], "r": self.test}
        return {leg: self.scores(fitted[leg[1]], tests[leg[3]]) for leg in LEGS}

    def scores(self, weights: Weights, test: ImageSet) -> Scores:
        scores = self.classifier.score(weights, test.images)
        scores.setflags(write=False)
        return Scores(scores, test.labels, test.label_names)

    def real_train(self, pixels: bool = True) -> ImageSet:
        return self.train if pixels else self.train.without_images()

    def real_test(self, pixels: bool = True) -> ImageSet:
        return self.test if pixels else self.test.without_images()

    def external(self, name: str) -> ImageSet:
        return self.further.without_images()

    def synthetic(self) -> tuple[ImageSet, ImageSet]:
        return self.parts

    def synthetic_key(self) -> str:
        return "synthetic"

    def tuned_on(self) -> ImageSet | None:
        return self.tuning

    def tuning_is_known(self) -> bool:
        return self.known

    def held_out(self) -> ImageSet:
        return self.unseen

    def other_images(self) -> ImageSet:
        return self.train.take(np.arange(0)) if self.others is None else self.others

    def reserve(self, most: int) -> Images:
        return self.spare.images[:most]

    def images_of(self, patients: Indices) -> Indices:
        return np.ones(len(patients), np.int64)

    def leaks(self) -> Mapping[str, float]:
        return {"pool": 0.0, "real_train": 0.0}

    def fitted(self, side: str) -> Weights:
        train = {"real": self.train, "synthetic": self.parts[0]}[side]
        return self.classifier.fit(train, np.random.default_rng(0))

    def trained(self, name: str, images: Images, fit: Callable[[Checkpoint], Weights]) -> Floats:
        return self.classifier.score(fit(Checkpoint()), images)

    def real_features(self, images: Images) -> Floats:
        return self.classifier.features(self.fitted("real"), images)


def bare(data: ImageSet) -> ImageSet:
    """As synthetic images are: without findings and metadata."""
    return labelled(data.images, data.labels, data.label_names)
