"""Stable Diffusion 3 and 3.5."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tgap.generators.latent.base import Conditioning, Noising
from tgap.generators.latent.files.layouts import (
    CLIP_PROJECTED,
    DIFFUSERS_STEM,
    SCHEDULER,
    TOKENIZER,
    TOKENIZER_FILES,
    VAE_SCALED,
    Layout,
    Part,
)
from tgap.generators.latent.files.schedule import FLOW
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.noising import Flow
from tgap.generators.latent.pretrained import LatentGenerator
from tgap.generators.latent.schedulers import no_such_scheduler

SCHEDULERS = ("flow_euler",)
T5_TOKENS = 256  # that StableDiffusion3Pipeline hands to its T5, which could read more

STABLE_DIFFUSION_3 = Layout(
    "StableDiffusion3Pipeline",
    {
        "vae": dataclasses.replace(VAE_SCALED, says=(*VAE_SCALED.says, "shift_factor")),
        "transformer": Part("diffusers", ("SD3Transformer2DModel",), stem=DIFFUSERS_STEM),
        "text_encoder": CLIP_PROJECTED,
        "text_encoder_2": CLIP_PROJECTED,
        "text_encoder_3": Part("transformers", ("T5EncoderModel",), stem="model", optional=True),
        "tokenizer": TOKENIZER,
        "tokenizer_2": TOKENIZER,
        "tokenizer_3": Part(
            "transformers",
            ("T5TokenizerFast", "T5Tokenizer"),
            TOKENIZER_FILES[0],
            optional=True,
            reads=T5_TOKENS,
        ),
        "scheduler": dataclasses.replace(SCHEDULER, schedule=FLOW),
    },
    denoiser="transformer",
    without={"image_encoder": None, "feature_extractor": None},
)


class StableDiffusion3Model(StableDiffusionModel):
    """A ``StableDiffusion3Pipeline`` ready to draw: a transformer trained by flow matching."""

    usual_scheduler: ClassVar[str] = "flow_euler"
    denoiser_name: ClassVar[str] = "transformer"
    pipeline_names: ClassVar[Mapping[str, str]] = {
        "encoder_hidden_states": "prompt_embeds",
        "pooled_projections": "pooled_prompt_embeds",
    }
    tokens_read: ClassVar[Mapping[str, int]] = {"tokenizer_3": T5_TOKENS}

    def _encoded(self, prompts: list[str]) -> Conditioning:
        """Hidden states of all text encoders one after another, and both pooled CLIP vectors.

        In place of a T5 encoder that the pipeline has not there are zeros.
        """
        states, _, pooled, _ = self.pipeline.encode_prompt(
            prompts, None, None, device=self.device, do_classifier_free_guidance=False
        )
        return {"encoder_hidden_states": states, "pooled_projections": pooled}

    def _noising(self) -> Noising:
        return Flow(self.scheduler_named("flow_euler"))

    def scheduler_named(self, name: str) -> Any:
        """What it is drawn from with, by its name in ``sampler.scheduler``, fresh."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        if name not in SCHEDULERS:
            raise no_such_scheduler(name, SCHEDULERS)
        return FlowMatchEulerDiscreteScheduler.from_config(self.pipeline.scheduler.config)


@dataclass(kw_only=True)
class StableDiffusion3(LatentGenerator):
    """Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv 2403.03206), of any size.

    ``path`` is a diffusers folder or a hub id; none is packaged. Its large third text encoder, a
    T5, may be absent, as ``[null, null]`` in model_index.json. Trained by flow matching, it is
    drawn from with ``sampler.scheduler=flow_euler`` and ``prior_sampler.scheduler=flow_euler``.
    """

    layout: ClassVar[Layout] = STABLE_DIFFUSION_3
    model: ClassVar[type[StableDiffusionModel]] = StableDiffusion3Model
    half: ClassVar[str] = "bfloat16"
    schedulers: ClassVar[tuple[str, ...]] = SCHEDULERS

    @classmethod
    def stem(cls) -> str:
        """``stable_diffusion_3``, with the number as a word of its own."""
        return "stable_diffusion_3"
