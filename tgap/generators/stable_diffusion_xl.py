"""Stable Diffusion XL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tgap.generators.latent.base import Conditioning
from tgap.generators.latent.files.layouts import (
    CLIP,
    CLIP_PROJECTED,
    SCHEDULER,
    TOKENIZER,
    UNET,
    VAE_SCALED,
    Layout,
)
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.pretrained import LatentGenerator

STABLE_DIFFUSION_XL = Layout(
    "StableDiffusionXLPipeline",
    {
        "vae": VAE_SCALED,
        "unet": UNET,
        "text_encoder": CLIP,
        "text_encoder_2": CLIP_PROJECTED,
        "tokenizer": TOKENIZER,
        "tokenizer_2": TOKENIZER,
        "scheduler": SCHEDULER,
    },
    # the watermark would be in every synthetic image, and a classifier might learn it
    without={"image_encoder": None, "feature_extractor": None, "add_watermarker": False},
)


class StableDiffusionXLModel(StableDiffusionModel):
    """A ``StableDiffusionXLPipeline`` ready to draw.

    The UNet is also told an image's original size, crop and target size (Podell et al. 2023, arXiv
    2307.01952, section 2.2). All images, those it is tuned on too, count as uncropped and as of the
    size that they have.
    """

    pipeline_names: ClassVar[Mapping[str, str]] = {
        "encoder_hidden_states": "prompt_embeds",
        "text_embeds": "pooled_prompt_embeds",
    }

    def _encoded(self, prompts: list[str]) -> Conditioning:
        """Next-to-last hidden states of both text encoders, and the second one's pooled vector.

        The empty prompt is zeros where the pipeline's settings say that the UNet was trained so.
        """
        import torch

        states, _, pooled, _ = self.pipeline.encode_prompt(
            prompts, device=self.device, do_classifier_free_guidance=False
        )
        # The pipeline itself does so only for a negative prompt that it was not given. Here it is
        # given all embeddings, and an empty prompt of training must be the one of guidance.
        if self.pipeline.config.force_zeros_for_empty_prompt:
            written = torch.tensor([prompt != "" for prompt in prompts], device=states.device)
            states, pooled = states * written[:, None, None], pooled * written[:, None]
        return {"encoder_hidden_states": states, "text_embeds": pooled}

    def _arguments(self, conditioning: Conditioning) -> dict[str, Any]:
        states, pooled = conditioning["encoder_hidden_states"], conditioning["text_embeds"]
        size = (self.height, self.width)
        sizes = states.new_tensor([*size, 0, 0, *size]).expand(len(states), -1)
        return {
            "encoder_hidden_states": states,
            "added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes},
        }


@dataclass(kw_only=True)
class StableDiffusionXL(LatentGenerator):
    """Stable Diffusion XL (Podell et al. 2023, arXiv 2307.01952) without its refiner.

    ``path`` is a diffusers folder or a hub id; none is packaged.
    """

    layout: ClassVar[Layout] = STABLE_DIFFUSION_XL
    model: ClassVar[type[StableDiffusionModel]] = StableDiffusionXLModel
