"""What is put onto a base model is checked before it is loaded, and never half taken over."""

import pickle
import random
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.generators.few_steps import PROMPTS, draw, tuned
from tgap.core import DataError, Sampler
from tgap.finetuners.dreambooth_lora import DreamboothLora
from tgap.finetuners.textual_inversion import TextualInversion
from tgap.generators.latent.adapters.loading import adapter_digest, adapter_problems, is_adapter
from tgap.generators.latent.files.source import Source
from tgap.generators.stable_diffusion import STABLE_DIFFUSION, StableDiffusion
from tgap.generators.stable_diffusion_3 import StableDiffusion3
from tgap.generators.stable_diffusion_xl import StableDiffusionXL

LORA = "pytorch_lora_weights.safetensors"
WORDS = "learned_embeds.safetensors"
LAYER = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.fixture(scope="module")
def lora(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    model = tuned(DreamboothLora(rank=2, prior_weight=0.0, text_encoder=True), base.load())
    model.save(folder)
    return model, folder


@pytest.fixture(scope="module")
def words(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    model = tuned(TextualInversion(vectors=2), base.load())
    model.save(folder)
    return model, folder


def only_problem(adapter, base):
    (problem,) = StableDiffusion(path=base.path, adapters=[str(adapter)]).check()
    return problem


def tensors(*shapes):
    return {name: torch.zeros(shape) for name, shape in shapes}


def test_plain_diffusers_draws_the_same_with_a_lora(base, lora):
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    learned, folder = lora
    pipeline = StableDiffusionPipeline.from_pretrained(base.path)
    pipeline.load_lora_weights(folder)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    pipeline.set_progress_bar_config(disable=True)
    noise = [torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(s)) for s in (1, 2)]
    latents = pipeline(
        list(PROMPTS),
        latents=torch.stack(noise),
        num_inference_steps=3,
        guidance_scale=3.0,
        output_type="latent",
    ).images
    assert np.abs(learned.decode(latents).astype(int) - draw(learned)).max() <= 1
    assert np.abs(draw(base.load()) - draw(learned)).max() > 1


def test_one_after_another(base, lora, words):
    """LoRA and words of the same base: both change what is drawn, whichever comes first."""
    both = base.at(lora[1]).at(words[1])
    assert both.check() + both.check_weights() == []
    swapped = base.at(words[1]).at(lora[1])
    drawn = draw(both.load())
    assert np.abs(draw(swapped.load()) - drawn).max() <= 1
    for one in (base, base.at(lora[1]), base.at(words[1])):
        assert (draw(one.load()) != drawn).any()
    layer = both.load().denoiser.mid_block.attentions[0].transformer_blocks[0].attn2.to_k
    assert type(layer) is torch.nn.Linear


def test_loading_leaves_the_random_states_alone(base, lora, words):
    from tgap.generators.latent import pretrained

    pretrained._loaded.clear()
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    base.at(lora[1]).at(words[1]).load()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert random.getstate() == states[2]


def test_a_file_counts_as_its_folder_but_for_the_prompts(base, lora, words):
    learned, folder = lora
    by_file = StableDiffusion(path=base.path, device="cpu", adapters=[str(folder / LORA)])
    assert by_file.check() + by_file.check_weights() == []
    assert np.abs(draw(by_file.load()) - draw(learned)).max() <= 1
    by_word = StableDiffusion(path=base.path, device="cpu", adapters=[str(words[1] / WORDS)])
    assert by_word.load().words == {}
    assert by_word.load().sample(["an <tgap-1>"], [0], Sampler(steps=2)).shape == (1, 16, 16, 1)


def test_adapters_change_the_digest_by_content_and_order(base, lora, words, tmp_path):
    digests = {
        base.digest(),
        base.at(lora[1]).digest(),
        base.at(words[1]).digest(),
        base.at(lora[1]).at(words[1]).digest(),
        base.at(words[1]).at(lora[1]).digest(),
    }
    assert len(digests) == 5
    (tmp_path / LORA).write_bytes((lora[1] / LORA).read_bytes())
    assert adapter_digest(str(tmp_path)) == adapter_digest(str(lora[1]))


def test_what_a_tuned_model_was_saved_to(base, lora, words):
    assert is_adapter(lora[1])
    assert is_adapter(words[1])
    assert not is_adapter(base.source().folder)


def test_a_missing_one(base, tmp_path):
    assert "does not exist; give a folder or a safetensors" in only_problem(tmp_path / "no", base)


@pytest.mark.parametrize("name", [LORA, WORDS])
def test_a_truncated_one(base, lora, words, tmp_path, name):
    whole = (lora if name == LORA else words)[1] / name
    (tmp_path / name).write_bytes(whole.read_bytes()[:-10])
    assert "or not a whole one: incomplete" in only_problem(tmp_path, base)


class Canary:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (self.file, "w"))


