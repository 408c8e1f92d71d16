import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.contracts.small_pipelines import write_pipeline
from tests.generators.few_steps import tuned
from tgap.core import ConfigError, ContractError, DataError, Sampler
from tgap.core.settings import SCHEDULERS_OF_DIFFUSION
from tgap.finetuners.dreambooth import Dreambooth
from tgap.generators.latent.schedulers import scheduler_named
from tgap.generators.stable_diffusion import ASSETS, StableDiffusion

PROMPTS = ["an a", "b", "an a", "odd", "b", "c", "odd"]
WEIGHTS = "diffusion_pytorch_model.safetensors"


def only_problem(folder: Path) -> str:
    generator = StableDiffusion(path=str(folder))
    (problem,) = generator.check() or generator.check_weights()
    return problem


class TestCheck:
    def test_a_good_folder_has_no_problems(self, folder):
        assert StableDiffusion(path=str(folder)).check() == []

    def test_a_missing_folder_is_told(self, tmp_path):
        assert "does not exist" in only_problem(tmp_path / "nowhere")

    def test_a_folder_without_an_index_is_told(self, tmp_path):
        assert "model_index.json' is missing" in only_problem(tmp_path)

    def test_another_pipeline_is_told(self, broken):
        index = broken / "model_index.json"
        index.write_text(json.dumps({"_class_name": "FluxPipeline"}))
        assert "must name the pipeline StableDiffusionPipeline, got 'FluxPipeline'" in only_problem(
            broken
        )

    def test_a_component_from_elsewhere_is_refused(self, broken):
        index = json.loads((broken / "model_index.json").read_text())
        index["unet"] = ["evil_package", "UNet2DConditionModel"]
        (broken / "model_index.json").write_text(json.dumps(index))
        assert "got ['evil_package', 'UNet2DConditionModel']" in only_problem(broken)
        with pytest.raises(DataError, match="evil_package"):
            StableDiffusion(path=str(broken)).load()

    @pytest.mark.parametrize(
        "name",
        [
            "vae/config.json",
            "unet/config.json",
            f"unet/{WEIGHTS}",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "scheduler/scheduler_config.json",
            "tokenizer/tokenizer_config.json",
        ],
    )
    def test_each_missing_file_is_named(self, broken, name):
        (broken / name).unlink()
        assert f"{name}' is missing" in only_problem(broken)

    def test_a_tokenizer_without_vocabulary_is_told(self, broken):
        (broken / "tokenizer" / "tokenizer.json").unlink()
        assert "neither tokenizer.json nor vocab.json" in only_problem(broken)

    def test_broken_json_is_told(self, broken):
        (broken / "unet" / "config.json").write_text("{")
        assert "unet/config.json' cannot be read as JSON" in only_problem(broken)

    def test_all_problems_are_told_together(self, broken):
        (broken / "vae" / "config.json").unlink()
        (broken / "unet" / WEIGHTS).unlink()
        assert len(StableDiffusion(path=str(broken)).check()) == 2

    def test_a_bin_file_does_not_stand_for_safetensors(self, broken):
        (broken / "unet" / WEIGHTS).rename(broken / "unet" / "diffusion_pytorch_model.bin")
        problem = only_problem(broken)
        assert "diffusion_pytorch_model.bin" in problem
        assert "safe_serialization=True" in problem

    @pytest.mark.parametrize(
        ("kept", "why"),
        [
            (0, "header too small"),
            (4, "header too small"),
            (8, "invalid header length"),
            (100, "invalid header length"),
            (-1000, "incomplete metadata, file not fully covered"),
        ],
    )
    def test_a_truncated_file_is_told_with_its_length(self, broken, kept, why):
        path = broken / "vae" / WEIGHTS
        content = path.read_bytes()[:kept]
        path.write_bytes(content)
        problem = only_problem(broken)
        assert f"vae/{WEIGHTS}' is no safetensors file, or not a whole one: {why}" in problem
        assert f"at {len(content)} bytes; copy or download the folder again" in problem

    @pytest.mark.parametrize("content", [b"<!DOCTYPE html> not found", b"\4" + b"\0" * 7 + b"abcd"])
    def test_a_file_of_another_format_is_told(self, broken, content):
        (broken / "vae" / WEIGHTS).write_bytes(content)
        assert "is no safetensors file" in only_problem(broken)
        with pytest.raises(DataError, match="is no safetensors file"):
            StableDiffusion(path=str(broken)).load()

    def test_a_file_that_cannot_be_opened_is_told(self, folder, monkeypatch):
        def refused(path, framework):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("safetensors.safe_open", refused)
        for file in folder.rglob("*.safetensors"):
            file.chmod(0o600)  # as whoever takes a permission away does: it is opened anew
        problems = StableDiffusion(path=str(folder)).check()
        assert len(problems) == 3
        for problem in problems:
            assert re.search(r"cannot be read \(.*Permission denied.*; check its perm", problem)

    def test_checking_and_importing_need_no_torch(self):
        code = (
            "import sys; from tgap.generators.stable_diffusion import StableDiffusion;"
            "import tgap.generators.stable_diffusion_xl, tgap.generators.stable_diffusion_3;"
            "import tgap.finetuners.textual_inversion, tgap.finetuners.dreambooth_lora;"
            "g = StableDiffusion(packaged='tiny_ldm'); assert not g.check() and g.digest();"
            "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


def test_the_digest_follows_the_content_not_the_place(folder, broken):
    before = StableDiffusion(path=str(folder)).digest()
    assert StableDiffusion(path=str(broken)).digest() == before
    path = broken / "unet" / "config.json"
    path.write_text(path.read_text() + " ")
    assert StableDiffusion(path=str(broken)).digest() != before


class TestLoad:
    def test_loaded_models_are_shared(self, folder, model, broken):
        assert StableDiffusion(path=str(folder), device="cpu").load() is model
        assert StableDiffusion(path=str(broken), device="cpu").load() is model

    def test_what_the_libraries_cannot_read_is_told_with_the_folder(self, broken):
        path = broken / "scheduler" / "scheduler_config.json"
        config = json.loads(path.read_text())
        path.write_text(json.dumps({**config, "num_train_timesteps": "many"}))
        with pytest.raises(DataError, match=rf"generator {broken} cannot be loaded: "):
            StableDiffusion(path=str(broken), device="cpu").load()

    def test_loading_and_saving_print_nothing(self, folder, broken, capfd):
        index = broken / "model_index.json"
        index.write_text(index.read_text() + " ")  # another digest
        StableDiffusion(path=str(broken), device="cpu").load().save(broken / "saved")
        assert capfd.readouterr() == ("", "")


class TestSample:
    @pytest.mark.parametrize("guidance", [1.0, 3.0])
    @pytest.mark.parametrize("scheduler", SCHEDULERS_OF_DIFFUSION)
    def test_an_image_does_not_depend_on_its_batch(self, model, scheduler, guidance):
        drawn = [
            model.sample(
                PROMPTS,
                range(7),
                Sampler(scheduler=scheduler, steps=3, guidance=guidance, batch_size=batch_size),
            )
            for batch_size in (1, 7)
        ]
        assert drawn[0].shape == (7, 16, 16, 1)
        assert drawn[0].dtype == np.uint8
        assert np.abs(drawn[0].astype(int) - drawn[1]).max() <= 1
        # prompt 0 = prompt 2, so the difference is the seed's
        assert np.abs(drawn[0][0].astype(int) - drawn[0][2]).max() > 10

    @pytest.mark.parametrize("guidance", [1.0, 5.0])
    def test_it_is_what_the_pipeline_itself_draws(self, model, guidance):
        sampler = Sampler(scheduler="ddim", steps=5, guidance=guidance)
        ours = model.sample(["odd"], [2**63 + 5], sampler)
        pipeline = model.pipeline_with(scheduler=scheduler_named("ddim", model.pipeline))
        theirs = pipeline(
            "odd",
            num_inference_steps=5,
            guidance_scale=guidance,
            output_type="np",
            generator=torch.Generator().manual_seed(2**63 + 5),
        ).images
        assert np.abs(ours - theirs * 255).max() <= 0.51

    def test_without_guidance_there_is_one_pass_per_step(self, model):
        seen: list[int] = []
        hook = model.denoiser.register_forward_pre_hook(
            lambda module, args: seen.append(len(args[0]))
        )
        try:
            for guidance in (1.0, 3.0):
                model.sample(
                    PROMPTS, range(7), Sampler(scheduler="ddim", steps=2, guidance=guidance)
                )
        finally:
            hook.remove()
        assert seen == [7, 7, 14, 14]

    def test_each_distinct_prompt_of_a_batch_is_encoded_once(self, model):
        seen: list[int] = []
        encoder = model.pipeline.text_encoder
        hook = encoder.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
        try:
            sampler = Sampler(scheduler="ddim", steps=1, guidance=1.0)
            model.sample(PROMPTS, range(7), sampler)
        finally:
            hook.remove()
        assert seen == [4]

    def test_progress_is_told_and_no_random_state_moves(self, model):
        done: list[int] = []
        states = torch.get_rng_state(), np.random.get_state()[1].copy()
        model.sample(
            PROMPTS, range(7), Sampler(scheduler="ddpm", steps=2, batch_size=3), done.append
        )
        assert done == [3, 6, 7]
        assert torch.equal(states[0], torch.get_rng_state())
        assert (states[1] == np.random.get_state()[1]).all()

    def test_nothing_asked_nothing_drawn(self, model):
        assert model.sample([], [], Sampler()).shape == (0, 16, 16, 1)

    def test_seeds_and_prompts_must_be_as_many(self, model):
        with pytest.raises(ContractError, match="2 prompts and 1 seeds"):
            model.sample(["a", "b"], [0], Sampler())

    @pytest.mark.parametrize("factor", [1e3, float("nan")])
    def test_a_divergence_names_the_sampler(self, model, factor):
        unet = copy.deepcopy(model.denoiser)
        unet.conv_out.weight.mul_(factor)
        with pytest.raises(DataError, match="scheduler ddim with 4 steps and guidance 3 gave"):
            model.with_parts(unet).sample(["a"], [0], Sampler(scheduler="ddim", steps=4))

    def test_a_prompt_that_would_be_cut_is_refused(self, model):
        with pytest.raises(DataError, match="at most 16 tokens for this generator, got 30"):
            model.condition(["a", "abcd" * 7])

    def test_schedulers_are_fresh_and_do_not_clip(self, model):
        # PNDM's configuration says nothing of clipping, and DDIM's default is to clip
        model = copy.copy(model)
        model.pipeline = model.pipeline_with(scheduler=scheduler_named("pndm", model.pipeline))
        for name in SCHEDULERS_OF_DIFFUSION:
            made = scheduler_named(name, model.pipeline)
            assert made is not scheduler_named(name, model.pipeline)
            assert made.config.get("clip_sample", False) is False
            assert made.config.prediction_type == "v_prediction"

    def test_schedulers_of_another_kind_of_model_are_refused(self, model):
        told = "sampler.scheduler must be one of ddim, .* for this generator, got 'flow_euler'"
        with pytest.raises(ConfigError, match=told):
            model.sample(["a"], [0], Sampler(scheduler="flow_euler"))
        assert "flow_euler" not in StableDiffusion.schedulers


class TestPrecision:
    @pytest.fixture(params=["bfloat16", "float16"])
    def half(self, request, folder):
        return StableDiffusion(path=str(folder), precision=request.param, device="cpu").load()

    def test_denoiser_and_text_encoder_are_half_and_the_autoencoder_is_not(self, half):
        assert half.denoiser.dtype == half.text_encoders[0].dtype == half.precision
        assert half.precision in (torch.bfloat16, torch.float16)
        assert half.pipeline.vae.dtype == torch.float32

    def test_it_draws_nearly_the_same(self, half, model):
        for scheduler in SCHEDULERS_OF_DIFFUSION:
            sampler = Sampler(scheduler=scheduler, steps=4)
            drawn = [each.sample(["a", "b"], [1, 2], sampler).astype(int) for each in (model, half)]
            assert np.abs(drawn[0] - drawn[1]).max() <= 8

    def test_a_trained_float32_denoiser_draws_among_half_parts(self, half):
        trained = half.with_parts(copy.deepcopy(half.denoiser).float())
        assert trained.precision == half.precision
        drawn = [each.sample(["a"], [1], Sampler(steps=3)).astype(int) for each in (half, trained)]
        assert np.abs(drawn[0] - drawn[1]).max() <= 2

    def test_what_finetuners_see_is_float32(self, half, model):
        images = model.sample(["a", "b"], [1, 2], Sampler(steps=2))
        assert half.moments(images).dtype == torch.float32
        assert torch.equal(half.moments(images), model.moments(images))
        said = half.condition(["a", "b"])
        assert {tensor.dtype for tensor in said.values()} == {torch.float32}
        noisy, timesteps = half.moments(images)[:, 0], torch.tensor([10, 900])
        close = half.predict(noisy, timesteps, said)
        assert close.dtype == torch.float32
        expected = model.predict(noisy, timesteps, model.condition(["a", "b"]))
        torch.testing.assert_close(close, expected, atol=0.03, rtol=0.05)

    @pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16, None])
    def test_gradients_reach_a_trained_copy_among_half_parts(self, half, autocast):
        trained = half.with_parts(copy.deepcopy(half.denoiser).float().requires_grad_(True))
        noisy = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
        said = half.condition(["a", "b"])
        with torch.autocast("cpu", autocast or torch.bfloat16, enabled=autocast is not None):
            predicted = trained.predict(noisy, torch.tensor([1, 500]), said)
        predicted.square().mean().backward()
        gradients = [p.grad for p in trained.denoiser.parameters() if p.grad is not None]
        assert gradients
        assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)

    def test_dreambooth_tunes_it_and_it_is_saved_and_loaded(self, half, tmp_path):
        trained = tuned(Dreambooth(prior_weight=0), half, steps=2)
        assert trained.denoiser.dtype == torch.float32
        trained.save(tmp_path / "tuned")
        name = str(half.precision).removeprefix("torch.")
        again = StableDiffusion(path=str(tmp_path / "tuned"), precision=name, device="cpu")
        assert again.check() + again.check_weights() == []
        drawn = [
            m.sample(["a"], [1], Sampler(steps=2)).astype(int) for m in (trained, again.load())
        ]
        assert np.abs(drawn[0] - drawn[1]).max() <= 8  # rounded to half again

    def test_auto_is_float32_on_the_cpu_and_half_on_cuda(self):
        assert StableDiffusion()._precision("cpu") == torch.float32
        assert StableDiffusion()._precision("cuda") == torch.float16
        assert StableDiffusion(precision="float32")._precision("cuda") == torch.float32

    def test_models_of_other_precision_are_not_shared(self, folder, model):
        half = StableDiffusion(path=str(folder), precision="bfloat16", device="cpu")
        assert half.load() is not model
        assert half.load() is half.load()
        assert half.identity() != StableDiffusion(path=str(folder)).identity()


