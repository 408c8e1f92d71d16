import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from tests.contracts.small_pipelines import write_3, write_xl
from tests.contracts.toy_models import ToyModel, toy_images
from tests.generators.few_steps import draw, tuned
from tgap.core import Budget, ConfigError, ContractError, DataError
from tgap.finetuners.dreambooth_lora import DreamboothLora
from tgap.generators.latent.adapters.lora import folded_in
from tgap.generators.stable_diffusion_3 import StableDiffusion3
from tgap.generators.stable_diffusion_xl import StableDiffusionXL

BUDGET = Budget(steps=3, batch_size=2, learning_rate=0.01)


def started(finetuner, model, seed=0):
    return finetuner._trainable(model, toy_images(2), np.random.default_rng(seed))


def test_it_starts_as_the_base_model_and_trains_float32_low_rank_parts_alone():
    toy = ToyModel()
    model = started(DreamboothLora(rank=2, alpha=6.0, targets=["mix", "text"]), toy)
    trained = [p for p in model.denoiser.parameters() if p.requires_grad]
    assert sorted(p.numel() for p in trained) == [2 * 2, 2 * 2, 2 * 2, 2 * 3]
    assert all(p.dtype == torch.float32 for p in trained)
    latents, times = torch.randn(3, 2, 4, 4), torch.tensor([1.0, 500.0, 900.0])
    said = toy.condition(["a", "b", "cc"])
    assert torch.equal(model.predict(latents, times, said), toy.predict(latents, times, said))


def test_what_is_handed_on_is_the_base_weights_plus_scaled_b_times_a():
    toy = ToyModel()
    model = started(DreamboothLora(rank=2, alpha=6.0, targets=["text"]), toy)
    parts = {n: p for n, p in model.denoiser.named_parameters() if p.requires_grad}
    ((_, a), (_, b)) = sorted(parts.items())
    with torch.no_grad():
        b.copy_(torch.randn(b.shape, generator=torch.Generator().manual_seed(0)))
        expected = toy.denoiser.text.weight + 6.0 / 2 * b @ a
    finished = DreamboothLora(rank=2)._finished(model)
    torch.testing.assert_close(finished.denoiser.text.weight, expected)
    assert torch.equal(finished.denoiser.mix.weight, toy.denoiser.mix.weight)
    assert type(finished.denoiser.text) is torch.nn.Linear
    assert not any(p.requires_grad for p in finished.denoiser.parameters())


def test_initial_values_follow_the_rng_alone():
    def initial(seed):
        model = started(DreamboothLora(targets=["text"]), ToyModel(), seed)
        return torch.cat([p.flatten() for p in model.denoiser.parameters() if p.requires_grad])

    torch.manual_seed(1)
    first = initial(0)
    torch.manual_seed(2)
    assert torch.equal(initial(0), first)
    assert not torch.equal(initial(1), first)


def test_dora_learns_a_length_per_output_besides():
    plain, dora = (
        started(DreamboothLora(rank=2, dora=dora, targets=["text"]), ToyModel())
        for dora in (False, True)
    )
    counts = [
        sum(p.numel() for p in m.denoiser.parameters() if p.requires_grad) for m in (plain, dora)
    ]
    assert counts[1] - counts[0] == 2


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_trained_parts_stay_float32_in_mixed_precision(precision):
    seen = []

    class Watched(DreamboothLora):
        def _finished(self, trained):
            seen.extend(p for p in trained.denoiser.parameters() if p.requires_grad)
            return super()._finished(trained)

    finetuner = Watched(targets=["text"], prior_weight=0.0, precision=precision)
    finetuner.finetune(ToyModel(), toy_images(4), None, BUDGET, np.random.default_rng(0))
    assert len(seen) == 2
    assert {p.dtype for p in seen} == {torch.float32}


def test_settings_survive_in_the_file(model, tmp_path):
    tuned(DreamboothLora(rank=3, alpha=7.0, dora=True, prior_weight=0.0), model).save(tmp_path)
    with safe_open(tmp_path / "pytorch_lora_weights.safetensors", "pt") as file:
        said = json.loads(file.metadata()["lora_adapter_metadata"])
    assert (said["unet.r"], said["unet.lora_alpha"], said["unet.use_dora"]) == (3, 7.0, True)
    assert said["unet.target_modules"] == ["to_k", "to_out.0", "to_q", "to_v"]


@pytest.mark.parametrize(
    ("dora", "targets"), [(False, ["to_k", "to_out.0"]), (True, ["to_q", "ff.net.2", "conv1"])]
)
def test_alpha_targets_dora_and_text_encoder_come_back(base, tmp_path, dora, targets):
    finetuner = DreamboothLora(
        rank=3, alpha=12.0, dora=dora, targets=targets, text_encoder=True, prior_weight=0.0
    )
    model = tuned(finetuner, base.load())
    model.save(tmp_path)
    again = base.at(tmp_path)
    assert again.check() + again.check_weights() == []
    assert np.abs(draw(again.load()) - draw(model)).max() <= 1
    assert (draw(again.load()) != draw(base.load())).any()


@pytest.mark.parametrize(
    ("cls", "write", "denoiser", "scheduler"),
    [
        (StableDiffusionXL, write_xl, "unet", "ddim"),
        (StableDiffusion3, write_3, "transformer", "flow_euler"),
    ],
)
def test_other_architectures_in_diffusers_format(tmp_path, cls, write, denoiser, scheduler):
    write(tmp_path / "base")
    base = cls(path=str(tmp_path / "base"), device="cpu")
    model = tuned(DreamboothLora(rank=2, text_encoder=True, prior_weight=0.0), base.load())
    (tmp_path / "tuned").mkdir()
    model.save(tmp_path / "tuned")
    with safe_open(tmp_path / "tuned" / "pytorch_lora_weights.safetensors", "pt") as file:
        parts = {name.partition(".")[0] for name in file.keys()}  # noqa: SIM118
    assert parts == {denoiser, "text_encoder", "text_encoder_2"}
    again = base.at(tmp_path / "tuned")
    assert again.check() + again.check_weights() == []
    assert np.abs(draw(again.load(), scheduler) - draw(model, scheduler)).max() <= 1


def test_no_targets_are_refused():
    with pytest.raises(ConfigError, match=r"targets must name layers, such as to_k, .* got none"):
        DreamboothLora(targets=[])


def test_targets_that_nothing_has_are_refused():
    with pytest.raises(DataError, match="'to_z' ends none of those of ToyUNet; allowed are"):
        started(DreamboothLora(targets=["text", "to_z"]), ToyModel())


def test_targets_of_another_kind_are_refused(model):
    with pytest.raises(DataError, match=r"targets norm1 cannot be given LoRA: .*supported"):
        started(DreamboothLora(targets=["norm1"]), model)


def test_a_model_without_lora_layers_has_none_to_fold():
    with pytest.raises(ContractError, match="no LoRA layers in the denoiser"):
        folded_in(ToyModel())
