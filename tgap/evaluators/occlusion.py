"""Where the synthetic classifier looks, on synthetic images and on real ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Doubles, Images, ImageSet, Weights, option
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.evaluators.parts.matching import common_count, draw_images
from tgap.evaluators.parts.pairs import picture_of_pairs

BACKGROUND = 10
"""The mean image that patches are taken from is of so many times as many images."""
ENLARGED = 3
"""The picture is, as there is one pair only."""


@dataclass(kw_only=True)
class Occlusion(Evaluator):
    """How the logits of the classifier trained on synthetic images change where it sees nothing.

    Patch by patch, an image's pixels are replaced by those of its set's mean image (Zeiler and
    Fergus 2014, arXiv 1311.2901, section 2.1). A patch's weight is the mean over images and labels
    of the absolute change, as a share of all patches' weights.

    - ``occlusion/overlap``: what the weights on synthetic images and on real ones have in common,
      the sum of the smaller ones: 1 if it looks at the same places on both
    - ``occlusion/overlap_floor``: the same of two halves of the synthetic images

    A mark in synthetic images, or a ground of its own, that gives the label away draws the weights
    to places that say nothing on real images. The picture ``occlusion`` has the mean image of a
    set, synthetic left and real right, red where a place weighs. Without labels to tell
    apart there are no metrics; with fewer than two images of a label they are NaN.

    Args:
        images: Synthetic and real test images that are looked at, each so many.
        grid: Patches on a side: a classifier scores each image once for each of them.
    """

    shown: ClassVar[Sequence[str]] = ()

    images: int = option(24, "images of each side that are occluded", low=2, high=1_000_000)
    grid: int = option(7, "patches on a side", low=2, high=1_000_000)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        if not evidence.legs():
            return Evaluation({})
        weights = evidence.fitted("synthetic")
        sides: list[tuple[Doubles, Images]] = []
        for part in (evidence.synthetic()[1], evidence.real_test()):
            drawn, mean = self._drawn(part, rng)
            sides.append((self._changes(evidence, weights, drawn, mean), mean))
        (synthetic, _), (real, _) = sides
        metrics = {
            "occlusion/overlap": overlap(synthetic, real),
            "occlusion/overlap_floor": overlap(*np.array_split(synthetic, 2)),
        }
        seen = [_seen(mean, changes) for changes, mean in sides if len(changes)]
        pictures = {}
        if len(seen) == len(sides):
            picture = picture_of_pairs([(seen[0], seen[1])])
            pictures["occlusion"] = picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
        return Evaluation(metrics, pictures=pictures)

    def _drawn(self, part: ImageSet, rng: np.random.Generator) -> tuple[Images, Images]:
        """Images, as many of each label in turn, and the mean image of more of them."""
        labels, available = len(part.label_names), common_count(part.labels)
        count = min(available, -(-self.images // labels) * BACKGROUND)
        drawn = draw_images([part], count, rng).reshape(labels, count, *part.images.shape[1:])
        in_turn = np.concatenate(drawn.swapaxes(0, 1)) if count else part.images[:0]
        mean = in_turn.mean(axis=0) if count else np.zeros(part.images.shape[1:])
        return in_turn[: self.images], np.rint(mean).astype(np.uint8)

    def _changes(
        self, evidence: Evidence, weights: Weights, images: Images, mean: Images
    ) -> Doubles:
        """``(N, grid, grid)``: mean over labels of the absolute change of the logits."""
        changes = np.zeros((len(images), self.grid, self.grid))
        if not len(images):
            return changes
        seen = evidence.classifier.score(weights, images)
        places = patches(mean.shape[:2], self.grid)
        for row in range(self.grid):  # at once, as each scoring loads the classifier anew
            covered = np.repeat(images[None], self.grid, axis=0)
            beside = places[row * self.grid : (row + 1) * self.grid]
            for one, (rows, columns) in zip(covered, beside, strict=True):
                one[:, rows, columns] = mean[rows, columns]
            scores = evidence.classifier.score(weights, covered.reshape(-1, *images.shape[1:]))
            change = np.abs(scores.reshape(self.grid, *seen.shape) - seen)
            changes[:, row] = change.mean(axis=2).T
        return changes


def patches(size: tuple[int, ...], grid: int) -> list[tuple[slice, slice]]:
    """Rows and columns of each patch, row by row; on small images some are empty."""
    height, width = (np.linspace(0, side, grid + 1).round().astype(int) for side in size)
    return [
        (slice(*height[row : row + 2]), slice(*width[column : column + 2]))
        for row in range(grid)
        for column in range(grid)
    ]


def overlap(one: Doubles, other: Doubles) -> float:
    """What the weights of places have in common.

    Args:
        one: Changes of images, ``(N, ...)``, by place.
        other: The same of other images.

    Returns:
        From 0, no place counts in both, to 1; NaN if nothing changes anywhere in one of them.

    >>> overlap(np.array([[1.0, 1.0]]), np.array([[0.0, 6.0]]))
    0.5
    """
    sums = [changes.sum(axis=0) for changes in (one, other)]
    if not all(weights.sum() > 0 for weights in sums):
        return float("nan")
    return float(np.minimum(*(weights / weights.sum() for weights in sums)).sum())


def _seen(mean: Images, changes: Doubles) -> Images:
    """The mean image, grey, red where places weigh."""
    weights = changes.mean(axis=0) / max(changes.mean(axis=0).max(), 1e-12)
    shown = np.repeat(mean.mean(axis=2, keepdims=True), 3, axis=2) / 2
    places = patches(mean.shape[:2], len(weights))
    for (rows, columns), weight in zip(places, weights.ravel(), strict=True):
        shown[rows, columns, 0] += 127 * weight
    return np.rint(shown).astype(np.uint8)