class TestParts:
    def test_moments_are_the_scaled_posterior(self, model):
        images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1)).astype(np.uint8)
        images.flags.writeable = False  # as the store's memory maps are
        moments = model.moments(images)
        pixels = torch.tensor(images / 127.5 - 1, dtype=torch.float32).permute(0, 3, 1, 2)
        with torch.no_grad():
            posterior = model.pipeline.vae.encode(pixels).latent_dist
        assert moments.shape == (3, 2, 4, 4, 4)
        torch.testing.assert_close(moments[:, 0], posterior.mean * 0.18215)
        torch.testing.assert_close(moments[:, 1], posterior.std * 0.18215)

    @pytest.mark.parametrize("shape", [(2, 32, 32, 1), (2, 16, 16, 3)])
    def test_images_of_another_shape_are_refused(self, model, shape):
        with pytest.raises(DataError, match=r"must be \(16, 16, 1\)"):
            model.moments(np.zeros(shape, dtype=np.uint8))

    def test_rgb_models_draw_rgb(self, tmp_path):
        write_pipeline(tmp_path, channels=3)
        rgb = StableDiffusion(path=str(tmp_path), device="cpu").load()
        drawn = rgb.sample(["a", "b"], [0, 1], Sampler(steps=3))
        assert drawn.shape == (2, 16, 16, 3)
        assert rgb.moments(drawn).shape == (2, 2, 4, 4, 4)

    def test_another_unet_leaves_this_model_as_it_is(self, model):
        sampler = Sampler(scheduler="ddim", steps=3)
        before = model.sample(["a"], [0], sampler)
        unet = copy.deepcopy(model.denoiser)
        unet.conv_out.bias.add_(1.0)
        other = model.with_parts(unet)
        assert other.denoiser is unet
        assert np.abs(other.sample(["a"], [0], sampler).astype(int) - before).max() > 1
        assert (model.sample(["a"], [0], sampler) == before).all()

    def test_a_saved_model_draws_the_same(self, model, folder, tmp_path):
        model.save(tmp_path / "saved")
        again = StableDiffusion(path=str(tmp_path / "saved"), device="cpu")
        assert again.check() + again.check_weights() == []
        sampler = Sampler(steps=3)
        assert (again.load().sample(["a"], [7], sampler) == model.sample(["a"], [7], sampler)).all()
        for path in (tmp_path / "saved").rglob("*.json"):
            assert str(folder) not in path.read_text()


