"""Latents that a model denoises, as a sampler asks for it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from tgap.core import ContractError, DataError, Sampler
from tgap.core.settings import OTHER_MODELS
from tgap.generators.latent.drawing.aids import Drawable, Start
from tgap.generators.latent.drawing.choosing import chosen
from tgap.generators.latent.drawing.denoiser import denoiser_for

DIVERGED = 30.0
"""Latents of a trained model have a standard deviation near 1, diverged ones 1,000."""


def latents_of(
    model: Drawable,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampler: Sampler,
    on_step: Callable[[], None] | None = None,
) -> torch.Tensor:
    """Denoise one latent per prompt, from noise of its seed or from the image that it begins with.

    Args:
        model: Draws, with its aids.
        prompts: N texts.
        seeds: N noise seeds.
        sampler: Without ranges.
        on_step: Called after each step.

    Returns:
        ``(N, c, h, w)`` float32.

    Raises:
        DataError: If it diverged.
    """
    # One per image, also for the noise that some schedulers add at each step: an image
    # is then the same in every batch, at every place of it, and on every device.
    generators = [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]
    half, start = model.precision != torch.float32, model.aids.start

    def stepped(*_: object) -> dict[str, Any]:
        if on_step is not None:
            on_step()
        return {}

    with torch.no_grad(), torch.autocast(model.device.type, model.precision, enabled=half):
        if start is None:
            pipeline, begins = _from_noise(model, seeds, sampler, generators)
        else:
            pipeline, begins = _from_images(model, seeds, sampler, start)
        latents: torch.Tensor = pipeline(
            # embeddings, not prompts: the pipeline would cut what is too long without a word
            **_embeddings(model, prompts, sampler),
            **begins,
            generator=generators,
            num_inference_steps=sampler.steps,
            guidance_scale=sampler.guidance,
            output_type="latent",
            callback_on_step_end=stepped,
        ).images.float()
    _refuse_diverged(latents, sampler)
    return latents


def _from_noise(
    model: Drawable, seeds: Sequence[int], sampler: Sampler, generators: Sequence[torch.Generator]
) -> tuple[Any, dict[str, Any]]:
    """A pipeline, and what it begins with."""
    sides = (model.height, model.width)
    latent = (side // model.pipeline.vae_scale_factor for side in sides)
    shape = (model.denoiser.config.in_channels, *latent)
    noise = torch.stack([torch.randn(shape, generator=each) for each in generators])
    # Schedulers count steps, so one that was used before would go on counting.
    scheduler, guide = model.scheduler_named(sampler.scheduler), _guide(model, sampler)
    timesteps = scheduler.config.num_train_timesteps
    denoiser = denoiser_for(sampler, seeds, model.denoiser, guide.denoiser, timesteps)
    if (choice := model.aids.choice) is not None:
        denoiser, scheduler = chosen(model, denoiser, scheduler, seeds, sampler.guidance, choice)
    pipeline = model.pipeline_with(**{"scheduler": scheduler, model.denoiser_name: denoiser})
    return pipeline, {"latents": noise.to(model.device), "height": sides[0], "width": sides[1]}


def _from_images(
    model: Drawable, seeds: Sequence[int], sampler: Sampler, start: Start
) -> tuple[Any, dict[str, Any]]:
    """Diffusers' own image-to-image pipeline of the model's architecture, and the latents."""
    from diffusers import AutoPipelineForImage2Image

    scheduler = model.scheduler_named(sampler.scheduler)
    pipeline = AutoPipelineForImage2Image.from_pipe(model.pipeline_with(scheduler=scheduler))
    pipeline.set_progress_bar_config(disable=True)
    means = model.moments(start.images[[start.of[seed] for seed in seeds]])[:, 0]
    _take_latents(pipeline, means.shape[1])
    return pipeline, {"image": means, "strength": start.strength}


def _take_latents(pipeline: Any, channels: int) -> None:
    """Have it take latents as such: Stable Diffusion's takes all but four channels for pixels."""
    from diffusers.image_processor import VaeImageProcessor
    from diffusers.utils.torch_utils import randn_tensor

    if pipeline.image_processor.config.vae_latent_channels == channels:
        return

    def noised(
        image: torch.Tensor, timestep: torch.Tensor, *sizes_dtype_device_generators: Any
    ) -> Any:
        """As it does with four channels."""
        dtype, device, generators = sizes_dtype_device_generators[2:5]
        clean = image.to(device=device, dtype=dtype)
        noise = randn_tensor(clean.shape, generator=generators, device=device, dtype=dtype)
        return pipeline.scheduler.add_noise(clean, noise, timestep)

    pipeline.image_processor = VaeImageProcessor(
        vae_scale_factor=pipeline.vae_scale_factor, vae_latent_channels=channels
    )
    pipeline.prepare_latents = noised


def _guide(model: Drawable, sampler: Sampler) -> Drawable:
    """The model whose reading of the prompt, or of the empty one, guidance leads away from."""
    if sampler.guide not in OTHER_MODELS or sampler.guidance == 1:
        return model
    if model.aids.guide is None:
        raise ContractError(
            f"guide={sampler.guide} needs another model: model.aided(Aids(guide=other))"
        )
    return model.aids.guide


def _embeddings(model: Drawable, prompts: Sequence[str], sampler: Sampler) -> dict[str, Any]:
    """What the pipeline is told instead of prompts."""
    names = model.pipeline_names
    arguments = {names[name]: tensor for name, tensor in model.condition(prompts).items()}
    if sampler.guidance > 1:
        texts = [""] if sampler.guide == "empty" else prompts
        arguments |= {
            f"negative_{names[name]}": tensor.expand(len(prompts), *tensor.shape[1:])
            for name, tensor in _guide(model, sampler).condition(texts).items()
        }
    return arguments


def _refuse_diverged(latents: torch.Tensor, sampler: Sampler) -> None:
    worst = float(latents.flatten(1).std(dim=1).max())
    if not worst < DIVERGED:  # NaN compares false, so it is refused too
        raise DataError(
            f"sampling diverged: scheduler {sampler.scheduler} with {sampler.steps} steps and "
            f"guidance {sampler.guidance:g} gave latents with a standard deviation of "
            f"{worst:.3g}, where about 1 is usual; use more steps, less guidance or another "
            "scheduler (ddim, ddpm), or look at the model's training losses"
        )
