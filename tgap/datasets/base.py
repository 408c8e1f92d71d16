"""A domain's real images, and how they are split."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from tgap.component import Component, option
from tgap.errors import DataError
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
        """Read all images, in an order that never changes.

        Returns:
            The whole dataset; at least two labels, each with images.

        Raises:
            DataError: If there are fewer labels, or one without images.
        """
        data = self._load()
        empty = [name for name, count in data.label_counts().items() if count == 0]
        if len(data.label_names) < 2 or empty:
            raise DataError(
                f"dataset '{self.title()}' needs at least two labels, each with images; got "
                f"{data.label_counts()}"
            )
        return data

    @abstractmethod
    def _load(self) -> ImageSet: ...
