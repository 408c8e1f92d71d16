"""The schedulers that latent diffusion models are drawn from with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tgap.core import ConfigError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SCHEDULER_CLASSES = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "dpm_solver": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "pndm": "PNDMScheduler",
}


def scheduler_named(name: str, pipeline: "DiffusionPipeline") -> Any:
    """A fresh scheduler of that kind on the model's own noise schedule.

    Args:
        name: One of ``SCHEDULER_CLASSES``.
        pipeline: Whose scheduler's configuration is taken over.

    Raises:
        ConfigError: If it is for another kind of model.
    """
    import diffusers

    if name not in SCHEDULER_CLASSES:
        raise no_such_scheduler(name, tuple(SCHEDULER_CLASSES))

    config = schedule_of(pipeline)
    if name == "dpm_solver" and config.get("beta_schedule") == "squaredcos_cap_v2":
        # On the squared-cosine schedule the first steps' log-SNR is so low that the solver
        # diverges; its authors clip it at -5.1 (Lu et al. 2022, arXiv 2211.01095, their code).
        config["lambda_min_clipped"] = -5.1
    if name == "pndm":
        # Else its first three steps take twelve passes, which Stable Diffusion's own PNDM skips.
        config = {"skip_prk_steps": True, **config}
    return getattr(diffusers, SCHEDULER_CLASSES[name]).from_config(config)


def no_such_scheduler(name: str, known: Sequence[str]) -> ConfigError:
    """The error of a scheduler that a kind of model cannot be drawn from with."""
    return ConfigError(
        f"sampler.scheduler must be one of {', '.join(known)} for this generator, got '{name}' "
        "(prior_sampler.scheduler too)"
    )


def schedule_of(pipeline: "DiffusionPipeline") -> dict[str, Any]:
    """The configuration of a model's noise schedule."""
    # Latents have no bounds to clip to, yet some schedulers clip when nothing is said.
    return {**pipeline.scheduler.config, "clip_sample": False}
