"""Commands of the README and ``docs/`` that take a moment are run, on a small run of our own.

The others are composed only (``test_commands_in_docs.py``); ``NOT_RUN`` says why.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tgap
from tests.pipeline.conftest import CUT
from tests.test_commands_in_docs import COMMANDS, Command
from tgap.cli.main import command
from tgap.sweeps.records import records

NOT_RUN = {
    ("tgap", "run"): "trains for minutes; composed and built, and run by tests/test_end_to_end.py",
    ("tgap", "plan"): "checks the reader's sweeps; run by tests/sweeps/test_forecast.py",
    ("tgap", "evaluate"): "scores the reader's images; run by tests/cli/test_evaluate.py",
    ("tgap", "predict"): "needs runs of several sizes; run by tests/cli/test_predict.py",
    ("tgap", "rank"): "orders runs with one evaluator more; run by tests/cli/test_rank.py",
    ("tgap", "data"): "looks at the reader's images; run by tests/cli/test_data.py",
    ("tgap", "label"): "labels the reader's images; run by tests/labelling",
    ("tgap", "phantom"): "draws thousands of images; run by tests/datasets",
    ("tgap", "ui"): "starts a server that does not end; run by tests/tracking",
    ("python", "-m"): "runs and experiments, minutes to hours; composed, or their module is found",
    ("make", "demo"): "installs into a new environment, and runs for minutes",
    ("make", "test"): "is what runs this",
    ("make", "docs"): "run by tests/test_documentation.py",
    ("make", "bench"): "takes minutes, and needs an idle machine",
    ("make", "install"): "installs into a new environment",
}
"""Commands by their first two words, and why they are not run here."""
OURS = {
    "size=500": "size=4",
    "size=100": "size=4",
    "size=100,500": "size=4",
    "dataset=image_folder": "dataset=digits",
    "selector=random,clip_kmeans": "selector=random",
}
"""What pages choose runs by, and the small run's own."""
KEYS = ("KEY", "RUN", "41ce", "a1b2")
"""Words for a run."""
KEPT = ("133f", "fdc5")
"""Keys of two artifacts of a stage."""


def is_run(one: Command) -> bool:
    return not one.partial and one.call[:2] not in NOT_RUN


RUN = list(dict.fromkeys(one.call[1:] for one in COMMANDS if is_run(one)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One finished run, and the folder that it was started in."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TGAP_HOME", str(folder / ".tgap"))
        sides = ["pool_size=200", "train_size=100", "test_size=100"]
        tgap.run(*CUT, *sides, "~evaluators.occlusion", "~evaluators.fidelity")
        yield folder / ".tgap"


def ours(words: tuple[str, ...], home: Path) -> list[str]:
    """A page's command about the small run, into a folder of its own."""
    (record,) = records(home)
    row = record.row
    assert row is not None
    folder = f"out{RUN.index(words)}"
    behind = {"--reference": row.method, "--out": folder}
    kept = sorted(path.parent.name for path in home.glob("store/classifier/*/manifest.json"))
    own = OURS | dict.fromkeys(KEYS, record.key[:8]) | dict(zip(KEPT, kept, strict=True))
    found = [own.get(word, word) for word in words]
    return [behind.get(flag, word) for flag, word in zip(["", *found], found, strict=False)]


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_it_runs(
    words: tuple[str, ...], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[:2] == ("store", "remove"):  # from a copy, and the reader says yes
        monkeypatch.setenv("TGAP_HOME", str(shutil.copytree(home, tmp_path / "copy")))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.confirm", lambda question: True)
    assert command(ours(words, home)) == 0
    if words[:2] == ("store", "remove") and "--run" in words:
        assert not list((tmp_path / "copy" / "store" / words[-1]).glob("*/manifest.json"))
        assert list((home / "store" / words[-1]).glob("*/manifest.json"))


def test_many_are_run_and_each_other_has_a_reason() -> None:
    assert len(RUN) >= 18
    assert {words[0] for words in RUN} >= {"compare", "report", "export", "runs", "list"}
    kinds = {one.call[:2] for one in COMMANDS}
    assert kinds >= NOT_RUN.keys()  # no reason is left of a command that is gone
