"""What is said of the disk before a run is what the run then takes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import tgap
from tgap.cli.main import run_command
from tgap.datasets.base import Dataset
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.phantom_xray import PhantomXray
from tgap.datasets.reading.decoding import decode
from tgap.datasets.textbook import Textbook
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.latent import saving as weights
from tgap.generators.latent.base import LatentModel
from tgap.generators.latent.saving import cast_weights, share_files
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight import disk
from tgap.pipeline.preflight import runs as preflight
from tgap.pipeline.preflight.disk import Need, distinct, needs, shortage, told
from tgap.pipeline.resizing import resized
from tgap.pipeline.stages import _Line, execute, prepare
from tgap.store import Artifact, Spec, Store

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
    "embedding": "embedding",
    "prior images": "prior",
    "tuned models": "generator",
    "synthetic sets": "synthetic",
    "classifiers": "classifier",
    "real classifiers": "classifier",
}


def test_artifacts_are_as_large_as_predicted(store: Store) -> None:
    words = [
        "selector=pixel_kmeans",
        "selector.cluster.n_clusters=2",
        "storage.image_size=24",
        "storage.weights=float16",
    ]
    found = predicted(store, *words)
    execute(tgap.compose(*CUT, *words), store)
    stages = STAGES | {"untuned parts": "untuned"}
    for what, stage in stages.items():
        assert found[what].size == pytest.approx(on_disk(store, stage, found[what].key), rel=0.15)
    rest = [size_of(store.root / stage) for stage in ("scores", "evaluation", "pictures")]
    assert found["scores, evaluations, pictures"].size == pytest.approx(sum(rest), rel=0.5)
    assert predicted(store, *words) == {}  # nothing of it is to be made any more
    again = predicted(store, *words, "seed=1")
    assert "embedding" not in again
    assert "prior images" not in again
    assert "tuned models" in again


def test_a_whole_models_and_clip_vectors_sizes_are_predicted(store: Store) -> None:
    words = ["selector=clip_kmeans", "selector.cluster.n_clusters=2", "finetuner.prior_weight=0"]
    found = predicted(store, *words)
    tune(store, *words[:2])
    for what in ("embedding", "tuned models"):
        size = on_disk(store, STAGES[what], found[what].key)
        assert found[what].size == pytest.approx(size, rel=0.15)


def test_what_runs_share_counts_once() -> None:
    found = distinct(
        [
            Need("prior images", "a", 1e9),
            Need("prior images", "a", 1e9),
            Need("tuned models", "b", 3e9),
            Need("tuned models", "c", 1e9),
        ]
    )
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
    assert dataset.stored_bytes() == 10 * 32 * 32
    assert tgap.compose(
        "dataset=image_folder", *words, "dataset.color=rgb"
    ).dataset.stored_bytes() == (3 * 10 * 32 * 32)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1000)
    assert run_command(["dataset=image_folder", *words]) == 2
    assert "choose a smaller dataset.size" in capsys.readouterr().err
    assert not (store.root / "dataset").exists()


@pytest.mark.parametrize("sources", [("textbook",), ("phantom_xray",)])
def test_what_a_dataset_says_of_its_size_is_what_it_takes(
    tmp_path: Path, sources: tuple[str]
) -> None:
    phantoms: Dataset = PhantomXray(images=60, size=32)
    for number, name in enumerate(["no_finding", "unhealthy"]):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8), 9 + number).save(tmp_path / name / "0.png")
    folder = ImageFolder(path=str(tmp_path), domain="chest X-ray", size=32)
    dataset = phantoms if sources == ("phantom_xray",) else Textbook(tuning=folder, real=phantoms)
    assert dataset.stored_bytes() == dataset.load().images.nbytes


def test_datasets_of_all_runs_are_counted_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [PhantomXray(images=100, size=100), PhantomXray(images=100, size=100, seed=1)]
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1_500_000)
    assert disk.check_room_for_data([some[0], some[0], tgap.compose().dataset], store) == []
    (problem,) = disk.check_room_for_data(some, store)
    assert "'phantom_xray', 'phantom_xray'" in problem
    assert "twice that while broken images are left out" in problem


def test_room_for_a_while_is_asked_for_once() -> None:
    found = [Need("tuned models", key, 1e9, passing=2e9) for key in "ab"]
    assert disk.total_of(found) == 4e9
    assert "for a while 2.00 GB more" in told(found, Path("home"), 0)


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
    cast, seen = weights.cast_weights, {}

    def watched(folder: Path, precision: str) -> None:
        seen.setdefault(folder.parent.parent.name + folder.name, size_of(folder))
        cast(folder, precision)

    monkeypatch.setattr(weights, "cast_weights", watched)
    run = tgap.compose(*CUT, "storage.weights=float16")
    found = predicted(store, "storage.weights=float16")
    before = {n: w.clone() for n, w in run.pretrained.load().denoiser.state_dict().items()}
    tuned = tune(store, "storage.weights=float16")
    need = found["tuned models"]
    peak = max(size for name, size in seen.items() if name.endswith("model"))
    assert peak <= 1.15 * (need.size + need.passing)
    assert size_of(tuned.folder / "model" / "unet") < 0.55 * sum(
        4 * w.numel() for w in before.values()
    )
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


def tune(store: Store, *words: str) -> Artifact:
    run = tgap.compose(*CUT, "finetuner.prior_weight=0", *words)
    its, line = plan(run), _Line(run, store, plan(run))
    for stage in ("prepare", "embed", "select", "finetune"):
        getattr(line, stage)()
    found = store.find(its.tuned)
    assert found is not None
    return found


def test_free_space_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    expected = shutil.disk_usage(tmp_path).free
    assert disk.free_bytes(tmp_path / "a" / "b") == pytest.approx(expected, rel=0.1)


def test_nothing_is_said_of_a_run_whose_data_are_not_read_yet(store: Store) -> None:
    run = tgap.compose(*CUT)
    assert needs(run, plan(run), store) == []
    assert store.find(Spec("dataset", {"dataset": run.dataset.identity()})) is None
