"""A few numbers of an image that a person can read, and a straight line through them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Checkpoint, Doubles, Floats, Images, ImageSet, Weights, option
from tgap.drawings.judges.base import Judge, Means

CHUNK = 1024
"""Images whose numbers are taken at once."""


def readable(images: Images) -> dict[str, Doubles]:
    """Numbers of images, by what they say.

    Of grey levels g in [0, 1] (the mean of the channels): their mean, standard deviation, and 5th
    and 95th percentile; the mean absolute difference of neighbours along rows and columns; the
    correlation with the mirror image and with the one upside down; and the brightness's centre and
    spread along rows and columns, as shares of the width and the height.

    Args:
        images: ``(N, H, W, C)`` uint8.

    Returns:
        ``(N,)`` float64 each; of an image that is of one grey correlations are 0, of a black one
        the centre is the middle and the spread 0.

    >>> white = np.full((1, 4, 4, 1), 255, np.uint8)
    >>> {name: round(float(value[0]), 2) for name, value in readable(white).items()}["across"]
    0.5
    """
    grey = images.mean(axis=3, dtype=np.float64) / 255
    dark, bright = np.percentile(grey, (5, 95), axis=(1, 2))
    across, width = _centre_and_spread(grey.sum(axis=1))
    down, height = _centre_and_spread(grey.sum(axis=2))
    return {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "dark": dark,
        "bright": bright,
        "changes_across": _changes(grey, 2),
        "changes_down": _changes(grey, 1),
        "like_its_mirror": _correlation(grey, grey[:, :, ::-1]),
        "like_upside_down": _correlation(grey, grey[:, ::-1]),
        "across": across,
        "width": width,
        "down": down,
        "height": height,
    }


def _changes(grey: Doubles, axis: int) -> Doubles:
    if grey.shape[axis] < 2:
        return np.zeros(len(grey))
    changes: Doubles = np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2))
    return changes


def _correlation(one: Doubles, other: Doubles) -> Doubles:
    one, other = (g - g.mean(axis=(1, 2), keepdims=True) for g in (one, other))
    norms = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
    found: Doubles = (one * other).sum(axis=(1, 2)) / np.where(norms > 0, norms, 1.0)
    return found


def _centre_and_spread(profile: Doubles) -> tuple[Doubles, Doubles]:
    """Of ``(N, n)`` sums, whose positions are the middles of n equal parts of [0, 1]."""
    places = (np.arange(profile.shape[1]) + 0.5) / profile.shape[1]
    total = profile.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, profile / np.where(total > 0, total, 1.0), 0.0)
    centre = np.where(total[:, 0] > 0, shares @ places, 0.5)
    spread = np.sqrt((shares * (places - centre[:, None]) ** 2).sum(axis=1))
    return centre, spread


@dataclass(kw_only=True)
class Features(Judge):
    """One logistic regression per label on a dozen readable numbers of an image (``readable``).

    It knows little, so that what it keeps differs from what was drawn in ways that can be said:
    ``coefficients`` has how, by the numbers' names. A judge for images whose labels show in
    brightness, symmetry or place; ``least_auroc`` tells where they do not.

    Args:
        strength: C of the regression, the inverse of its L2 penalty.
    """

    names: ClassVar[tuple[str, ...]] = tuple(readable(np.zeros((1, 2, 2, 1), np.uint8)))
    """Of the numbers, in their order."""

    strength: float = option(1.0, "of the regression, the inverse of its penalty", above=0)

    def scores(self, weights: Weights, images: Images, means: Means) -> Floats:
        """Log odds."""
        numbers = (_numbers(images) - weights["mean"]) / weights["std"]
        scores: Floats = (numbers @ weights["weights"] + weights["bias"]).astype(np.float32)
        return scores

    def coefficients(self, weights: Weights) -> list[Mapping[str, float]]:
        """Of each label: by how much its log odds rise with a standard deviation of a number."""
        return [
            dict(zip(self.names, column.tolist(), strict=True)) for column in weights["weights"].T
        ]

    def _fit(
        self, train: ImageSet, means: Means, rng: np.random.Generator, checkpoint: Checkpoint
    ) -> Weights:
        from sklearn.linear_model import LogisticRegression

        numbers = _numbers(train.images)
        mean, std = numbers.mean(axis=0), numbers.std(axis=0)
        std = np.where(std > 0, std, 1.0)
        scaled = (numbers - mean) / std
        lines = [
            LogisticRegression(C=self.strength, max_iter=1000).fit(scaled, labels)
            for labels in train.labels.T
        ]
        return {
            "mean": mean,
            "std": std,
            "weights": np.stack([line.coef_[0] for line in lines], axis=1),
            "bias": np.array([line.intercept_[0] for line in lines]),
        }


def _numbers(images: Images) -> Doubles:
    """``(N, 12)``."""
    chunks = [
        np.stack(list(readable(images[at : at + CHUNK]).values()), axis=1)
        for at in range(0, len(images), CHUNK)
    ]
    return np.concatenate([np.empty((0, len(Features.names))), *chunks])
