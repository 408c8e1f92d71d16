"""Images like the tuning images."""

from dataclasses import dataclass, field

from tgap.core import Bools, Doubles, Images
from tgap.drawings.rewards.base import Grounds, Reward, distances_by
from tgap.embedders.base import Embedder


@dataclass(kw_only=True)
class Likeness(Reward):
    """The opposite of ``novelty``: minus the distance to the nearest tuning image.

    The logarithm of a density of the tuning images, up to constants, by their nearest one. Keeps
    images within the domain, and makes copies likelier.

    Args:
        embedder: Of images.
    """

    embedder: Embedder = field(metadata={"help": "of drawn and tuning images", "choice": "clip"})

    def embedder_used(self) -> Embedder:
        """The embedder."""
        return self.embedder

    def _values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles:
        values: Doubles = -distances_by(images, grounds)
        return values
