"""profile=xray: what it chooses, what it says is missing, and its path on small stand-ins."""

import json
from pathlib import Path

import numpy as np
import pytest

import tgap
from experiments.xray_rehearsal import WIDTHS, overrides, prepare, rehearse
from tgap.classifiers.chexnet import Chexnet
from tgap.cli.main import command, run_command
from tgap.core import DataError
from tgap.embedders.clip import Clip
from tgap.generators.base import Networks
from tgap.generators.latent.pretrained import LatentGenerator
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.disk import needs
from tgap.pipeline.preflight.extent import Extents
from tgap.pipeline.preflight.work import check_work
from tgap.pipeline.stages import execute
from tgap.store import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("xray")
    prepare(made, 120, 64, WIDTHS["small"])
    return made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_the_profile_chooses(folder: Path) -> None:
    run = tgap.compose("profile=xray", f"dataset.path={folder / 'nih'}")
    titles = [getattr(run, g).stem() for g in ("dataset", "generator", "classifier", "finetuner")]
    assert titles == ["nih_chestxray14", "stable_diffusion", "chexnet", "dreambooth"]
    assert run.dataset.size == 512
    assert run.classifier.image_size == run.storage.image_size == 224
    assert (run.pool_size, run.test_size, run.budget.train_per_label) == (10_000,) * 3
    assert run.prompts.text("tuning", run.dataset.domain, ["no_finding"]) == (
        "an image of healthy chest X-ray"
    )


def test_every_clip_embedder_is_the_profiles(folder: Path) -> None:
    words = ["profile=xray", f"dataset.path={folder / 'nih'}", "selector=clip_spectral"]
    run = tgap.compose(*words)
    for embedder in (run.selector.embedder_used(), run.evaluators["fidelity"].embedder):
        assert isinstance(embedder, Clip)
        assert (embedder.model, embedder.pretrained) == ("ViT-B-32", "openai")
    own = tgap.compose(*words, "selector.embedder.pretrained=laion2b_s34b_b79k")
    assert own.selector.embedder_used().pretrained == "laion2b_s34b_b79k"
    assert own.evaluators["fidelity"].embedder.pretrained == "openai"
    assert tgap.compose("selector=clip_spectral").selector.embedder_used() == Clip()


@pytest.mark.parametrize(
    "words",
    [
        ["selector=pixel_spectral"],
        ["selector=clip_spectral", "selector/embedder=pixels"],
        ["dataset=digits", "generator=tiny_ldm", "prompts=template"],
        ["finetuner=none"],
        ["classifier=small_cnn"],
        ["generator=held_out_real"],
        ["protocol=thesis", "size_unit=label"],
        ["~evaluator@evaluators.fidelity"],
    ],
)
def test_other_components_can_be_chosen(folder: Path, words: list[str]) -> None:
    of_data = [] if "dataset=digits" in words else [f"dataset.path={folder / 'nih'}"]
    run = tgap.compose("profile=xray", *of_data, *words)
    assert run.budget.train_per_label == 10_000
    if "generator=held_out_real" in words:
        assert run.finetuner.stem() == "none"


def test_its_configuration_is_shown_without_data_or_weights(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["profile=xray", "dataset.path=/data/nih", "--cfg", "job"]) == 0
    assert "ViT-B-32" in capsys.readouterr().out


