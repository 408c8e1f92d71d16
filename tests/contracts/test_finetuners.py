"""What every finetuner must keep, whichever it is."""

import dataclasses

import numpy as np
import pytest
import torch

from tgap import registry
from tgap.errors import ContractError
from tgap.finetuners.base import Finetuner, PromptedImages
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.settings import Budget, Sampler

GROUP = "finetuner"
KNOWN = {"none", "dreambooth"}
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


def tune(finetuner: Finetuner, seed: int = 0, log=lambda step, values: None):
    prior = prompted(3, "an image of digit") if finetuner.prior_images() else None
    model = StableDiffusion(device="cpu").load()
    return finetuner.finetune(model, TUNING, prior, BUDGET, np.random.default_rng(seed), log)


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
    before = draw(StableDiffusion(device="cpu").load())
    fields = dataclasses.asdict(finetuner)
    tuned = tune(finetuner)
    assert (draw(tuned) != before).any() == finetuner.tunes
    assert (draw(StableDiffusion(device="cpu").load()) == before).all()
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
    again = StableDiffusion(device="cpu").at(tmp_path)
    assert again.check() == []
    assert (draw(again.load()) == draw(tuned)).all()


@each_finetuner
def test_prior_images_come_exactly_when_wanted(name):
    finetuner = make(name)
    unwanted = None if finetuner.prior_images() else prompted(3, "an image of digit")
    model = StableDiffusion(device="cpu").load()
    with pytest.raises(ContractError, match="prior images"):
        finetuner.finetune(model, TUNING, unwanted, BUDGET, np.random.default_rng(0))
