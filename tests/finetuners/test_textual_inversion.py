import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.contracts.small_pipelines import write_pipeline, write_xl
from tgap.core.errors import DataError
from tgap.core.settings import Budget, Sampler
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.textual_inversion import TextualInversion
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.generators.stable_diffusion_xl import StableDiffusionXL

PROMPTS = ("an odd a", "an even b")
SAMPLER = Sampler(scheduler="ddim", steps=3)


def images(side=16, channels=1):
    pixels = np.random.default_rng(0).integers(0, 256, (4, side, side, channels), dtype=np.uint8)
    return PromptedImages(pixels, PROMPTS * 2, np.ones(4), np.arange(4) % 2)


def tune(finetuner, model, steps=3):
    budget = Budget(steps=steps, batch_size=2, learning_rate=0.01)
    return finetuner.finetune(model, images(), None, budget, np.random.default_rng(0))


def rows(model):
    return model.text_encoders[0].get_input_embeddings().weight


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("pipeline")
    write_pipeline(path)
    return StableDiffusion(path=str(path), device="cpu")


@pytest.fixture(scope="module")
def tuned(base):
    return tune(TextualInversion(vectors=3), base.load())


def test_the_new_rows_are_all_that_is_trained(base):
    model = TextualInversion(vectors=3)._trainable(base.load(), images(), np.random.default_rng(0))
    parts = (model.denoiser, *model.text_encoders)
    assert sum(p.numel() for m in parts for p in m.parameters() if p.requires_grad) == 2 * 3 * 16


def test_everything_else_stays_bit_for_bit_even_with_weight_decay(base):
    model = base.load()
    tuned = tune(TextualInversion(vectors=3, weight_decay=0.5), model)
    count = len(rows(model))
    assert torch.equal(rows(tuned)[:count], rows(model))
    assert rows(tuned).shape == (count + 6, 16)
    given, now = (m.text_encoders[0].state_dict() for m in (model, tuned))
    assert all(torch.equal(given[k], now[k]) for k in given if "token_embedding" not in k)
    assert tuned.denoiser is model.denoiser
    assert not any(p.requires_grad for p in tuned.text_encoders[0].parameters())


def test_with_as_many_vectors_as_tokens_a_word_says_at_first_what_its_prompt_says(base):
    model, count = base.load(), len("anevenb")  # the tokenizer drops spaces
    prompts = PromptedImages(images().images, ("an even b",) * 4, np.ones(4), np.zeros(4, np.int64))
    started = TextualInversion(vectors=count)._trainable(model, prompts, np.random.default_rng(0))
    said = started.condition(["an even b"])["encoder_hidden_states"]
    expected = model.condition(["an even b"])["encoder_hidden_states"]
    torch.testing.assert_close(said, expected)


def test_fewer_vectors_start_as_means_of_stretches(base):
    model = base.load()
    started = TextualInversion(vectors=1)._trainable(model, images(), np.random.default_rng(0))
    ids = model.pipeline.tokenizer("an even b", add_special_tokens=False).input_ids
    torch.testing.assert_close(rows(started)[-2].detach(), rows(model)[ids].mean(dim=0))


def test_prompts_are_read_as_their_words(tuned):
    with torch.no_grad():
        said = tuned.condition(PROMPTS)["encoder_hidden_states"]
    assert not torch.equal(said[0], said[1])
    assert tuned.words == {"an even b": "<tgap-0>", "an odd a": "<tgap-1>"}


def test_a_prompt_that_it_was_not_tuned_on_is_refused(tuned):
    with pytest.raises(DataError, match=r"none for 'an odd'; prompts it can draw: 'an even b'; "):
        tuned.sample(["an odd"], [0], SAMPLER)
    assert tuned.sample(["a <tgap-0>"], [0], SAMPLER).shape == (1, 16, 16, 1)


def test_saved_words_come_back_and_plain_diffusers_reads_them(base, tuned, tmp_path):
    from diffusers import StableDiffusionPipeline

    tuned.save(tmp_path)
    learned = load_file(tmp_path / "learned_embeds.safetensors")
    assert {word: tuple(r.shape) for word, r in learned.items()} == {
        "<tgap-0>": (3, 16),
        "<tgap-1>": (3, 16),
    }
    texts = json.loads((tmp_path / "prompts.json").read_text())
    again = base.at(tmp_path)
    assert again.check() == []
    drawn = tuned.sample(PROMPTS, [1, 2], SAMPLER)
    assert np.abs(again.load().sample(PROMPTS, [1, 2], SAMPLER).astype(int) - drawn).max() <= 1
    pipeline = StableDiffusionPipeline.from_pretrained(base.path)
    pipeline.load_textual_inversion([{word: vectors} for word, vectors in learned.items()])
    said, _ = pipeline.encode_prompt([texts[p] for p in PROMPTS], "cpu", 1, False)
    with torch.no_grad():
        torch.testing.assert_close(said, tuned.condition(PROMPTS)["encoder_hidden_states"])


def test_what_is_tuned_on_words_keeps_them(base, tuned, tmp_path):
    """A whole model that was tuned on top of learned words is saved with them."""
    tuned.save(tmp_path)
    model = tune(Dreambooth(prior_weight=0.0), base.at(tmp_path).load())
    whole = tmp_path / "whole"
    whole.mkdir()
    model.save(whole)
    again = base.at(whole)
    assert again.check() == []
    drawn = model.sample(PROMPTS, [1, 2], SAMPLER)
    assert (again.load().sample(PROMPTS, [1, 2], SAMPLER) == drawn).all()
    digest = again.digest()
    (whole / "prompts.json").write_text('{"an odd a": "<tgap-0>"}')
    assert again.digest() != digest


def test_words_can_be_learned_on_top_of_words(base, tuned, tmp_path):
    tuned.save(tmp_path)
    second = tune(TextualInversion(vectors=2), base.at(tmp_path).load())
    assert second.words == {"an even b": "<tgap-2>", "an odd a": "<tgap-3>"}
    more = tmp_path / "more"
    more.mkdir()
    second.save(more)
    again = base.at(tmp_path).at(more)
    assert again.check() == []
    drawn = second.sample(PROMPTS, [1, 2], SAMPLER)
    assert np.abs(again.load().sample(PROMPTS, [1, 2], SAMPLER).astype(int) - drawn).max() <= 1


def test_a_word_that_does_not_fit_into_the_text_encoder_is_refused(base):
    with pytest.raises(DataError, match=r"finetuner\.vectors must be at most 14, .* got 20"):
        tune(TextualInversion(vectors=20), base.load())


def test_a_model_with_two_text_encoders_is_refused(tmp_path):
    write_xl(tmp_path)
    model = StableDiffusionXL(path=str(tmp_path), device="cpu").load()
    with pytest.raises(DataError, match="in one text encoder, and this generator has 2; use"):
        TextualInversion()._trainable(model, images(), np.random.default_rng(0))
