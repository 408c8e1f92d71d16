"""An embedder: how often each grey level occurs."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Floats, Images, option
from tgap.embedders.base import Embedder, Features


@dataclass(kw_only=True)
class GreyLevels(Embedder):
    """The histogram of an image's grey levels, as shares of its pixels.

    What exposure alone tells: images that differ in shape only have nearly one vector.

    Args:
        bins: Grey levels that are told apart; 256 / ``bins`` neighbouring ones count as one.
    """

    bins: int = option(32, "grey levels that are told apart", low=2, high=256)

    def width(self, shape: tuple[int, ...]) -> int:
        """A number per level, by which room on the disk is foreseen."""
        return self.bins

    def _embed(self, images: Images, features: Features | None) -> Floats:
        vectors = np.empty((len(images), self.bins), np.float32)
        for row, image in enumerate(images):
            counts, _ = np.histogram(image, bins=self.bins, range=(0, 256))
            vectors[row] = counts / image.size
        return vectors
