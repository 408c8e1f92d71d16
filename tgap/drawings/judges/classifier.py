"""A classifier of the run's kind, trained on real images that nothing else of the run uses."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Checkpoint, Floats, Images, ImageSet, Weights
from tgap.drawings.judges.base import Judge, Means


@dataclass(kw_only=True)
class ClassifierJudge(Judge):
    """The run's ``classifier``, trained anew on the fitting half of the reserve.

    Not the one of real_train: that says what TRTS is, and images that were chosen by it would
    prove themselves. It has seen labelled images that a plain drawing has not; how many is
    ``cost/labelled_real``, and as many more tuning images are what a fair comparison gives the
    plain drawing.
    """

    @classmethod
    def stem(cls) -> str:
        """``classifier``; the class is called otherwise, since that is a group's base."""
        return "classifier"

    def scores(self, weights: Weights, images: Images, means: Means) -> Floats:
        """Its logits."""
        return means.classifier.score(weights, images)

    def _fit(
        self, train: ImageSet, means: Means, rng: np.random.Generator, checkpoint: Checkpoint
    ) -> Weights:
        return means.classifier.fit(train, rng, checkpoint=checkpoint)