@pytest.mark.parametrize("name", ["lora.bin", "lora.pt", "pytorch_lora_weights.ckpt"])
def test_pickles_are_refused_and_never_read(base, tmp_path, name):
    folder, canary = tmp_path / "adapter", tmp_path / "canary"
    folder.mkdir()
    (folder / name).write_bytes(pickle.dumps(Canary(str(canary))))
    for adapter in (folder / name, folder):
        assert "can run code" in only_problem(adapter, base)
        with pytest.raises(DataError, match="can run code"):
            StableDiffusion(path=base.path, device="cpu", adapters=[str(adapter)]).load()
    assert not canary.exists()


def test_a_folder_without_and_one_with_several(base, tmp_path):
    assert f"must hold {LORA} or {WORDS}" in only_problem(tmp_path, base)
    for name in ("a", "b"):
        save_file(tensors(("<w>", (1, 16))), tmp_path / f"{name}.safetensors")
    assert "holds 2 safetensors files; name one of them: a.safet" in only_problem(tmp_path, base)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([("encoder.conv.weight", (4, 4, 3, 3))], "neither LoRA weights"),
        ([("a", (2, 16)), ("b", (2, 17))], "neither LoRA weights"),
        ([("<w>", (2, 768))], "words have 768 numbers, and those of the model's text encoder 16"),
        ([(f"{LAYER}.lora_A.weight", (2, 768))], "reads 16 features, and the adapter's 768"),
        ([(f"{LAYER}.lora_B.weight", (320, 2))], "gives 16 features, and the adapter's 320"),
        ([("unet.no.such.lora_A.weight", (2, 16))], "a layer 'no.such' in unet, and the model has"),
        ([("transformer.a.lora_A.weight", (2, 16))], "for a 'transformer', and the model has none"),
    ],
)
def test_what_does_not_fit_is_found_without_loading(base, tmp_path, content, told):
    file = tmp_path / "one.safetensors"
    save_file(tensors(*content), file)
    problem = only_problem(file, base)
    assert told in problem
    assert str(file) in problem
    with pytest.raises(DataError, match="adapter"):
        StableDiffusion(path=base.path, device="cpu", adapters=[str(file)]).load()


def test_layers_of_text_encoders_have_two_names(base, lora, tmp_path):
    """transformers dropped the level ``text_model``; older adapters have it."""
    renamed = {
        name.replace("text_encoder.", "text_encoder.text_model."): tensor
        for name, tensor in load_file(lora[1] / LORA).items()
    }
    save_file(renamed, tmp_path / "old.safetensors")
    old = StableDiffusion(
        path=base.path, device="cpu", adapters=[str(tmp_path / "old.safetensors")]
    )
    assert old.check() + old.check_weights() == []
    assert np.abs(draw(old.load()) - draw(lora[0])).max() <= 1


def test_other_tools_names_are_judged_when_loaded(base, tmp_path):
    """kohya's format, for a layer that this model has not: diffusers would only warn."""
    file = tmp_path / "kohya.safetensors"
    known = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    layer = known.replace("blocks_0_attn2", "blocks_7_attn2")
    save_file(
        {
            f"{name}.{part}": torch.zeros(shape)
            for name in (known, layer)
            for part, shape in (
                ("lora_down.weight", (2, 16)),
                ("lora_up.weight", (16, 2)),
                ("alpha", ()),
            )
        },
        file,
    )
    generator = StableDiffusion(path=base.path, device="cpu", adapters=[str(file)])
    (problem,) = generator.check()
    assert f"it is for a layer '{layer}' in unet, and the model has none of that" in problem
    with pytest.raises(DataError, match=r"2 of its 4 tensors have a place there|does not fit"):
        generator.load()


def test_what_peft_saves_of_a_network_alone_is_told_before_a_run(base, tmp_path):
    layer = "base_model.model.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    file = tmp_path / "adapter_model.safetensors"
    sides = {"lora_A.weight": torch.zeros(2, 16), "lora_B.weight": torch.zeros(16, 2)}
    save_file({f"{layer}.{side}": zeros for side, zeros in sides.items()}, file)
    (problem,) = StableDiffusion(path=base.path, device="cpu", adapters=[str(tmp_path)]).check()
    assert "its names begin with base_model.model., as peft saves" in problem
    assert "save_lora_weights(folder, unet_lora_layers=" in problem


