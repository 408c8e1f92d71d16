"""The thesis's data through the whole line, on phantoms in NIH's layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.generators.test_stable_diffusion import write_pipeline
from tgap.cli.main import command, run_command
from tgap.core import ImageSet
from tgap.datasets.phantoms.writing import write_nih

TINY = (
    "dataset=nih_chestxray14 dataset.size=32 sampler.steps=2 budget.steps=2 budget.batch_size=4 "
    "budget.train_per_label=24 budget.test_per_label=12 size=12 tracking.report=false"
).split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("nih") / "phantoms"
    write_nih(made, 400, 32)
    return made


def test_described_and_run(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["data", *TINY, f"dataset.path={folder}"]) == 0
    text = capsys.readouterr().out
    assert "400 images of 32 x 32, grey" in text
    assert "finding Infiltration" in text
    assert "view AP" in text
    assert "no patient and no image stands on two sides" in text
    assert "digest: " in text
    assert run_command([*TINY, f"dataset.path={folder}", "selector=subclass"]) == 0
    assert "subclass+dreambooth" in capsys.readouterr().out


def test_files_left_out_are_counted(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import shutil

    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    images = sorted(copy.glob("images_*/images/*.png"))
    images[5].unlink()
    images[6].write_bytes(images[6].read_bytes()[:99])
    Image.new("L", (32, 32), 7).save(images[7])
    words = ["data", *TINY, f"dataset.path={copy}"]
    assert command(words) == 2
    assert images[5].name in capsys.readouterr().err
    assert command([*words, "dataset.bad_files=exclude"]) == 0
    text = capsys.readouterr().out
    assert "397 images" in text
    for kind in ("there is no such file", "truncated", "near-empty"):
        assert kind in text


def test_tgap_phantom_writes_what_the_dataset_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["phantom", "--images", "60", "--size", "32", "--out", "made"]) == 0
    assert "60 phantoms in made" in capsys.readouterr().out
    assert len(list(Path("made").glob("images_*/images/*.png"))) == 60
    assert command(["phantom", "--images", "60", "--size", "32", "--out", "made"]) == 2


def test_grey_images_are_repeated_for_a_generator_of_colour() -> None:
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    data = ImageSet(
        grey, np.eye(2, dtype=bool), ("a", "b"), np.zeros((2, 0), bool), (), np.arange(2)
    )
    colour = data.with_channels(3)
    assert colour.images.shape == (2, 4, 4, 3)
    assert np.shares_memory(colour.images, grey)
    assert (colour.take(np.array([1])).images == np.repeat(grey[1:], 3, axis=3)).all()
    assert data.with_channels(1) is data


@pytest.mark.long
def test_a_generator_of_colour_is_tuned_on_grey_x_rays(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_pipeline(tmp_path / "colour", channels=3)
    monkeypatch.chdir(tmp_path)
    words = [word for word in TINY if not word.startswith("dataset.size")]
    words += [f"dataset.path={folder}", "dataset.size=16", f"generator.path={tmp_path}/colour"]
    words += ["selector=clip_kmeans", "selector.cluster.n_clusters=3"]
    assert (
        run_command(
            [
                *words,
                "dataset.domain=x",
                "prompts.tuning='{label}'",
                "prompts.generation='{label}'",
                "prompts.prior=x",
            ]
        )
        == 0
    )
    drawn = np.load(next((tmp_path / ".tgap" / "store" / "synthetic").glob("*/images.npy")))
    assert drawn.shape[1:] == (16, 16, 1)  # kept grey, as the X-rays are
    stored = np.load(next((tmp_path / ".tgap" / "store" / "dataset").glob("*/images.npy")))
    assert stored.shape[1:] == (16, 16, 1)
    # A grey generator on the same data shares all that is of real images.
    write_pipeline(tmp_path / "grey", channels=1)
    words = [word.replace("/colour", "/grey") for word in words]
    prompts = ["prompts.tuning='{label}'", "prompts.generation='{label}'", "prompts.prior=x"]
    assert run_command([*words, "dataset.domain=x", *prompts]) == 0
    store = tmp_path / ".tgap" / "store"
    for stage, count in (("dataset", 1), ("embedding", 1), ("classifier", 3), ("synthetic", 2)):
        assert len(list((store / stage).glob("*/manifest.json"))) == count
