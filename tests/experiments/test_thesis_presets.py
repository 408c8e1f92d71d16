"""The thesis's experiments: each command of their pages composes, and their tables are current."""

import re
import shlex
from pathlib import Path

import pytest

from experiments.thesis.table import thesis_table
from tgap.analysis.published import TITLES
from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.config import Run
from tgap.composition.sweeps import expand
from tgap.core import ConfigError

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
FOLDERS = sorted(path.parent.name for path in EXPERIMENTS.glob("thesis/*/sweep.yaml"))
COMMAND = "python -m tgap.run --config-dir experiments "
PAGES = [*(f"{folder}/README.md" for folder in FOLDERS), "README.md"]


def commands(page: str) -> list[list[str]]:
    """Overrides of each command that runs something, without the flag of a sweep."""
    lines = (EXPERIMENTS / "thesis" / page).read_text("utf-8").splitlines()
    found = [shlex.split(line[len(COMMAND) :]) for line in lines if line.startswith(COMMAND)]
    assert all(words[-1] == "-m" for words in found)
    return [words[:-1] for words in found]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """The reader's folders, and those that stand for them here."""
    (tmp_path / "nih").mkdir()
    (tmp_path / "nih" / "Data_Entry_2017_v2020.csv").write_text("")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "labels.csv").write_text("file,label\n")
    return {"/data/nih": str(tmp_path / "nih"), "book_labelled/images": str(tmp_path / "book")}


def composed(words: list[str], folders: dict[str, str]) -> list[Run]:
    """First and last run of a sweep, built and not computed."""
    for named, here in folders.items():
        words = [word.replace(named, here) for word in words]
    with hydra_ready(str(EXPERIMENTS)) as hydra:
        jobs = expand(hydra, words)
        return [compose_run(hydra, job) for job in {tuple(jobs[0]), tuple(jobs[-1])}]


def test_there_are_six() -> None:
    assert [name[:3] for name in FOLDERS] == [f"0{number}_" for number in range(1, 7)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_composes(page: str, folders: dict[str, str]) -> None:
    worlds = set()
    for words in commands(page):
        for run in composed(words, folders):
            is_xray = "profile=xray" in words
            assert run.tracking.experiment == "thesis"
            assert is_xray == (run.budget.train_per_label == 10_000)
            assert is_xray or run.protocol.title() in ("clean", "thesis")
            assert is_xray or "fidelity" in run.evaluators
            worlds.add(run.datasets()[0].title() if not is_xray else "xray")
    assert "digits" in worlds
    assert worlds & {"phantom_xray", "textbook"}
    assert "xray" in worlds or page == "README.md"


@pytest.mark.parametrize(
    ("folder", "method"),
    [
        ("01_initial", "random+dreambooth"),
        ("02_naive", "random+dreambooth"),
        ("03_pixel_clusters", "pixel_spectral+dreambooth"),
        ("04_clip_clusters", "clip_spectral+dreambooth"),
        ("06_active", "clip_spectral+active_dreambooth"),
    ],
)
@pytest.mark.parametrize("world", ["digits", "phantoms"])
def test_a_preset_chooses_the_thesis_s_method(folder: str, method: str, world: str) -> None:
    (run,) = composed([f"+thesis={folder}/sweep", f"+thesis/world={world}"], {})
    assert (run.method, run.protocol.title()) == (method, "thesis")
    assert "occlusion" not in run.evaluators


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_page_has_the_thesis_s_rows(folder: str) -> None:
    text = (EXPERIMENTS / "thesis" / folder / "README.md").read_text("utf-8")
    table = "".join(line + "\n" for line in text.splitlines() if line.startswith("| "))
    methods = [name for name, title in TITLES.items() if f"\n| {title} | " in text]
    rows = [line for line in thesis_table(methods).splitlines() if line.startswith("| ")]
    assert methods
    assert table.startswith("".join(row + "\n" for row in rows))


def test_an_unknown_method_has_no_table() -> None:
    with pytest.raises(ConfigError, match=re.escape("unknown method 'rndom'; did you mean")):
        thesis_table(["rndom"])
