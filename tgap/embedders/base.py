"""Images -> vectors."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tgap.core import Component, ContractError, Floats, Images, option
from tgap.core.arrays import require_rows

Features = Callable[[Images], Floats]
"""A fitted classifier's features of images."""


@dataclass(kw_only=True)
class Embedder(Component):
    """Maps each image to one vector, independently of the others."""

    uses_classifier: ClassVar[bool] = False
    """Whether ``embed`` must be given the features of the run's real classifier."""

    reads_texts: ClassVar[bool] = False
    """Whether ``embed_texts`` is implemented."""

    batch_size: int = option(256, "images embedded at once", low=1, high=1_000_000, in_key=False)

    def width(self, shape: tuple[int, ...]) -> int:
        """How many numbers a vector has, roughly: by it room on the disk is foreseen.

        Args:
            shape: Height, width and channels of an image.
        """
        return 512

    def embed(self, images: Images, features: Features | None = None) -> Floats:
        """Embed images.

        Args:
            images: ``(N, H, W, C)`` uint8.
            features: Of the classifier that was trained on real_train, for embedders with
                ``uses_classifier``; ``None`` for all others.

        Returns:
            ``(N, d)`` float32, finite.

        Raises:
            ContractError: If the features are missing, or the vectors have another shape or are
                not finite.
        """
        if (features is None) == self.uses_classifier:
            fault = (
                "needs the features of a trained classifier; hand them over"
                if features is None
                else "takes no features of a classifier; leave them out"
            )
            raise ContractError(f"embedder '{self.stem()}' {fault}")
        vectors = self._embed(images, features)
        require_rows(self.stem(), "vectors", vectors, len(images))
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts in the space of the images', to compare the two by cosine.

        Args:
            texts: N texts.

        Returns:
            ``(N, d)`` float32, finite.

        Raises:
            ContractError: If the embedder reads no texts (``reads_texts``), or the vectors have
                another shape or are not finite.
        """
        vectors = self._embed_texts(texts)
        require_rows(self.stem(), "vectors", vectors, len(texts))
        return vectors

    def _embed_texts(self, texts: Sequence[str]) -> Floats:
        raise ContractError(f"embedder '{self.stem()}' reads no texts")

    @abstractmethod
    def _embed(self, images: Images, features: Features | None) -> Floats: ...
