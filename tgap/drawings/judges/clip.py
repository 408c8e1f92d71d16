"""Cosines of images and prompts, by a model that reads both."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.core import Checkpoint, Floats, Images, ImageSet, Weights
from tgap.drawings.judges.base import Judge, Means
from tgap.embedders.base import Embedder


@dataclass(kw_only=True)
class Clip(Judge):
    """Zero-shot: an image shows the label whose prompt its vector is nearest to by cosine.

    Radford et al., Learning transferable visual models from natural language supervision, ICML
    2021, arXiv 2103.00020 (section 3.1). A label's score is its prompt's cosine less the mean of
    all labels' cosines with that image. It learns from no image, and is checked on half of the
    reserve: whether a model that was trained on other images knows a domain's words is not sure.

    Args:
        embedder: Of images and texts.
    """

    learns: ClassVar[bool] = False

    embedder: Embedder = field(metadata={"help": "of images and prompts", "choice": "clip"})

    def problems(self) -> list[str]:
        """An embedder without texts, or findings, of which an image may have none."""
        problems = super().problems()
        if not self.embedder.reads_texts:
            problems.append(
                f"embedder '{self.embedder.title()}' reads no texts; choose "
                "drawing/judge/embedder=clip"
            )
        if self.tells == "findings":
            problems.append(
                "tells must be labels with judge 'clip', got 'findings': that an image has none "
                "is no text"
            )
        return problems

    def scores(self, weights: Weights, images: Images, means: Means) -> Floats:
        """Cosines with the labels' prompts, less their mean."""
        texts = self.embedder.embed_texts(means.texts)
        vectors = self.embedder.embed(images)
        texts, vectors = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (texts, vectors))
        cosines: Floats = (vectors @ texts.T).astype(np.float32)
        scores: Floats = cosines - cosines.mean(axis=1, keepdims=True)
        return scores

    def _fit(
        self, train: ImageSet, means: Means, rng: np.random.Generator, checkpoint: Checkpoint
    ) -> Weights:
        return {}
