"""Images that begin with noised tuning images."""

import numpy as np
import pytest
import torch

import tgap
from tests.contracts.small_pipelines import write_3, write_xl
from tests.drawings.test_whole_runs import QUICK, made
from tests.generators.conftest import base, folder, model
from tests.pipeline.conftest import store
from tgap.core import ConfigError, DataError, Sampler
from tgap.generators.latent.drawing import latents
from tgap.generators.latent.drawing.aids import Aids, Start
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.generators.stable_diffusion_3 import StableDiffusion3
from tgap.generators.stable_diffusion_xl import StableDiffusionXL
from tgap.pipeline.aiding import in_turn
from tgap.pipeline.plan import plan
from tgap.store import Store

__all__ = ["base", "folder", "model", "store"]  # fixtures
PROMPTS, SEEDS = ["odd", "even", "odd", "even"], [11, 12, 13, 14]
STARTS = {seed: at for at, seed in enumerate(SEEDS)}


def begins(size: int, channels: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (4, size, size, channels), np.uint8)


def varied(model, strength: float, images: np.ndarray, **settings) -> np.ndarray:
    sampler = Sampler(**{"steps": 10, "scheduler": "ddim", "batch_size": 4, **settings})
    begun = model.aided(Aids(start=Start(images, STARTS, strength)))
    return begun.sample(PROMPTS, SEEDS, sampler)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_the_steps_are_those_that_ddim_takes_from_the_noised_latent(
    model, strength: float, guidance: float
) -> None:
    """By hand: the last steps of the schedule, from sqrt(a) z + sqrt(1 - a) noise."""
    images = begins(16, 1)
    scheduler = model.scheduler_named("ddim")
    scheduler.set_timesteps(10)
    times = scheduler.timesteps[10 - int(10 * strength) :]
    z = model.moments(images)[:, 0]
    noise = torch.cat(
        [torch.randn((1, *z.shape[1:]), generator=torch.Generator().manual_seed(s)) for s in SEEDS]
    )
    kept = scheduler.alphas_cumprod[times[0]]
    z = kept**0.5 * z + (1 - kept) ** 0.5 * noise
    with torch.no_grad():
        of_prompt, of_empty = model.condition(PROMPTS), model.condition([""] * 4)
        for time in times:
            predicted = model.predict(z, time.repeat(4), of_prompt)
            if guidance > 1:
                empty = model.predict(z, time.repeat(4), of_empty)
                predicted = empty + guidance * (predicted - empty)
            z = scheduler.step(predicted, time, z).prev_sample
    expected = model.decode(z).astype(int)
    ours = varied(model, strength, images, guidance=guidance).astype(int)
    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("scheduler", ["ddim", "ddpm", "dpm_solver", "euler", "pndm"])
def test_an_image_is_the_same_alone_and_in_a_batch(model, scheduler: str) -> None:
    images = begins(16, 1)
    together = varied(model, 0.5, images, scheduler=scheduler).astype(int)
    alone = varied(model, 0.5, images, scheduler=scheduler, batch_size=1).astype(int)
    assert np.abs(together - alone).max() <= 1
    states = torch.get_rng_state()
    varied(model, 0.5, images, scheduler=scheduler)
    assert torch.equal(torch.get_rng_state(), states)


def test_the_less_is_drawn_anew_the_more_is_left_of_the_image(model) -> None:
    first, other = begins(16, 1), begins(16, 1, 1)
    moved = [
        np.abs(varied(model, s, first).astype(int) - varied(model, s, other)).mean()
        for s in (0.1, 0.5, 1.0)
    ]
    assert moved[0] > moved[1] > moved[2]


@pytest.mark.parametrize(
    ("kind", "write", "scheduler"),
    [(StableDiffusionXL, write_xl, "euler"), (StableDiffusion3, write_3, "flow_euler")],
)
def test_larger_architectures_begin_with_images_too(kind, write, scheduler, tmp_path) -> None:
    write(tmp_path / "model")
    model = kind(path=str(tmp_path / "model"), device="cpu").load()
    made = varied(model, 0.5, begins(16, 3), scheduler=scheduler)
    assert made.shape == (4, 16, 16, 3)
    assert len(np.unique(made.reshape(4, -1), axis=0)) == 4


