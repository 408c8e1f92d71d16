"""No augmentation of styles: batches are trained on as the network has them."""

from dataclasses import dataclass
from typing import ClassVar

from tgap.classifiers.augments.base import Augment


@dataclass(kw_only=True)
class NoAugment(Augment):
    """Changes nothing; the network's own small shifts and mirroring stay."""

    changes: ClassVar[bool] = False

    @classmethod
    def stem(cls) -> str:
        """``none``, which Python does not allow as a class's name."""
        return "none"
