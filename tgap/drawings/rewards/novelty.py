"""Images unlike the tuning images."""

from dataclasses import dataclass, field

from tgap.core import Bools, Doubles, Images
from tgap.drawings.rewards.base import Grounds, Reward, distances_by
from tgap.embedders.base import Embedder


@dataclass(kw_only=True)
class Novelty(Reward):
    """1 - cosine to the nearest tuning image of any label, over the mean of that among these.

    1 is as far as tuning images are from each other. Seeks what was not tuned on: less copied, and
    further from the domain too.

    Args:
        embedder: Of images.
    """

    embedder: Embedder = field(metadata={"help": "of drawn and tuning images", "choice": "clip"})

    def embedder_used(self) -> Embedder:
        """The embedder."""
        return self.embedder

    def _values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles:
        return distances_by(images, grounds)
