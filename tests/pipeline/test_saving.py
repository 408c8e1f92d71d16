"""Models on disk in less precision, and what they share."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import tgap
from tests.pipeline.conftest import CUT, size_of, tune
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.latent import saving
from tgap.generators.latent.base import LatentModel
from tgap.generators.latent.saving import cast_weights, share_files
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.pipeline.plan import plan
from tgap.store import Store


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_model_kept_in_half_precision_is_half_as_large_and_loads_as_float32(
    tmp_path: Path, precision: str
) -> None:
    folder = tmp_path / "model"
    StableDiffusion(packaged="tiny_ldm", device="cpu").load().save(folder)
    before, whole = size_of(folder), load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    cast_weights(folder, precision)
    assert size_of(folder) < 0.55 * before
    generator = StableDiffusion(path=str(folder), device="cpu")
    assert generator.check() + generator.check_weights() == []
    model = generator.load()
    for name, weight in model.denoiser.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, whole[name].to(getattr(torch, precision)).float())


def test_models_share_what_tuning_leaves_as_it_was(tmp_path: Path) -> None:
    for name, own in (("one", b"1"), ("other", b"2")):
        (tmp_path / name / "vae").mkdir(parents=True)
        (tmp_path / name / "vae" / "w").write_bytes(b"the same")
        (tmp_path / name / "own").write_bytes(own)
    share_files(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "vae" / "w").samefile(tmp_path / "other" / "vae" / "w")
    assert (tmp_path / "one" / "own").read_bytes() == b"1"
    shutil.rmtree(tmp_path / "other")
    assert (tmp_path / "one" / "vae" / "w").read_bytes() == b"the same"


def test_weights_beyond_half_precision_stay_as_they_are_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    large = {"a": torch.tensor([1.0, 1e6]), "n": torch.tensor([3])}
    save_file(large, tmp_path / "w.safetensors", {"format": "pt"})
    save_file({"a": torch.tensor([1.0, float("inf")])}, tmp_path / "v.safetensors")
    cast_weights(tmp_path, "float16")
    assert "'a' of the model is beyond the range of float16" in caplog.text
    assert torch.equal(load_file(tmp_path / "w.safetensors")["a"], large["a"])
    assert load_file(tmp_path / "v.safetensors")["a"].dtype == torch.float16
    cast_weights(tmp_path, "bfloat16")
    found = load_file(tmp_path / "w.safetensors")
    assert (found["a"].dtype, found["n"].dtype) == (torch.bfloat16, torch.int64)


def test_a_tuned_model_beyond_half_precision_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    finished = DenoisingFinetuner._finished

    def diverging(self: DenoisingFinetuner, trained: LatentModel) -> LatentModel:
        next(trained.denoiser.parameters()).data.fill_(1e6)
        return finished(self, trained)

    monkeypatch.setattr(DenoisingFinetuner, "_finished", diverging)
    tuned = tune(store, "storage.weights=float16")
    assert "beyond the range of float16" in caplog.text
    unet = load_file(tuned.folder / "model/unet/diffusion_pytorch_model.safetensors")
    assert {weight.dtype for weight in unet.values()} == {torch.float32}
    text = load_file(tuned.folder / "model/text_encoder/model.safetensors")
    assert {w.dtype for w in text.values() if w.is_floating_point()} == {torch.float16}


def test_no_tuned_part_is_saved_larger_than_it_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, seen = saving.cast_weights, {}

    def watched(folder: Path, precision: str) -> None:
        seen.setdefault(folder.parent.parent.name + folder.name, size_of(folder))
        cast(folder, precision)

    monkeypatch.setattr(saving, "cast_weights", watched)
    run = tgap.compose(*CUT, "storage.weights=float16")
    before = {n: w.clone() for n, w in run.pretrained.load().denoiser.state_dict().items()}
    tuned = tune(store, "storage.weights=float16")
    peak = max(size for name, size in seen.items() if name.endswith("model"))
    whole = sum(4 * w.numel() for w in before.values())
    assert peak < 1.3 * whole  # the UNet in half precision, and the rest not yet
    assert size_of(tuned.folder / "model" / "unet") < 0.55 * whole
    # The untuned model, which the process keeps, is left in its own precision.
    after = run.pretrained.load().denoiser.state_dict()
    assert all(w.dtype == torch.float32 and torch.equal(w, before[n]) for n, w in after.items())


@pytest.mark.parametrize("finetuner", ["dreambooth_lora", "textual_inversion"])
def test_adapters_share_no_parts_with_the_untuned_model(finetuner: str) -> None:
    words = ["storage.weights=float16", f"finetuner={finetuner}"]
    assert plan(tgap.compose(*words)).untuned is None
    assert plan(tgap.compose("storage.weights=float16", "finetuner=dreambooth")).untuned is not None


@pytest.mark.parametrize("finetuner", ["dreambooth_lora", "textual_inversion"])
def test_an_adapter_is_cast_and_nothing_else_is_kept(store: Store, finetuner: str) -> None:
    tuned = tune(store, "storage.weights=float16", f"finetuner={finetuner}")
    (file,) = tuned.folder.rglob("*.safetensors")
    assert {weight.dtype for weight in load_file(file).values()} == {torch.float16}
    assert not (store.root / "untuned").exists()
