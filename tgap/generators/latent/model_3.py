"""A loaded Stable Diffusion 3."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tgap.generators.latent.base import Conditioning, Noising
from tgap.generators.latent.layouts import T5_TOKENS
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.noising import Flow
from tgap.generators.latent.schedulers import no_such_scheduler

SCHEDULERS = ("flow_euler",)


class StableDiffusion3Model(StableDiffusionModel):
    """A ``StableDiffusion3Pipeline`` ready to draw: a transformer trained by flow matching."""

    usual_scheduler: ClassVar[str] = "flow_euler"

    denoiser_name: ClassVar[str] = "transformer"
    said_as: ClassVar[Mapping[str, str]] = {
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
        return Flow(self._scheduler("flow_euler"))

    def _scheduler(self, name: str) -> Any:
        from diffusers import FlowMatchEulerDiscreteScheduler

        if name not in SCHEDULERS:
            raise no_such_scheduler(name, SCHEDULERS)
        return FlowMatchEulerDiscreteScheduler.from_config(self.pipeline.scheduler.config)
