import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.small_pipelines import write_3
from tests.generators.few_steps import drawn_by, tuned
from tgap.core import DataError, Sampler
from tgap.finetuners.dreambooth import Dreambooth
from tgap.generators.latent.noising import Flow
from tgap.generators.stable_diffusion_3 import StableDiffusion3

SAMPLER = Sampler(scheduler="flow_euler", steps=3)
FLOW = Flow(FlowMatchEulerDiscreteScheduler(shift=3.0))
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=[False, True], ids=["without T5", "with T5"])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("sd3")
    write_3(path, request.param)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return StableDiffusion3(path=str(folder), device="cpu").load()


def drawn_by_diffusers(folder, prompt, seed, guidance):
    absent = json.loads((folder / "model_index.json").read_text())["text_encoder_3"][0] is None
    without = {"text_encoder_3": None, "tokenizer_3": None} if absent else {}
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, **without)
    return drawn_by(pipeline, prompt, seed, guidance)


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_it_is_what_the_pipeline_itself_draws(model, folder, guidance):
    sampler = Sampler(scheduler="flow_euler", steps=3, guidance=guidance)
    ours = model.sample(["odd"], [5], sampler)
    assert np.abs(ours - drawn_by_diffusers(folder, "odd", 5, guidance) * 255).max() <= 0.51


def test_moments_are_shifted_and_scaled_and_decode_undoes_it(model):
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    pixels = torch.tensor(images / 127.5 - 1, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.no_grad():
        posterior = model.pipeline.vae.encode(pixels).latent_dist
        decoded = model.pipeline.vae.decode(posterior.mean).sample.permute(0, 2, 3, 1)
    moments = model.moments(images)
    torch.testing.assert_close(moments[:, 0], (posterior.mean - 0.0609) * 1.5035)
    torch.testing.assert_close(moments[:, 1], posterior.std * 1.5035)
    expected = ((decoded + 1) * 127.5).clamp(0, 255).numpy()
    assert np.abs(model.decode(moments[:, 0]) - expected).max() <= 0.51


def test_dreambooth_tunes_it_and_plain_diffusers_loads_it(model, tmp_path):
    after = tuned(Dreambooth(prior_weight=0), model, steps=2)
    theirs = model.denoiser.state_dict()
    assert any(v.ne(theirs[k]).any() for k, v in after.denoiser.state_dict().items())
    after.save(tmp_path)
    again = StableDiffusion3(path=str(tmp_path), device="cpu")
    assert again.check() + again.check_weights() == []
    ours = after.sample(["a"], [7], SAMPLER)
    assert (again.load().sample(["a"], [7], SAMPLER) == ours).all()
    assert np.abs(ours - drawn_by_diffusers(tmp_path, "a", 7, 3.0) * 255).max() <= 0.51


def test_a_text_encoder_that_must_be_there_is_asked_for(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    index = json.loads((copy / "model_index.json").read_text())
    index["text_encoder_2"] = [None, None]
    (copy / "model_index.json").write_text(json.dumps(index))
    (problem,) = StableDiffusion3(path=str(copy)).check()
    assert "must name text_encoder_2 as [transformers, CLIPTextModelWithProjection]" in problem


def test_image_sizes_follow_autoencoder_and_patches(folder):
    assert StableDiffusion3(path=str(folder), image_size=20).check() == []
    (problem,) = StableDiffusion3(path=str(folder), image_size=18).check()
    assert "must be a multiple of 4, by which the model reduces images, got 18" in problem


def test_a_prompt_that_would_be_cut_is_refused(model):
    with pytest.raises(DataError, match="at most 16 tokens"):
        model.condition(["abcd" * 7])


def latents(seed=0, count=4):
    draws = torch.randn(2, count, 2, 3, 3, generator=torch.Generator().manual_seed(seed))
    return draws[0], draws[1]


@given(st.floats(0.001, 1.0))
def test_the_true_velocity_leads_back_to_the_latents(share):
    clean, noise = latents()
    timesteps = FLOW.at(share, 4, CPU)
    noisy = FLOW.noised(clean, noise, timesteps)
    target = FLOW.target(clean, noise, timesteps)
    torch.testing.assert_close(FLOW.denoised(noisy, target, timesteps), clean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(noisy, (1 - share) * clean + share * noise)
    wrong = target + 0.5
    error = (FLOW.denoised(noisy, wrong, timesteps) - clean).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(error, 0.25 * FLOW.error_of_x0(timesteps), atol=1e-5, rtol=1e-2)
    torch.testing.assert_close(FLOW.snr(timesteps), torch.full((4,), ((1 - share) / share) ** 2))


def test_noise_is_the_schedulers():
    clean, noise = latents()
    timesteps = FLOW.scheduler.timesteps[[0, 200, 700, 999]]
    expected = FLOW.scheduler.scale_noise(clean, timesteps, noise)
    torch.testing.assert_close(FLOW.noised(clean, noise, timesteps), expected)


def test_timesteps_are_drawn_as_diffusers_own_script_draws_them():
    from diffusers.training_utils import compute_density_for_timestep_sampling

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = FLOW.timesteps(20000, CPU)
        share = compute_density_for_timestep_sampling("logit_normal", 20000, 0.0, 1.0, 1.29)
    theirs = FLOW.scheduler.timesteps[(share * 1000).long()]
    assert set(ours.tolist()) <= set(FLOW.scheduler.timesteps.tolist())
    shares = torch.linspace(0.02, 0.98, 25)
    torch.testing.assert_close(ours.quantile(shares), theirs.quantile(shares), atol=12.0, rtol=0.02)


def test_shares_go_from_image_to_noise():
    assert FLOW.at(0.0, 2, CPU).tolist() == [0.0, 0.0]
    assert FLOW.at(1.0, 1, CPU).tolist() == [1000.0]
