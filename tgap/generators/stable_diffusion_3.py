"""Stable Diffusion 3 and 3.5."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tgap.generators.latent.layouts import STABLE_DIFFUSION_3, Layout
from tgap.generators.latent.pretrained import LatentGenerator

if TYPE_CHECKING:
    import torch

    from tgap.generators.latent.model_3 import StableDiffusion3Model


@dataclass(kw_only=True)
class StableDiffusion3(LatentGenerator):
    """Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv 2403.03206), of any size.

    ``path`` is a diffusers folder or a hub id; none is packaged. Its large third text encoder, a
    T5, may be absent, as ``[null, null]`` in model_index.json. Trained by flow matching, it is
    drawn from with ``sampler.scheduler=flow_euler`` and ``prior_sampler.scheduler=flow_euler``.
    """

    layout: ClassVar[Layout] = STABLE_DIFFUSION_3
    half: ClassVar[str] = "bfloat16"
    schedulers: ClassVar[tuple[str, ...]] = ("flow_euler",)

    @classmethod
    def stem(cls) -> str:
        """``stable_diffusion_3``, with the number as a word of its own."""
        return "stable_diffusion_3"

    def _model(
        self, pipeline: Any, words: dict[str, str], precision: "torch.dtype"
    ) -> "StableDiffusion3Model":
        from tgap.generators.latent.model_3 import StableDiffusion3Model

        return StableDiffusion3Model(pipeline, self.image_size, words, precision)
