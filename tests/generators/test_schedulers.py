"""Whichever scheduler a folder names, its noise schedule is what is trained and drawn by."""

import inspect
import json
import logging
import re
from pathlib import Path

import diffusers
import pytest
import torch

from tests.contracts.small_pipelines import write_3
from tests.generators.few_steps import draw
from tgap.generators.latent.base import LatentModel
from tgap.generators.latent.files.schedule import BETAS, WHOLE
from tgap.generators.latent.pretrained import LatentGenerator
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.generators.stable_diffusion_3 import StableDiffusion3

SCHEDULE = {"beta_start": 0.001, "beta_end": 0.015, "beta_schedule": "scaled_linear"}
SHIFTED = ("CogVideoXDDIMScheduler", "CogVideoXDPMScheduler")


def classes_with(*fields: str) -> list[str]:
    """diffusers' schedulers that have all these settings."""
    every = {name: getattr(diffusers, name) for name in dir(diffusers) if "Scheduler" in name}
    found = [
        name
        for name, cls in every.items()
        if isinstance(cls, type) and set(fields) <= inspect.signature(cls).parameters.keys()
    ]
    assert len(found) >= 3
    return found


def named(folder: Path, name: str, **fields: object) -> None:
    """Let a pipeline's folder name a scheduler of diffusers, as ``save_pretrained`` would."""
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", name]
    (folder / "model_index.json").write_text(json.dumps(index))
    known = inspect.signature(getattr(diffusers, name)).parameters
    scheduler = getattr(diffusers, name)(**{k: v for k, v in fields.items() if k in known})
    scheduler.save_config(folder / "scheduler")


def loaded(generator: LatentGenerator) -> LatentModel:
    assert generator.check() == []
    return generator.load()


@pytest.mark.parametrize("name", sorted({*classes_with(*BETAS)} - {*SHIFTED}))
def test_a_noise_schedule_is_read_from_every_class_that_has_one(
    name: str, broken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named(broken, name, **SCHEDULE, prediction_type="v_prediction", skip_prk_steps=True)
    with caplog.at_level(logging.INFO, logger="tgap"):
        model = loaded(StableDiffusion(path=str(broken), device="cpu"))
    betas = torch.linspace(0.001**0.5, 0.015**0.5, 1000) ** 2
    signal = torch.cumprod(1 - betas, dim=0)
    assert torch.equal(model.noising.scheduler.alphas_cumprod, signal)
    noise_only = name == "RePaintScheduler"  # by which an untrained model's latents diverge
    assert model.noising.kind == ("epsilon" if noise_only else "v_prediction")
    told = (
        f"of the {name} in {broken} the noise schedule is taken over (clip_sample=False, num_train"
    )
    assert (told in caplog.text) == (name not in WHOLE["diffusion"])
    for scheduler in ("ddim",) if noise_only else ("dpm_solver", "pndm"):
        assert draw(model, scheduler).std() > 0
    model.save(tmp_path / "saved")
    again = loaded(StableDiffusion(path=str(tmp_path / "saved"), device="cpu"))
    assert torch.equal(again.noising.scheduler.alphas_cumprod, signal)
    assert (draw(again) == draw(model)).all()


@pytest.mark.parametrize("name", ["UniPCMultistepScheduler", "TCDScheduler"])
def test_a_schedule_that_ends_in_noise_alone_stays_one(name: str, broken: Path) -> None:
    named(broken, name, **SCHEDULE, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    model = loaded(StableDiffusion(path=str(broken), device="cpu"))
    assert model.noising.scheduler.alphas_cumprod[-1] == 0


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        (SHIFTED[0], {}, r"has snr_shift_scale=3\.0, which is not read; correct it"),
        ("EDMEulerScheduler", {}, r"lacks beta_start, beta_end, beta_schedule, of the schedule"),
        ("FlowMatchEulerDiscreteScheduler", {}, r"lacks beta_start"),
        (
            "UniPCMultistepScheduler",
            {"prediction_type": "flow_prediction", "use_flow_sigmas": True},
            r"epsilon or v_prediction, got 'flow_prediction' with use_flow_sigmas",
        ),
        ("DDIMScheduler", {"prediction_type": "sample"}, "epsilon or v_prediction, got 'sample'"),
        ("DDPMScheduler", {"variance_type": "learned_range"}, "has variance_type='learned_range'"),
        ("DDPMScheduler", {"beta_schedule": "sigmoid"}, "or trained_betas, got 'sigmoid'"),
        ("DDPMScheduler", {"trained_betas": [0.1] * 3}, "num_train_timesteps=3, as many as"),
    ],
)
def test_what_cannot_be_trained_by_is_told_before_a_run(
    name: str, fields: dict[str, object], told: str, broken: Path
) -> None:
    named(broken, name, **fields)
    (problem,) = StableDiffusion(path=str(broken), device="cpu").check()
    assert problem.startswith(f"'{broken / 'scheduler' / 'scheduler_config.json'}' ")
    assert re.search(told, problem)


def test_a_class_that_is_not_there_is_told_before_a_run(broken: Path) -> None:
    index = json.loads((broken / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "NewScheduler"]
    (broken / "model_index.json").write_text(json.dumps(index))
    (problem,) = StableDiffusion(path=str(broken), device="cpu").check_weights()
    assert "names scheduler as NewScheduler, which diffusers" in problem
    assert "install the diffusers that the model was saved with, or correct it" in problem


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("FlowMatchHeunDiscreteScheduler", {"shift": 2.5}),
        ("FlowMatchLCMScheduler", {"shift": 2.5}),
        ("UniPCMultistepScheduler", {"flow_shift": 2.5, "use_flow_sigmas": True}),
        ("DPMSolverMultistepScheduler", {"flow_shift": 2.5, "use_flow_sigmas": True}),
    ],
)
def test_flow_matching_is_read_from_other_classes_too(
    name: str, fields: dict[str, object], tmp_path: Path
) -> None:
    write_3(tmp_path)
    named(tmp_path, "FlowMatchEulerDiscreteScheduler", shift=2.5)
    plain = loaded(StableDiffusion3(path=str(tmp_path), device="cpu"))
    expected = draw(plain, "flow_euler")
    named(tmp_path, name, **fields)
    model = loaded(StableDiffusion3(path=str(tmp_path), device="cpu"))
    assert torch.equal(model.noising.scheduler.sigmas, plain.noising.scheduler.sigmas)
    assert (draw(model, "flow_euler") == expected).all()
