import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.generators.few_steps import PROMPTS, draw, random_images, started, tuned
from tgap.core import DataError, Sampler
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.textual_inversion import TextualInversion
from tgap.generators.stable_diffusion_xl import StableDiffusionXL

SAMPLER = Sampler(scheduler="ddim", steps=3)


def rows(model):
    return model.text_encoders[0].get_input_embeddings().weight


@pytest.fixture(scope="module")
def learned(base):
    return tuned(TextualInversion(vectors=3), base.load())


def test_the_new_rows_are_all_that_is_trained(model):
    taught = started(TextualInversion(vectors=3), model, random_images())
    parts = (taught.denoiser, *taught.text_encoders)
    assert sum(p.numel() for m in parts for p in m.parameters() if p.requires_grad) == 2 * 3 * 16


def test_everything_else_stays_bit_for_bit_even_with_weight_decay(model):
    learned = tuned(TextualInversion(vectors=3, weight_decay=0.5), model)
    count = len(rows(model))
    assert torch.equal(rows(learned)[:count], rows(model))
    assert rows(learned).shape == (count + 6, 16)
    given, now = (m.text_encoders[0].state_dict() for m in (model, learned))
    assert all(torch.equal(given[k], now[k]) for k in given if "token_embedding" not in k)
    assert learned.denoiser is model.denoiser
    assert not any(p.requires_grad for p in learned.text_encoders[0].parameters())


def test_with_as_many_vectors_as_tokens_a_word_says_at_first_what_its_prompt_says(model):
    count = len("anevenb")  # the tokenizer drops spaces
    images = dataclasses.replace(random_images(), prompts=("an even b",) * 4)
    taught = started(TextualInversion(vectors=count), model, images)
    said = taught.condition(["an even b"])["encoder_hidden_states"]
    expected = model.condition(["an even b"])["encoder_hidden_states"]
    torch.testing.assert_close(said, expected)


def test_fewer_vectors_start_as_means_of_stretches(model):
    taught = started(TextualInversion(vectors=1), model, random_images())
    ids = model.pipeline.tokenizer("an even b", add_special_tokens=False).input_ids
    torch.testing.assert_close(rows(taught)[-2].detach(), rows(model)[ids].mean(dim=0))


def test_prompts_are_read_as_their_words(learned):
    with torch.no_grad():
        said = learned.condition(PROMPTS)["encoder_hidden_states"]
    assert not torch.equal(said[0], said[1])
    assert learned.words == {"an even b": "<tgap-0>", "an odd a": "<tgap-1>"}


def test_a_prompt_that_it_was_not_tuned_on_is_refused(learned):
    with pytest.raises(DataError, match=r"none for 'an odd'; prompts it can draw: 'an even b'; "):
        learned.sample(["an odd"], [0], SAMPLER)
    assert learned.sample(["a <tgap-0>"], [0], SAMPLER).shape == (1, 16, 16, 1)


def test_saved_words_come_back_and_plain_diffusers_reads_them(base, learned, tmp_path):
    from diffusers import StableDiffusionPipeline

    learned.save(tmp_path)
    words = load_file(tmp_path / "learned_embeds.safetensors")
    shapes = {word: tuple(rows.shape) for word, rows in words.items()}
    assert shapes == {"<tgap-0>": (3, 16), "<tgap-1>": (3, 16)}
    texts = json.loads((tmp_path / "prompts.json").read_text())
    again = base.at(tmp_path)
    assert again.check() + again.check_weights() == []
    assert np.abs(draw(again.load()) - draw(learned)).max() <= 1
    pipeline = StableDiffusionPipeline.from_pretrained(base.path)
    pipeline.load_textual_inversion([{word: vectors} for word, vectors in words.items()])
    said, _ = pipeline.encode_prompt([texts[p] for p in PROMPTS], "cpu", 1, False)
    with torch.no_grad():
        torch.testing.assert_close(said, learned.condition(PROMPTS)["encoder_hidden_states"])


def test_what_is_tuned_on_words_keeps_them(base, learned, tmp_path):
    """A whole model that was learned on top of learned words is saved with them."""
    learned.save(tmp_path)
    model = tuned(Dreambooth(prior_weight=0.0), base.at(tmp_path).load())
    whole = tmp_path / "whole"
    whole.mkdir()
    model.save(whole)
    again = base.at(whole)
    assert again.check() + again.check_weights() == []
    drawn = model.sample(PROMPTS, [1, 2], SAMPLER)
    assert (again.load().sample(PROMPTS, [1, 2], SAMPLER) == drawn).all()
    digest = again.digest()
    (whole / "prompts.json").write_text('{"an odd a": "<tgap-0>"}')
    assert again.digest() != digest


def test_words_can_be_learned_on_top_of_words(base, learned, tmp_path):
    learned.save(tmp_path)
    second = tuned(TextualInversion(vectors=2), base.at(tmp_path).load())
    assert second.words == {"an even b": "<tgap-2>", "an odd a": "<tgap-3>"}
    more = tmp_path / "more"
    more.mkdir()
    second.save(more)
    again = base.at(tmp_path).at(more)
    assert again.check() + again.check_weights() == []
    assert np.abs(draw(again.load()) - draw(second)).max() <= 1


def test_a_word_that_does_not_fit_into_the_text_encoder_is_refused(model):
    with pytest.raises(DataError, match=r"finetuner\.vectors must be at most 14, .* got 20"):
        tuned(TextualInversion(vectors=20), model)


def test_a_model_with_two_text_encoders_is_refused(xl):
    model = StableDiffusionXL(path=str(xl), device="cpu").load()
    networks = StableDiffusionXL(path=str(xl)).networks()
    (problem,) = TextualInversion().check_networks(networks)
    assert "in one text encoder, and this generator has 2; use" in problem
    with pytest.raises(DataError, match="in one text encoder, and this generator has 2; use"):
        started(TextualInversion(), model, random_images())
