"""What is known to go wrong is told before anything is read, and asked once for all runs."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

import tgap
from tests.pipeline.conftest import CUT
from tgap.classifiers.small_cnn import SmallCnn
from tgap.core import ConfigError
from tgap.datasets.image_folder import ImageFolder
from tgap.pipeline.preflight.runs import check_components, check_runs
from tgap.store import Store


@dataclass(kw_only=True)
class Counted(SmallCnn):
    """Counts how often it is asked."""

    def check(self) -> list[str]:
        ASKED.append(self)
        return ["the lens is missing"] if self.epochs == 7 else []


ASKED: list[Counted] = []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(8):
            picture = Image.new("L", (8, 8), 20 * number)
            picture.save(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path / "pets"


def test_images_too_small_are_told_before_any_is_read(folder: Path, store: Store) -> None:
    words = [f"dataset.path={folder}", "dataset.domain=pet", "dataset.size=8"]
    run = tgap.compose("dataset=image_folder", *words, "generator=copy_tuning_set")
    with pytest.raises(ConfigError, match="small_cnn needs images of at least 16 x 16, got"):
        check_runs([run], store.root.parent)
    assert not (store.root / "dataset").exists()


def test_equal_components_are_asked_once() -> None:
    ASKED.clear()
    runs = [{"classifier": Counted(epochs=epochs)} for epochs in (7, 7, 8, 7)]
    assert check_components(runs) == ["the lens is missing"]
    assert [classifier.epochs for classifier in ASKED] == [7, 8]


def test_files_are_listed_once_for_all_runs(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = []
    identity = ImageFolder.identity
    monkeypatch.setattr(ImageFolder, "identity", lambda self: listed.append(1) or identity(self))
    words = [f"dataset.path={folder}", "dataset.domain=pet", "dataset.size=32"]
    sizes = "pool_size=6 train_size=4 test_size=4 generator=copy_tuning_set".split()
    runs = [
        tgap.compose("dataset=image_folder", *words, *CUT[:-2], *sizes, f"size={n}", "size=2")
        for n in (1, 2, 3)
    ]
    plans = check_runs(runs, store.root.parent)
    assert len(plans) == 3
    assert len(listed) == 1
