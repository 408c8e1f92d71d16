"""What is said of the disk before a run is what the run then takes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import tgap
from tgap import disk, preflight
from tgap.cli import run_command
from tgap.datasets.decoding import decode
from tgap.disk import Need, distinct, needs, shortage, told
from tgap.errors import TgapError
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.pipeline import execute, prepare
from tgap.plan import plan
from tgap.resize import resized
from tgap.store import Spec, Store
from tgap.weights import cast_weights, share_files

CUT = (
    "sampler.steps=1 prior_sampler.steps=1 budget.steps=2 budget.batch_size=4 size=4 "
    "budget.train_per_label=60 budget.test_per_label=30 classifier.epochs=1 "
    "finetuner.prior_count=40 evaluators.baselines.shuffled=false"
).split()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def predicted(store: Store, *words: str) -> dict[str, Need]:
    run = tgap.compose(*CUT, *words)
    prepare(run, store, plan(run), {})
    return {need.what: need for need in needs(run, plan(run), store)}


def on_disk(store: Store, stage: str, key: str) -> int:
    files = (store.root / stage / key).rglob("*")
    shared = stage == "generator"  # unchanged files are those of "untuned", linked
    return sum(
        path.stat().st_size
        for path in files
        if path.is_file() and not (shared and path.stat().st_nlink > 1)
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    return Store(tmp_path / "home" / "store")


STAGES = {
    "embedding": "embedding", "prior images": "prior", "tuned models": "generator",
    "synthetic sets": "synthetic", "classifiers": "classifier", "real classifiers": "classifier",
}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["selector=clip_kmeans", "selector.cluster.n_clusters=2", "storage.weights=float16"],
        ["selector=pixel_kmeans", "selector.cluster.n_clusters=2", "storage.image_size=24"],
    ],
)
def test_artifacts_are_as_large_as_predicted(store: Store, words: list[str]) -> None:
    found = predicted(store, *words)
    execute(tgap.compose(*CUT, *words), store)
    assert set(STAGES) < set(found)
    stages = STAGES | ({"untuned parts": "untuned"} if "storage.weights=float16" in words else {})
    for what, stage in stages.items():
        assert found[what].size == pytest.approx(on_disk(store, stage, found[what].key), rel=0.15)
    rest = [size_of(store.root / stage) for stage in ("scores", "evaluation", "pictures")]
    assert found["scores, evaluations, pictures"].size == pytest.approx(sum(rest), rel=0.5)
    assert predicted(store, *words) == {}  # nothing of it is to be made any more
    again = predicted(store, *words, "seed=1")
    assert "embedding" not in again
    assert "prior images" not in again
    assert "tuned models" in again


def test_what_runs_share_counts_once() -> None:
    found = distinct([Need("prior images", "a", 1e9), Need("prior images", "a", 1e9),
                      Need("tuned models", "b", 3e9), Need("tuned models", "c", 1e9)])  # fmt: skip
    text = told(found, Path("home"), 50_000_000_000)
    assert text == (
        "about 5.0 GB will be needed in home (prior images 1.00 GB, tuned models 2 x 2.00 GB); "
        "50.0 GB are free"
    )


def test_too_little_space_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 2_100_000_000)
    assert shortage([Need("tuned models", "a", 2.0e9)], tmp_path) == []
    (problem,) = shortage([Need("tuned models", "a", 2.01e9)], tmp_path)
    assert "tuned models 2.01 GB" in problem
    assert "set TGAP_HOME" in problem


def test_a_run_that_cannot_fit_is_not_started(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1_000_000)
    assert run_command(CUT) == 2
    assert "will be needed in" in capsys.readouterr().err
    assert not (store.root / "generator").exists()


def test_much_is_told_before_it_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    runs = [tgap.compose(*CUT), tgap.compose(*CUT, "seed=1")]
    assert preflight.check_runs(runs, store.root.parent) == []
    assert "will be needed" not in caplog.text
    monkeypatch.setattr(disk, "WORTH_TELLING", 1e6)
    assert preflight.check_runs(runs, store.root.parent) == []
    assert "tuned models 2 x 0.01 GB" in caplog.text


def test_decoded_images_are_counted_before_they_are_decoded(
    tmp_path: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("L", (8, 8), 20 * number).save(tmp_path / "data" / name / f"{number}.png")
    words = [f"dataset.path={tmp_path / 'data'}", "dataset.domain=x", "dataset.size=32"]
    dataset = tgap.compose("dataset=image_folder", *words).dataset
    assert disk.dataset_bytes(dataset) == 10 * 32 * 32
    words.append("dataset.bad_files=exclude")
    dataset = tgap.compose("dataset=image_folder", *words).dataset
    assert disk.dataset_bytes(dataset) == 2 * 10 * 32 * 32
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1000)
    assert run_command(["dataset=image_folder", *words]) == 2
    assert "choose a smaller dataset.size" in capsys.readouterr().err
    assert not (store.root / "dataset").exists()


# Reducing images and weights


def noise(*shape: int) -> np.ndarray:
    made = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made.setflags(write=False)
    return made


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_reduced_as_datasets_reduce_theirs(tmp_path: Path, channels: int) -> None:
    images = noise(3, 50, 50, channels)
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0] if channels == 1 else image).save(tmp_path / f"{number}.png")
    for color, wanted in (("grey", 1), ("rgb", 3)):
        files = [decode(tmp_path / f"{number}.png", 20, color) for number in (2, 0)]
        got = resized(images, 20, wanted, np.array([2, 0]))
        assert np.array_equal(got, np.stack(files))


def test_images_of_the_right_size_stay_as_they_are() -> None:
    images = noise(4, 16, 16, 3)
    assert np.array_equal(resized(images, None, 3), images)
    assert np.array_equal(resized(images, 16, 3), images)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_model_kept_in_half_precision_is_half_as_large_and_loads_as_float32(
    tmp_path: Path, precision: str
) -> None:
    folder = tmp_path / "model"
    StableDiffusion(device="cpu").load().save(folder)
    before, whole = size_of(folder), load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    cast_weights(folder, precision)
    assert size_of(folder) < 0.55 * before
    generator = StableDiffusion(path=str(folder), device="cpu")
    assert generator.check() == []
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


def test_weights_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.tensor([1.0, 1e6]), "n": torch.tensor([3])}, tmp_path / "w.safetensors")
    with pytest.raises(
        TgapError, match=r"'a' .* beyond the range of float16 .*bfloat16 or float32"
    ):
        cast_weights(tmp_path, "float16")
    cast_weights(tmp_path, "bfloat16")
    assert load_file(tmp_path / "w.safetensors")["n"].dtype == torch.int64


def test_free_space_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    expected = shutil.disk_usage(tmp_path).free
    assert disk.free_bytes(tmp_path / "a" / "b") == pytest.approx(expected, rel=0.1)


def test_nothing_is_said_of_a_run_whose_data_are_not_read_yet(store: Store) -> None:
    run = tgap.compose(*CUT)
    assert needs(run, plan(run), store) == []
    assert store.find(Spec("dataset", {"dataset": run.dataset.identity()})) is None
