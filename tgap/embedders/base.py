"""Images -> vectors."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from tgap.component import Component, option
from tgap.errors import ContractError
from tgap.types import Floats, Images


@dataclass(kw_only=True)
class Embedder(Component):
    """Maps each image to one vector, independently of the others."""

    batch_size: int = option(256, "images embedded at once", low=1, in_key=False)

    def embed(self, images: Images) -> Floats:
        """Embed images.

        Args:
            images: ``(N, H, W, C)`` uint8.

        Returns:
            ``(N, d)`` float32, finite.

        Raises:
            ContractError: If the vectors have another shape or are not finite.
        """
        vectors = self._embed(images)
        if vectors.ndim != 2 or len(vectors) != len(images) or vectors.dtype != np.float32:
            raise ContractError(
                f"{self.stem()} must return ({len(images)}, d) float32, "
                f"got {vectors.shape} {vectors.dtype}"
            )
        if not np.isfinite(vectors).all():
            raise ContractError(f"{self.stem()} returned vectors that are not finite")
        return vectors

    @abstractmethod
    def _embed(self, images: Images) -> Floats: ...
