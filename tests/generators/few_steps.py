"""A few steps of fine-tuning on random images, and a few of drawing, ours and diffusers' own."""

from typing import Any

import numpy as np

from tgap.core import Budget, Images, Sampler
from tgap.finetuners.base import Finetuner, PromptedImages
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.latent.base import LatentModel
from tgap.generators.latent.model import StableDiffusionModel

PROMPTS = ("an odd a", "an even b")


def random_images(side: int = 16, channels: int = 1) -> PromptedImages:
    """Two of each prompt."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, side, side, channels), dtype=np.uint8)
    return PromptedImages(pixels, PROMPTS * 2, np.ones(4), np.arange(4) % 2)


def tuned(
    finetuner: Finetuner, model: StableDiffusionModel, steps: int = 3
) -> StableDiffusionModel:
    """A copy of a model, tuned without prior images."""
    images = random_images(model.height, model.channels)
    budget = Budget(steps=steps, batch_size=2, learning_rate=0.01)
    return finetuner.finetune(model, images, None, budget, np.random.default_rng(0))


def started(finetuner: DenoisingFinetuner, model: LatentModel, images: PromptedImages) -> Any:
    """The copy that would be tuned."""
    return finetuner._trainable(model, images, np.random.default_rng(0))


def draw(model: StableDiffusionModel, scheduler: str = "ddim") -> Images:
    """An image of each prompt, as integers that can be subtracted."""
    return model.sample(PROMPTS, [1, 2], Sampler(scheduler=scheduler, steps=3)).astype(int)


def drawn_by(pipeline: Any, prompt: str, seed: int, guidance: float) -> Any:
    """What a pipeline of diffusers draws by itself: ``(1, 16, 16, C)`` in [0, 1]."""
    import torch

    return pipeline(
        prompt,
        num_inference_steps=3,
        guidance_scale=guidance,
        output_type="np",
        generator=torch.Generator().manual_seed(seed),
        height=16,
        width=16,
    ).images