def test_latents_of_any_number_of_channels_are_noised_as_those_of_four(model, monkeypatch) -> None:
    """What Stable Diffusion's own pipeline does for four, which it would take others for pixels."""
    images = begins(16, 1)
    of_four = varied(model, 0.5, images)
    monkeypatch.setattr(
        "diffusers.StableDiffusionImg2ImgPipeline.prepare_latents",
        lambda *_, **__: pytest.fail("not ours"),
    )
    with pytest.raises(pytest.fail.Exception, match="not ours"):
        varied(model, 0.5, images)
    take = latents._take_latents

    def as_if_of_other(pipeline, channels):
        pipeline.image_processor.register_to_config(vae_latent_channels=99)
        take(pipeline, channels)

    monkeypatch.setattr(latents, "_take_latents", as_if_of_other)
    np.testing.assert_array_equal(varied(model, 0.5, images), of_four)


def test_the_packaged_model_of_eight_channels_varies_images() -> None:
    model = StableDiffusion(packaged="tiny_xray", device="cpu").load()
    images = begins(64, 1)
    restored = model.decode(model.moments(images)[:, 0]).astype(int)
    moved = [
        np.abs(varied(model, strength, images).astype(int) - restored).mean()
        for strength in (0.1, 0.4, 1.0)
    ]
    assert moved[0] < moved[1] < moved[2]
    assert moved[0] < moved[2] / 2


def test_tuning_images_are_taken_in_turn_by_their_findings() -> None:
    of_label = np.array([True] * 6 + [False] * 2)
    findings = np.eye(3, dtype=bool)[[0, 0, 1, 1, 1, 1, 2, 2]]
    wanted = np.eye(3, dtype=bool)[[0] * 8 + [1] * 8 + [2] * 12]
    starts = in_turn(of_label, findings, wanted, np.random.default_rng(0))
    counts = np.bincount(starts, minlength=8)
    assert np.bincount(starts[:8], minlength=8).tolist() == [4, 4, 0, 0, 0, 0, 0, 0]
    assert np.bincount(starts[8:16], minlength=8).tolist() == [0, 0, 2, 2, 2, 2, 0, 0]
    assert np.bincount(starts[16:], minlength=8).tolist() == [2] * 6 + [0, 0]  # none has it: any
    assert counts.sum() == 28


def test_a_run_draws_from_its_tuning_images(store: Store) -> None:
    words = (
        "drawing=variation",
        "sampler.steps=5",
        "sampler.scheduler=ddim",
        "drawing.strength=.2",
    )
    result = made(store, *words)
    train, test = result.synthetic()
    assert [*train.label_counts().values()] == [60, 60]
    assert [*test.label_counts().values()] == [30, 30]
    cost = result.drawing_cost()
    assert cost["cost/draw_passes"] == 180 * 1 * 2  # a fifth of five steps, guided
    assert "cost/labelled_real" not in cost
    # nearer to a tuning image of its label than to any of the other
    tuning, far = result.tuning_set(), []
    for label in (0, 1):
        own = train.images[train.labels[:, label]].astype(float)
        nearest = [
            np.abs(own[:, None] - tuning.images[tuning.labels == other]).mean((2, 3, 4)).min(1)
            for other in (label, 1 - label)
        ]
        far.append((nearest[0] < nearest[1]).mean())
    assert min(far) > 0.8


def test_the_images_are_those_of_another_batch_size(store: Store) -> None:
    import shutil

    words = ("drawing=variation", "sampler.steps=2")
    first = made(store, *words)
    images = first.synthetic_parts()[0].images.astype(int)
    shutil.rmtree(first.artifacts.synthetic.folder)
    again = made(store, *words, "sampler.batch_size=11").synthetic_parts()[0].images
    assert np.abs(images - again).max() <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["drawing.strength=0"], "drawing.strength must be above 0, got 0"),
        (["drawing.strength=1.2"], "drawing.strength must be at most 1, got 1.2"),
        (["finetuner=none"], "with finetuner 'none' there are none"),
        (["generator=noise"], "draws from a model, and generator 'noise' is none"),
        (["drawing.strength=.04"], "of sampler.steps=20 is less than one step"),
        (["sampler.guide=dropout"], "alone, got sampler.guide, sampler.guide_dropout; leave them"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        tgap.compose("drawing=variation", *words)
    assert said in str(error.value)


def test_a_label_without_a_tuning_image_is_told(store: Store) -> None:
    words = ("drawing=variation", "size=1", "size_unit=total", "sampler.steps=2")
    with pytest.raises(DataError, match=r"label '(odd|even)' has none; raise size"):
        made(store, *words)


def test_strengths_share_a_tuned_model() -> None:
    plans = [
        plan(tgap.compose(*QUICK, "sampler.steps=9", "drawing=variation", f"drawing.strength={s}"))
        for s in (0.2, 0.4)
    ]
    assert plans[0].generator == plans[1].generator
    assert plans[0].synthetic != plans[1].synthetic
