"""A domain's real images, and how they are split."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from tgap.component import Component, option
from tgap.types import ImageSet


@dataclass(kw_only=True)
class Dataset(Component):
    """Real images with labels, and where known findings and patients.

    Args:
        domain: The word or words that prompts use for what the images show, e.g. ``chest X-ray``.
    """

    image_size: ClassVar[int | None] = None
    """Height and width of every image, where the class fixes it."""

    domain: str = option("", "what the images show, in the words of a prompt")

    def load(self) -> ImageSet:
        """Read and check all images, in an order that never changes.

        Returns:
            The whole dataset; at least two labels, each with images.
        """
        return self._load()

    @abstractmethod
    def _load(self) -> ImageSet: ...
