import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from tests.generators.few_steps import drawn_by, tuned
from tgap.core import Sampler
from tgap.finetuners.dreambooth import Dreambooth
from tgap.generators.stable_diffusion_xl import StableDiffusionXL

SAMPLER = Sampler(scheduler="ddim", steps=3)


@pytest.fixture(scope="module")
def model(xl):
    return StableDiffusionXL(path=str(xl), device="cpu").load()


def drawn_by_diffusers(folder, prompt, seed, guidance):
    from diffusers import DDIMScheduler

    pipeline = StableDiffusionXLPipeline.from_pretrained(folder)
    config = {**pipeline.scheduler.config, "clip_sample": False}
    pipeline.scheduler = DDIMScheduler.from_config(config)
    return drawn_by(pipeline, prompt, seed, guidance)


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_it_is_what_the_pipeline_itself_draws(model, xl, guidance):
    sampler = Sampler(scheduler="ddim", steps=3, guidance=guidance)
    ours = model.sample(["odd"], [5], sampler)
    assert np.abs(ours - drawn_by_diffusers(xl, "odd", 5, guidance) * 255).max() <= 0.51


def test_the_unet_is_told_size_and_both_texts(model):
    seen = {}
    hook = model.denoiser.register_forward_pre_hook(
        lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True
    )
    said = model.condition(["a", "b", "a"])
    model.predict(torch.zeros(3, 4, 8, 8), torch.tensor([1, 2, 3]), said)
    hook.remove()
    assert said["encoder_hidden_states"].shape == (3, 16, 16 + 24)
    assert said["text_embeds"].shape == (3, 24)
    assert seen["added_cond_kwargs"]["time_ids"].tolist() == [[16, 16, 0, 0, 16, 16]] * 3
    assert torch.equal(seen["added_cond_kwargs"]["text_embeds"], said["text_embeds"])


def test_the_empty_prompt_is_zeros_where_the_settings_say_so(model, xl, tmp_path):
    said = model.condition(["", "a"])
    assert all(not tensor[0].any() and tensor[1].any() for tensor in said.values())
    copy = Path(shutil.copytree(xl, tmp_path / "copy"))
    index = json.loads((copy / "model_index.json").read_text())
    index["force_zeros_for_empty_prompt"] = False
    (copy / "model_index.json").write_text(json.dumps(index))
    other = StableDiffusionXL(path=str(copy), device="cpu").load()
    assert other.condition([""])["text_embeds"].any()
    assert not other.with_parts().pipeline_with().config.force_zeros_for_empty_prompt


@pytest.mark.parametrize("text_encoder", [False, True])
def test_dreambooth_tunes_it_and_plain_diffusers_loads_it(model, tmp_path, text_encoder):
    before = {key: value.clone() for key, value in model.denoiser.state_dict().items()}
    after = tuned(Dreambooth(prior_weight=0, text_encoder=text_encoder), model, steps=2)
    changed = [
        key for key, value in after.denoiser.state_dict().items() if value.ne(before[key]).any()
    ]
    assert changed
    assert all(torch.equal(v, before[k]) for k, v in model.denoiser.state_dict().items())
    for old, new in zip(model.text_encoders, after.text_encoders, strict=True):
        same = all(map(torch.equal, old.parameters(), new.parameters()))
        assert same is not text_encoder
    after.save(tmp_path)
    again = StableDiffusionXL(path=str(tmp_path), device="cpu")
    assert again.check() + again.check_weights() == []
    ours = after.sample(["a"], [7], SAMPLER)
    assert (again.load().sample(["a"], [7], SAMPLER) == ours).all()
    assert np.abs(ours - drawn_by_diffusers(tmp_path, "a", 7, 3.0) * 255).max() <= 0.51


def test_the_folders_second_text_encoder_is_checked(xl, tmp_path):
    copy = Path(shutil.copytree(xl, tmp_path / "copy"))
    (copy / "text_encoder_2" / "model.safetensors").unlink()
    (problem,) = StableDiffusionXL(path=str(copy)).check()
    assert "text_encoder_2/model.safetensors' is missing" in problem
    (problem,) = StableDiffusionXL(path=str(xl / "unet")).check()
    assert "model_index.json' is missing" in problem


def test_a_folder_of_another_architecture_is_told(xl):
    from tgap.generators.stable_diffusion import StableDiffusion

    (problem,) = StableDiffusion(path=str(xl)).check()
    assert "must name the pipeline StableDiffusionPipeline" in problem
    assert "got 'StableDiffusionXLPipeline'" in problem