def gone(self: object, *args: object) -> None:
    raise DataError("the ImageNet weights of chexnet cannot be downloaded; set classifier.weights")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights and no GPU, whatever this machine has."""
    import torch

    monkeypatch.setattr(Chexnet, "_published_state", gone)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("HF_HUB_CACHE", "/nonexistent/cache")


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run_command(words) == 2
    text = capsys.readouterr().err
    assert not Path("outputs").exists()
    return [line for line in text.splitlines() if line.startswith("  - ")]


def test_all_that_is_missing_is_said_at_once(
    offline: None, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = told(["profile=xray", "selector=clip_spectral", "dataset.path=/none/nih"], capsys)
    for text, remedy in (
        ("dataset.path must name an existing folder, got '/none/nih'", "/none/nih"),
        ("stable-diffusion-v1-5", "hf download"),
        ("CLIP model 'ViT-B-32' with weights 'openai' cannot be loaded", "clip.pretrained="),
        ("the ImageNet weights of chexnet cannot be downloaded", "classifier.weights"),
    ):
        assert any(text in problem and remedy in problem for problem in problems), text
    assert any("there is no CUDA device here" in problem for problem in problems)
    assert len(problems) == 5


def test_all_that_is_missing_besides_the_data_is_said_at_once(
    folder: Path, offline: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["profile=xray", "selector=clip_spectral", f"dataset.path={folder / 'nih'}"]
    problems = told(words, capsys)
    assert len(problems) == 4
    (problem,) = (line for line in told([*words, "dataset.path="], capsys) if "got ''" in line)
    assert "dataset.path must name the folder" in problem


@pytest.mark.parametrize(
    "words",
    [
        ["generator.path=PIPELINE", "generator.revision=null", "generator.device=cpu"],
        ["generator=held_out_real"],
    ],
)
def test_missing_weights_are_said_before_any_image_is_read(
    folder: Path, home: Path, offline: None, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("PIPELINE", str(folder / "pipeline")) for word in words]
    words = ["profile=xray", f"dataset.path={folder / 'nih'}", "dataset.size=64", *words]
    found = told(words, capsys)
    assert any("the ImageNet weights of chexnet" in problem for problem in found)
    assert any("CLIP model 'ViT-B-32'" in problem for problem in found)
    assert len(found) == 2
    assert not any((home / "store").glob("dataset/*"))


def test_data_are_looked_at_without_a_generator(
    folder: Path, offline: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        f"dataset.path={folder / 'nih'}",
        "dataset.size=64",
        "pool_size=null",
        "train_size=null",
        "test_size=null",
    ]
    assert command(["data", "profile=xray", *words]) == 0
    assert "120 images of 64 x 64, grey" in capsys.readouterr().out


def test_months_on_a_cpu_are_refused_unless_they_are_meant(
    folder: Path, offline: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = Networks({"weight": (859_500_000,)})
    monkeypatch.setattr(LatentGenerator, "networks", lambda generator: sizes)
    words = [
        "profile=xray",
        f"dataset.path={folder / 'nih'}",
        "dataset.size=64",
        f"generator.path={folder / 'pipeline'}",
        "generator.revision=null",
        "generator.image_size=512",
    ]
    problem = next(line for line in told(words, capsys) if "CUDA" in line)
    assert "an estimated 22 days or more to draw 24,000 images of 512 x 512" in problem
    assert "set generator.device=cpu" in problem
    assert not any("CUDA" in line for line in told([*words, "generator.device=cpu"], capsys))
    run = tgap.compose(*words, "budget.train_per_label=200", "budget.test_per_label=100")
    assert check_work(run.generator, run.budget, run.sampler, run.drawing) == []


@pytest.mark.long
def test_the_rehearsal_gets_to_its_end(folder: Path, home: Path) -> None:
    words = overrides(folder, 64, 12, 2, "cpu")
    words = [
        *words,
        "evaluators.baselines.shuffled=false",
        "selector=clip_kmeans",
        "selector.cluster.n_clusters=3",
    ]
    rows = {row["artifact"]: row for row in rehearse(folder, words)}
    for name in ("embedding", "prior", "generator", "synthetic", "synthetic_classifier"):
        assert rows[name]["bytes"] == pytest.approx(rows[name]["predicted"], rel=0.15)
    store = folder / "home" / "store"
    drawn = np.load(next((store / "synthetic").glob("*/images.npy")))
    assert drawn.shape == (36, 32, 32, 1)  # reduced and grey
    prior = np.load(next((store / "prior").glob("*/images.npy")))
    assert prior.shape[1:] == (64, 64, 3)  # as it was drawn
    shape = json.loads(next((store / "dataset").glob("*/manifest.json")).read_text("utf-8"))[
        "files"
    ]["images.npy"]["size"]
    assert shape == 128 + 120 * 64 * 64
    result = execute(plan(tgap.compose(*words)), Store(store))
    evidence = RunEvidence(result)
    for shown in (evidence.real_test(), evidence.held_out(), evidence.tuned_on()):
        assert shown.images.shape[1:] == (32, 32, 1)
    assert result.tuning_set().images.shape[1:] == (64, 64, 3)


SHARED = {"embedding", "prior images", "untuned parts", "real classifiers"}
SIZES = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}


def test_a_run_takes_less_than_three_gigabytes(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "profile=xray",
        f"dataset.path={folder / 'nih'}",
        "dataset.size=64",
        f"generator.path={folder / 'pipeline'}",
        "generator.revision=null",
        "pool_size=null",
        "train_size=null",
        "test_size=null",
        "clip.model=tiny",
        "clip.pretrained=null",
    ]
    its, extents = plan(tgap.compose(*words)), Extents(Store(home / "store"))
    shapes = {name: {"weight": (count,)} for name, count in SIZES.items()}  # of the real one
    networks = Networks(shapes.pop("unet"), shapes)
    monkeypatch.setattr(LatentGenerator, "networks", lambda generator: networks)
    found = {need.what: need.size for need in needs(its, extents)}
    own = sum(size for what, size in found.items() if what not in SHARED)
    assert found["tuned models"] == pytest.approx(1.72e9, rel=0.01)
    assert found["synthetic sets"] == pytest.approx(24_000 * 224 * 224, rel=0.01)
    assert own < 3e9
    whole = plan(tgap.compose(*words, "storage.weights=float32", "storage.image_size=null"))
    assert sum(need.size for need in needs(whole, extents)) > 4e9