def test_lengths_of_dora_in_a_text_encoder_are_not_dropped_silently(base, tmp_path):
    layer = "text_encoder.encoder.layers.0.self_attn.q_proj"
    file = tmp_path / "dora.safetensors"
    save_file(
        {
            f"{layer}.lora_A.weight": torch.ones(2, 16),
            f"{layer}.lora_B.weight": torch.ones(16, 2),
            f"{layer}.lora_magnitude_vector": torch.full((16,), 5.0),
        },
        file,
    )
    with pytest.raises(DataError, match="lora_magnitude_vector' is not taken over by the lib"):
        StableDiffusion(path=base.path, device="cpu", adapters=[str(file)]).load()


def test_words_for_a_model_of_two_text_encoders(words, xl):
    (problem,) = StableDiffusionXL(path=str(xl), adapters=[str(words[1])]).check()
    assert "learned words are for one text encoder, and the model has 2" in problem


def test_a_word_that_is_known_already(base, words):
    twice = base.at(words[1]).at(words[1])
    with pytest.raises(DataError, match="<tgap-0> already in tokenizer vocabulary"):
        twice.load()


def test_prompts_must_be_texts_by_prompt(base, words, tmp_path):
    (tmp_path / WORDS).write_bytes((words[1] / WORDS).read_bytes())
    (tmp_path / "prompts.json").write_text('["a"]')
    with pytest.raises(DataError, match="must hold texts by prompt"):
        base.at(tmp_path).load()


def test_a_broken_base_is_not_the_adapters_fault(base, lora, tmp_path):
    unet = tmp_path / "unet"
    unet.mkdir()
    (unet / "diffusion_pytorch_model.safetensors").write_bytes(b"short")
    source = Source(STABLE_DIFFUSION, tmp_path, None, str(tmp_path), "")
    assert adapter_problems([str(lora[1])], source) == []


@pytest.mark.parametrize(("kept", "lacking"), [("lora_A", "lora_B"), ("lora_B", "lora_A")])
def test_half_of_a_lora_is_told_before_it_is_loaded(base, lora, tmp_path, kept, lacking):
    halved = {name: t for name, t in load_file(lora[1] / LORA).items() if kept in name}
    save_file(halved, tmp_path / LORA)
    problem = only_problem(tmp_path, base)
    assert re.search(
        rf"it has '\S+{kept}\.weight' without '\S+{lacking}\.weight'; get the", problem
    )


@pytest.mark.parametrize(
    ("down", "up", "told"),
    [
        ((2, 768), (16, 2), "reads 16 features, and the adapter's 768"),
        ((2, 16), (320, 2), "gives 16 features, and the adapter's 320"),
        ((2, 16), None, "lora_down.weight' without 'lora_unet_mid"),
    ],
)
def test_kohyas_names_are_compared_too(base, tmp_path, down, up, told):
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    content = [(f"{layer}.lora_down.weight", down)]
    content += [(f"{layer}.lora_up.weight", up)] if up else []
    save_file(tensors(*content), tmp_path / "kohya.safetensors")
    problem = only_problem(tmp_path / "kohya.safetensors", base)
    assert told in problem
    assert "one that was made for this model" in problem


def test_what_the_libraries_say_while_loading_is_told_in_one_line(base, tmp_path, monkeypatch):
    """Where the base's shapes are not known before, as in a single file."""
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    content = [(f"{layer}.lora_down.weight", (2, 768)), (f"{layer}.lora_up.weight", (16, 2))]
    save_file(tensors(*content), tmp_path / "kohya.safetensors")
    generator = StableDiffusion(
        path=base.path, device="cpu", adapters=[str(tmp_path / "kohya.safetensors")]
    )
    monkeypatch.setattr("tgap.generators.latent.adapters.loading._base_shapes", lambda source: {})
    with pytest.raises(DataError, match=r"does not fit its base model \(size mismatch") as caught:
        generator.load()
    assert "\n" not in str(caught.value)
    assert "one that was made for this model" in str(caught.value)


def test_a_lora_with_nan_is_told(base, lora, tmp_path):
    broken = load_file(lora[1] / LORA)
    next(iter(broken.values()))[0] = float("nan")
    save_file(broken, tmp_path / LORA)
    with pytest.raises(DataError, match="has NaN or infinite numbers in"):
        base.at(tmp_path).load()


def test_on_cuda_a_lora_is_folded_into_float16():
    plain = StableDiffusion3(path="x")
    adapted = StableDiffusion3(path="x", adapters=["y"])
    assert [g._precision("cuda") for g in (plain, adapted)] == [torch.bfloat16, torch.float16]
    assert adapted._precision("cpu") == torch.float32
    said = StableDiffusion3(path="x", adapters=["y"], precision="bfloat16")
    assert said._precision("cuda") == torch.bfloat16