@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("scheduler", SCHEDULERS_OF_DIFFUSION)
def test_the_packaged_model_stays_in_range(scheduler, guidance):
    model = StableDiffusion(packaged="tiny_ldm", device="cpu").load()
    prompts = ["an image of even handwritten digit"] * 8
    latents = model.latents(prompts, range(8), Sampler(scheduler=scheduler, guidance=guidance))
    assert 0.5 <= latents.std() <= 2


def test_the_packaged_model_is_small_and_whole():
    assert StableDiffusion(packaged="tiny_ldm").check() == []
    (problem,) = StableDiffusion().check()
    assert "miniatures that are packaged with tgap are generator=tiny_ldm and gen" in problem
    assert sum(path.stat().st_size for path in ASSETS.rglob("*")) < 16e6


class TestImageSize:
    def test_images_of_another_size_are_drawn_encoded_and_tuned_on(self):
        generator = StableDiffusion(packaged="tiny_ldm", image_size=48, device="cpu")
        assert generator.check() + generator.check_weights() == []
        assert generator.image_shape() == (48, 48, 1)
        model = generator.load()
        drawn = model.sample(["an image of a letter"], [3], Sampler(steps=3))
        assert drawn.shape == (1, 48, 48, 1)
        assert model.moments(drawn).shape[-2:] == (12, 12)
        assert model.with_parts(model.denoiser).image_size == 48

    def test_it_is_part_of_what_a_generator_is(self):
        assert (
            StableDiffusion(packaged="tiny_ldm", image_size=64).identity()
            != StableDiffusion(packaged="tiny_ldm").identity()
        )

    def test_a_size_that_the_autoencoder_cannot_halve_is_told(self):
        assert StableDiffusion(packaged="tiny_ldm", image_size=50).check() == [
            "generator.image_size must be a multiple of 4, by which the model reduces "
            "images, got 50"
        ]


