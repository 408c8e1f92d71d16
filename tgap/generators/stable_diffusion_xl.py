"""Stable Diffusion XL."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tgap.generators.latent.layouts import STABLE_DIFFUSION_XL, Layout
from tgap.generators.latent.pretrained import LatentGenerator

if TYPE_CHECKING:
    import torch

    from tgap.generators.latent.model_xl import StableDiffusionXLModel


@dataclass(kw_only=True)
class StableDiffusionXL(LatentGenerator):
    """Stable Diffusion XL (Podell et al. 2023, arXiv 2307.01952) without its refiner.

    ``path`` is a diffusers folder or a hub id; none is packaged.
    """

    layout: ClassVar[Layout] = STABLE_DIFFUSION_XL

    def _model(
        self, pipeline: Any, words: dict[str, str], precision: "torch.dtype"
    ) -> "StableDiffusionXLModel":
        from tgap.generators.latent.model_xl import StableDiffusionXLModel

        return StableDiffusionXLModel(pipeline, self.image_size, words, precision)
