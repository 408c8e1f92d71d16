"""A loaded latent diffusion model that begins with noised images instead of noise."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.core import ContractError, DataError, Images, Sampler
from tgap.core.memory import batches_that_fit
from tgap.generators.base import Model
from tgap.generators.latent.model import DIVERGED, StableDiffusionModel

if TYPE_CHECKING:
    import torch


class Variations(Model):
    """Image-to-image (SDEdit, Meng et al. 2021, arXiv 2108.01073): z_t of an image, then denoised.

    The image's latent is noised as it would be at the share ``strength`` of the schedule, by the
    noise of the seed, and the remaining steps are made; diffusers' own image-to-image pipeline of
    the model's architecture does it.

    Args:
        model: Draws.
        images: ``(M, H, W, C)`` uint8 of the model's size and channels.
        starts: The position of the image that a noise seed begins with.
        strength: In (0, 1]: 1 makes all steps, and little is left of the image.
    """

    def __init__(
        self, model: Model, images: Images, starts: Mapping[int, int], strength: float
    ) -> None:
        if not isinstance(model, StableDiffusionModel):
            raise DataError(
                f"{type(model).__name__} cannot begin with images; choose drawing=plain"
            )
        self.model, self.images, self.starts, self.strength = model, images, starts, strength

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampler: Sampler,
        on_images: Callable[[int], None] = lambda done: None,
    ) -> Images:
        """Draw one image per prompt, from the image of its seed; as ``Model.sample``."""
        model = self.model
        if len(prompts) != len(seeds):
            raise ContractError(f"{len(prompts)} prompts and {len(seeds)} seeds must be as many")
        images = np.empty((len(prompts), model.height, model.width, model.channels), np.uint8)

        def work(part: slice) -> int:
            images[part] = model.decode(self._latents(prompts[part], seeds[part], sampler))
            return int(part.stop)

        def fits(size: int) -> None:
            model.at_once = size

        size = min(sampler.batch_size, model.at_once)
        for done in batches_that_fit(len(prompts), size, work, "images to be drawn", fits):
            on_images(done)
        return images

    def save(self, folder: Path) -> None:
        """The model is what is saved."""
        self.model.save(folder)

    def _latents(
        self, prompts: Sequence[str], seeds: Sequence[int], sampler: Sampler
    ) -> "torch.Tensor":
        import torch

        model = self.model
        begins = self.images[[self.starts[seed] for seed in seeds]]
        generators = [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]
        half = model.precision != torch.float32
        moments = model.moments(begins)[:, 0]
        with torch.no_grad(), torch.autocast(model.device.type, model.precision, enabled=half):
            latents: torch.Tensor = self._pipeline(sampler)(
                **model._embeddings(prompts, sampler),
                image=moments,
                strength=self.strength,
                generator=generators,
                num_inference_steps=sampler.steps,
                guidance_scale=sampler.guidance,
                output_type="latent",
            ).images.float()
        worst = float(latents.flatten(1).std(dim=1).max())
        if not worst < DIVERGED:
            raise DataError(
                f"sampling diverged: scheduler {sampler.scheduler} gave latents with a standard "
                f"deviation of {worst:.3g}, where about 1 is usual; use more sampler.steps, less "
                "sampler.guidance or another scheduler (ddim, ddpm)"
            )
        return latents

    def _pipeline(self, sampler: Sampler) -> Any:
        from diffusers import AutoPipelineForImage2Image

        scheduler = self.model.scheduler_named(sampler.scheduler)
        pipeline = AutoPipelineForImage2Image.from_pipe(self.model._pipeline(scheduler=scheduler))
        pipeline.set_progress_bar_config(disable=True)
        return pipeline