class TestMemory:
    def test_a_batch_that_does_not_fit_is_halved_and_draws_the_same(self, model, monkeypatch):
        sampler, asked = Sampler(steps=2, batch_size=7), []
        whole = model.sample(PROMPTS, range(7), sampler)
        latents = model.latents

        def small(prompts, seeds, sampler, on_step):
            asked.append(len(prompts))
            if len(prompts) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return latents(prompts, seeds, sampler, on_step)

        monkeypatch.setattr(model, "latents", small)
        monkeypatch.setattr(model, "at_once", model.at_once)
        parts = model.sample(PROMPTS, range(7), sampler)
        assert np.abs(parts.astype(int) - whole.astype(int)).max() <= 1
        model.sample(PROMPTS[:2], range(2), sampler)
        model.sample(PROMPTS[:4], range(4), sampler)
        assert asked == [7, 3, 1, *[1] * 6, 1, 1, *[1] * 4]


def test_the_xray_miniature_draws_films_and_letters_as_asked():
    generator = StableDiffusion(packaged="tiny_xray", device="cpu")
    assert generator.check() + generator.check_weights() == []
    assert generator.image_shape() == (64, 64, 1)
    model, sampler = generator.load(), Sampler(steps=8, guidance=3)
    films = model.sample(["an image of chest X-ray"] * 4, range(4), sampler).astype(float)
    letters = model.sample(["an image of the letter G"] * 4, range(4), sampler).astype(float)
    # A film has a bright middle (spine and heart) between dark lungs; a letter is mostly black.
    middle, lungs = films[:, 36:44, 28:36].mean(), films[:, 20:40, [12, 13, 50, 51]].mean()
    assert middle > lungs + 40
    assert np.median(letters) < 20 < np.median(films)
