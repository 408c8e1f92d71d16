"""A classifier: which label's mean image is nearest?"""

import math
from dataclasses import dataclass

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.core import Checkpoint, Floats, Images, ImageSet, Log, Weights


@dataclass(kw_only=True)
class NearestMean(Classifier):
    """Scores a label by how much nearer its images' mean is than the mean of the others.

    With d the root mean squared difference of pixels in [0, 1], the logit is
    ``(d(others) - d(label)) / s``; s is the deviation of that difference on the
    validation part. Nothing is random.
    """

    def _fit(
        self,
        train: ImageSet,
        validation: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights:
        pixels = _flat(train.images)
        means = np.stack(
            [[pixels[has].mean(axis=0), pixels[~has].mean(axis=0)] for has in train.labels.T]
        )
        nearer = _nearer(_flat(validation.images), means)
        right = (nearer > 0) == validation.labels
        log(1, {"validation_accuracy": float(right.mean())})
        return {"means": means, "spread": np.maximum(nearer.std(axis=0), 1e-6)}

    def _score(self, weights: Weights, images: Images) -> Floats:
        nearer = _nearer(_flat(images), weights["means"]) / weights["spread"]
        return nearer.astype(np.float32)


def _flat(images: Images) -> Floats:
    # not reshape(len(images), -1): there may be no image
    return images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float32) / 255


def _nearer(pixels: Floats, means: Floats) -> Floats:
    """``(N, L)``: distance to the mean of the images without a label, less that with it."""
    distances = np.sqrt(((pixels[:, None, None] - means) ** 2).mean(axis=-1))
    nearer: Floats = distances[..., 1] - distances[..., 0]
    return nearer
