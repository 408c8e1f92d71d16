"""What is said of the disk before a run is what the run then takes."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

import tgap
from tests.pipeline.conftest import CUT, size_of, tune
from tgap.cli.main import run_command
from tgap.datasets.base import Dataset
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.phantom_xray import PhantomXray
from tgap.datasets.textbook import Textbook
from tgap.finetuners.dreambooth import Dreambooth
from tgap.generators.base import Networks
from tgap.pipeline.plan import Identities, plan
from tgap.pipeline.preflight import disk
from tgap.pipeline.preflight.disk import Need, in_words, needs, shared_once
from tgap.pipeline.preflight.extent import Extents
from tgap.pipeline.preflight.runs import check_runs
from tgap.pipeline.stages import execute
from tgap.store import Store


def predicted(store: Store, *words: str) -> dict[str, Need]:
    return {need.what: need for need in needs(plan(tgap.compose(*CUT, *words)), Extents(store))}


def on_disk(store: Store, stage: str, key: str) -> int:
    files = (store.root / stage / key).rglob("*")
    shared = stage == "generator"  # unchanged files are those of "untuned", linked
    return sum(
        path.stat().st_size
        for path in files
        if path.is_file() and not (shared and path.stat().st_nlink > 1)
    )


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
    execute(plan(tgap.compose(*CUT, *words)), store)
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
    found = shared_once(
        [
            Need("prior images", "a", 1e9),
            Need("prior images", "a", 1e9),
            Need("tuned models", "b", 3e9),
            Need("tuned models", "c", 1e9),
        ]
    )
    text = in_words(found, Path("home"), 50_000_000_000)
    assert text == (
        "about 5.0 GB will be needed in home (prior images 1.00 GB, tuned models 2 x 2.00 GB); "
        "50.0 GB are free"
    )


def test_too_little_space_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [plan(tgap.compose())]
    monkeypatch.setattr(disk, "needs", lambda plan, extents: [Need("tuned models", "a", 1.9e9)])
    monkeypatch.setattr(disk, "checkpoint_size", lambda plans, extents: 0)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 2_100_000_000)
    assert disk.check_disk(some, Store(tmp_path), tmp_path) == []
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 2_000_000_000)
    (problem,) = disk.check_disk(some, Store(tmp_path), tmp_path)
    assert "tuned models 1.90 GB" in problem
    assert "set TGAP_HOME" in problem


def test_checkpoints_take_room_for_a_while_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    some = [plan(tgap.compose())]
    monkeypatch.setattr(disk, "needs", lambda plan, extents: [Need("tuned models", "a", 2e9)])
    monkeypatch.setattr(disk, "checkpoint_size", lambda plans, extents: 10.3e9)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 25e9)
    assert disk.check_disk(some, Store(tmp_path), tmp_path) == []
    assert "20.6 GB more for checkpoints of 10.3 GB" in caplog.text
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 24e9)
    (problem,) = disk.check_disk(some, Store(tmp_path), tmp_path)
    assert "checkpoints of 10.3 GB" in problem


def test_each_of_several_runs_at_a_time_keeps_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [plan(tgap.compose(f"seed={seed}")) for seed in range(3)]
    monkeypatch.setattr(disk, "needs", lambda plan, extents: [])
    monkeypatch.setattr(disk, "_unfinished", lambda plan, extents: 0)
    monkeypatch.setattr(disk, "checkpoint_size", lambda plans, extents: 10e9)
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 50e9)
    for at_once, fits in ((1, True), (2, True), (3, False), (8, False)):
        assert (disk.check_disk(some, Store(tmp_path), tmp_path, at_once) == []) is fits
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 67e9)
    assert disk.check_disk(some, Store(tmp_path), tmp_path, 8) == []  # there are three runs


def test_images_that_a_set_is_chosen_from_take_room_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*CUT, "drawing=best_of", "drawing.candidates=50", "~evaluator@evaluators.fidelity")
    extents = Extents(store)
    check_runs([tgap.compose(*CUT)], store.root.parent)
    chosen, plain = plan(tgap.compose(*words)), plan(tgap.compose(*CUT))
    assert disk._unfinished(chosen, extents) == 50 * disk._unfinished(plain, extents) > 0


def test_a_guide_that_is_to_be_tuned_has_checkpoints(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    extents = Extents(store)
    guided = plan(tgap.compose(*CUT, "sampler.guide=early", "sampler.early=.5"))
    whole = disk.checkpoint_size([guided], extents)
    there = {guided.generator.key}
    monkeypatch.setattr(store, "find", lambda spec: spec if spec.key in there else None)
    assert disk.checkpoint_size([guided], extents) == whole > 0
    there.add(guided.guide.key)
    assert disk.checkpoint_size([guided], extents) == 0


def test_of_stable_diffusion_1_5_a_checkpoint_has_10_gigabytes() -> None:
    unet = 859_520_964  # parameters
    networks = Networks(denoiser={"all": (unet,)})
    assert Dreambooth().checkpoint_bytes(networks, 2) == 12 * unet
    assert Dreambooth(ema=0.99).checkpoint_bytes(networks, 2) == 16 * unet


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
    check_runs(runs, store.root.parent)
    assert "will be needed" not in caplog.text
    monkeypatch.setattr(disk, "WORTH_TELLING", 1e6)
    check_runs(runs, store.root.parent)
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
    assert disk.check_room_for_data([some[0], tgap.compose().dataset], Identities(), store) == []
    (problem,) = disk.check_room_for_data(some, Identities(), store)
    assert "'phantom_xray', 'phantom_xray'" in problem
    assert "twice that while broken images are left out" in problem


def test_free_space_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    expected = shutil.disk_usage(tmp_path).free
    assert disk.free_bytes(tmp_path / "a" / "b") == pytest.approx(expected, rel=0.1)
