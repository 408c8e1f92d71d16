"""What every finetuner must keep, whichever it is."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from tgap.composition import registry
from tgap.core import Budget, ContractError, Sampler
from tgap.finetuners.base import Finetuner, PromptedImages
from tgap.finetuners.training.loop import Training
from tgap.generators.latent.adapters.loading import is_adapter
from tgap.generators.stable_diffusion import ASSETS, StableDiffusion

from .interrupting import Stops, interrupted

GROUP = "finetuner"
KNOWN = {"none", "dreambooth", "dreambooth_lora", "textual_inversion", "textual_projection"}
BUDGET = Budget(steps=2, batch_size=4, learning_rate=1e-3)

each_finetuner = pytest.mark.parametrize("name", registry.names(GROUP))


def make(stem: str) -> Finetuner:
    return registry.component_class(GROUP, stem)()


def prompted(count: int, *prompts: str) -> PromptedImages:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 1), dtype=np.uint8)
    pixels.setflags(write=False)
    texts = tuple(prompts[i % len(prompts)] for i in range(count))
    return PromptedImages(pixels, texts, np.ones(count), np.arange(count) % len(prompts))


TUNING = prompted(5, "an image of odd digit", "an image of even digit")


def tune(
    finetuner: Finetuner, seed: int = 0, log=lambda step, values: None, checkpoint=None, steps=2
):
    prior = prompted(3, "an image of digit") if finetuner.prior_images() else None
    model = StableDiffusion(packaged="tiny_ldm", device="cpu").load()
    budget, rng = dataclasses.replace(BUDGET, steps=steps), np.random.default_rng(seed)
    return finetuner.finetune(model, TUNING, prior, budget, rng, log, checkpoint)


def draw(model) -> np.ndarray:
    return model.sample(["an image of odd digit"] * 2, [1, 2], Sampler(scheduler="ddim", steps=3))


def test_known_ones_are_found():
    assert set(registry.names(GROUP)) >= KNOWN


@each_finetuner
def test_says_what_it_is(name):
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Finetuner)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_finetuner
def test_it_changes_the_model_exactly_if_it_tunes_and_never_the_one_given(name):
    finetuner = make(name)
    before = draw(StableDiffusion(packaged="tiny_ldm", device="cpu").load())
    fields = dataclasses.asdict(finetuner)
    tuned = tune(finetuner)
    assert (draw(tuned) != before).any() == finetuner.tunes
    assert (draw(StableDiffusion(packaged="tiny_ldm", device="cpu").load()) == before).all()
    assert dataclasses.asdict(finetuner) == fields


@each_finetuner
def test_the_same_seed_gives_the_same_model_and_no_random_state_moves(name):
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert (draw(tune(make(name))) == draw(tune(make(name)))).all()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


@each_finetuner
def test_steps_are_logged_up_to_the_budget(name):
    finetuner, steps = make(name), []
    tune(finetuner, log=lambda step, values: steps.append((step, values["loss"])))
    assert [step for step, _ in steps] == ([1, 2] if finetuner.tunes else [])
    assert all(np.isfinite(loss) for _, loss in steps)


@each_finetuner
def test_a_tuned_model_can_be_saved_and_loaded(name, tmp_path):
    tuned = tune(make(name))
    tuned.save(tmp_path)
    again = StableDiffusion(packaged="tiny_ldm", device="cpu").at(tmp_path)
    assert again.check() + again.check_weights() == []
    apart = np.abs(draw(again.load()).astype(int) - draw(tuned)).max()
    # an adapter is folded into the weights when it is loaded, which rounds
    assert apart <= (1 if is_adapter(tmp_path) else 0)


@each_finetuner
def test_what_was_saved_is_read_by_plain_diffusers(name, tmp_path):
    """The same text vectors and the same prediction, by nothing of ours."""
    tuned = tune(make(name))
    tuned.save(tmp_path)
    pipeline, read = plainly_loaded(tmp_path)
    prompts = ["an image of odd digit", "an image of even digit"]
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([100, 900])
    with torch.no_grad():
        said, _ = pipeline.encode_prompt([read.get(p, p) for p in prompts], "cpu", 1, False)
        predicted = pipeline.unet(latents, times, said).sample
        expected = tuned.predict(latents, times, tuned.condition(prompts))
    torch.testing.assert_close(predicted, expected, atol=1e-5, rtol=1e-4)


def plainly_loaded(folder):
    """A pipeline of what was saved, and the texts to give it instead of prompts."""
    if not is_adapter(folder):
        return StableDiffusionPipeline.from_pretrained(folder), {}
    pipeline = StableDiffusionPipeline.from_pretrained(ASSETS / "tiny_ldm")
    if (folder / "prompts.json").is_file():
        words = load_file(folder / "learned_embeds.safetensors")
        pipeline.load_textual_inversion([{word: rows} for word, rows in words.items()])
        return pipeline, json.loads((folder / "prompts.json").read_text())
    pipeline.load_lora_weights(folder)
    return pipeline, {}


ATTENTIONS = 8  # in the packaged UNet: each with projections of queries, keys, values and outputs
WIDTH = 64  # of the packaged model's attention and of its text vectors
UNET = 1_191_796  # parameters of the packaged UNet


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dreambooth", UNET),
        ("dreambooth_lora", ATTENTIONS * 4 * 2 * 16 * WIDTH),
        ("textual_inversion", 2 * 4 * WIDTH),
        ("textual_projection", WIDTH * WIDTH),
    ],
)
def test_as_many_parameters_are_trained_as_it_says(name, expected, monkeypatch):
    counts = []
    monkeypatch.setattr(
        Training, "run", lambda self, seed: counts.append(sum(p.numel() for p in self.parameters))
    )
    tune(make(name))
    assert counts == [expected]


@pytest.mark.parametrize("name", ["dreambooth_lora", "textual_inversion"])
def test_an_adapter_is_small(name, tmp_path):
    tune(make(name)).save(tmp_path)
    assert is_adapter(tmp_path)
    assert size_of(tmp_path) < size_of(ASSETS / "tiny_ldm") / 10


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@each_finetuner
def test_prior_images_come_exactly_when_wanted(name):
    finetuner = make(name)
    unwanted = None if finetuner.prior_images() else prompted(3, "an image of digit")
    model = StableDiffusion(packaged="tiny_ldm", device="cpu").load()
    with pytest.raises(ContractError, match="prior images"):
        finetuner.finetune(model, TUNING, unwanted, BUDGET, np.random.default_rng(0))


@each_finetuner
def test_a_checkpoint_is_as_large_as_it_says(name, tmp_path):
    finetuner = make(name)
    if not finetuner.tunes:
        return
    with pytest.raises(KeyboardInterrupt):
        tune(finetuner, checkpoint=Stops(tmp_path, 1))
    networks = StableDiffusion(packaged="tiny_ldm", device="cpu").networks()
    foreseen = finetuner.checkpoint_bytes(networks, labels=2)
    size = size_of(tmp_path)
    assert foreseen > 0.95 * size - 100_000, "see Finetuner.trained_numbers"
    if type(finetuner).__module__.startswith("tgap."):  # others may tell a bound
        assert foreseen == pytest.approx(size, rel=0.05, abs=100_000)


@each_finetuner
def test_an_interrupted_tuning_goes_on_as_if_it_had_not_been(name):
    def work(checkpoint=None):
        losses = []
        tuned = tune(
            make(name), log=lambda *told: losses.append(told), checkpoint=checkpoint, steps=3
        )
        parts = (tuned.denoiser, *tuned.text_encoders)
        return [t.clone() for part in parts for t in part.state_dict().values()], losses

    arrays, losses = work()
    again, losses_again = interrupted(work, 1, 2)
    assert all(torch.equal(one, other) for one, other in zip(arrays, again, strict=True))
    assert [
        (step, {n: v for n, v in values.items() if not n.endswith("seconds")})
        for step, values in losses
    ] == [
        (step, {n: v for n, v in values.items() if not n.endswith("seconds")})
        for step, values in losses_again
    ]
