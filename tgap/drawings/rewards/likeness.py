"""Images like the tuning images."""

from dataclasses import dataclass

from tgap.core import Bools, Doubles, Images
from tgap.drawings.rewards.base import Grounds
from tgap.drawings.rewards.novelty import Novelty


@dataclass(kw_only=True)
class Likeness(Novelty):
    """The opposite of ``novelty``: minus the distance to the nearest tuning image.

    The logarithm of a density of the tuning images, up to constants, by their nearest one. Keeps
    images within the domain, and makes copies likelier.

    Args:
        embedder: Of images.
    """

    def _values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles:
        values: Doubles = -super()._values(images, asked, grounds)
        return values
