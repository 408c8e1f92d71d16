"""The noise schedule that a model was trained with, read from its scheduler's configuration.

Which scheduler a folder names is of no consequence: that one draws, and ``sampler.scheduler`` says
what draws here. What it was configured with holds the schedule.
"""

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]

DIFFUSION, FLOW = "diffusion", "flow"
WHOLE = {
    DIFFUSION: (
        "DDIMScheduler",
        "DDPMScheduler",
        "PNDMScheduler",
        "LMSDiscreteScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler",
    ),
    FLOW: ("FlowMatchEulerDiscreteScheduler",),
}
"""Of these all settings are taken over, such as Karras' noise levels."""
BETAS = ("beta_start", "beta_end", "beta_schedule")
CURVES = ("linear", "scaled_linear", "squaredcos_cap_v2")
"""Values of ``beta_schedule`` that every scheduler which draws here knows."""
PREDICTED = ("epsilon", "v_prediction")
SETTINGS = (
    *("num_train_timesteps", *BETAS, "trained_betas", "prediction_type", "rescale_betas_zero_snr"),
    *("timestep_spacing", "steps_offset", "set_alpha_to_one"),
)
"""What is taken of a scheduler of another class: its own ways of drawing mean nothing to others."""


def schedule_problems(config: Config, kind: str) -> list[str]:
    """What stands in the way of training and drawing by a scheduler's configuration.

    Args:
        config: Of any class of diffusers.
        kind: ``DIFFUSION`` or ``FLOW``, as the model is trained.

    Returns:
        Each as the end of a sentence that begins with the file.
    """
    needed = ["num_train_timesteps"]
    if kind == FLOW:
        needed.append("flow_shift" if config.get("use_flow_sigmas") else "shift")
    elif config.get("trained_betas") is None:
        needed += BETAS
    lacking = [name for name in needed if config.get(name) is None]
    if lacking:
        return [
            f"lacks {', '.join(lacking)}, of the schedule that the model was trained with (and "
            "diffusers has defaults that may be another model's)"
        ]
    return _diffusion_problems(config) if kind == DIFFUSION else []


def _diffusion_problems(config: Config) -> list[str]:
    problems = []
    predicted, betas = config.get("prediction_type", "epsilon"), config.get("trained_betas")
    if predicted not in PREDICTED or config.get("use_flow_sigmas"):
        flow = " with use_flow_sigmas" if config.get("use_flow_sigmas") else ""
        problems.append(
            f"must have the prediction_type {' or '.join(PREDICTED)}, got '{predicted}'{flow}"
        )
    if betas is None and config["beta_schedule"] not in CURVES:
        problems.append(
            f"must have the beta_schedule {' or '.join(CURVES)}, or trained_betas, got "
            f"'{config['beta_schedule']}'"
        )
    if betas is not None and len(betas) != config["num_train_timesteps"]:
        problems.append(
            f"must have num_train_timesteps={len(betas)}, as many as trained_betas, got "
            f"{config['num_train_timesteps']}"
        )
    if str(config.get("variance_type")).startswith("learned"):
        problems.append(
            f"has variance_type='{config['variance_type']}', and models that predict a variance "
            "besides are not read"
        )
    if config.get("snr_shift_scale", 1) != 1:
        problems.append(f"has snr_shift_scale={config['snr_shift_scale']}, which is not read")
    return problems


def schedule_alone(config: Config, kind: str) -> dict[str, Any]:
    """The settings of a sound configuration that say how the model was trained."""
    if kind == FLOW:
        shift = config["flow_shift" if config.get("use_flow_sigmas") else "shift"]
        return {"num_train_timesteps": config["num_train_timesteps"], "shift": shift}
    # latents have no bounds, and classes differ in whether they clip them when nothing is said
    return {"clip_sample": False} | {name: config[name] for name in SETTINGS if name in config}
