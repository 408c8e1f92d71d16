"""``tgap export`` and ``tgap runs``: a run is named by its key, its id, or its words."""

import json
import shutil
from pathlib import Path

import pytest

import tgap
from tests.pipeline.conftest import CUT
from tgap.cli.main import command
from tgap.core import ConfigError
from tgap.pipeline.result import Result
from tgap.sweeps.finding import result_of
from tgap.sweeps.records import Record, records

WORDS = [*CUT, "pool_size=200", "train_size=100", "test_size=100", "selector=whole"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Where it ran, and what it gave."""
    folder = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TGAP_HOME", str(folder / "home"))
        return folder / "home", tgap.run(*WORDS)


@pytest.fixture
def record(ran: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setenv("TGAP_HOME", str(ran[0]))
    (record,) = records(ran[0])
    return record


def test_a_run_is_named_by_its_key_its_id_or_its_words(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [[record.key[:8]], [record.journal.mlflow_id()], WORDS]
    for number, name in enumerate(names):
        out = tmp_path / f"out{number}"
        assert command(["export", *name, "--out", str(out), "--what", "classifier,synthetic"]) == 0
        assert sorted(path.name for path in out.iterdir()) == ["classifier", "synthetic"]
        assert f"written: out{number}/synthetic (see README.md in it)" in capsys.readouterr().out
        assert "tgap run sampler.steps=1" in (out / "synthetic" / "README.md").read_text("utf-8")


def test_some_words_name_the_one_run_that_has_them(
    ran: tuple[Path, Result], record: Record
) -> None:
    home, before = ran
    for words in (["selector=whole"], ["seed=0", "pool_size=200"], list(reversed(WORDS))):
        assert result_of(home, words).plan.result_key == before.plan.result_key
    later = home / "journal" / "single" / "feedfeedfeedfeed"
    shutil.copytree(record.journal.folder, later)
    try:  # two have them: these are the words of a command, whose run is not there
        with pytest.raises(
            ConfigError, match="2 of them fit these overrides, name one by its key, "
        ):
            result_of(home, ["selector=whole"])
        assert result_of(home, WORDS).plan.result_key == before.plan.result_key
    finally:
        shutil.rmtree(later)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a02"], "a key needs at least 4 letters, got 'a02'"),
        (["zzzz"], "no run has the key or MLflow id 'zzzz'"),
        (["zzzz", "size=3"], "a run is named by its key alone, or by the overrides of its command"),
        (["size=3"], "nothing is computed here: do it first (tgap run size=3)"),
        (["sizze=3"], "unknown key 'sizze'; did you mean 'size'?"),
        (["dataset=image_folder", "dataset.path=gone"], "path must name an existing folder"),
        ([], "Missing argument 'RUN'"),
    ],
)
def test_what_names_no_run_says_how_to_find_one(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert command(["export", *words, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def unfinished(ran: tuple[Path, Result], record: Record, home: Path) -> None:
    """Copy the journal without its last event."""
    shutil.copytree(ran[0] / "journal", home / "journal")
    file = home / record.journal.folder.relative_to(ran[0]) / "journal.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def test_an_unfinished_run_is_to_be_started_again(
    ran: tuple[Path, Result],
    record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unfinished(ran, record, tmp_path / "home2")
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home2"))
    assert command(["export", record.key[:8], "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "was not finished: start it again" in told
    assert "(tgap run sampler.steps=1 " in told
    assert command(["runs"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("  not ended")


def test_runs_are_listed_newest_first_by_their_parameters(
    ran: tuple[Path, Result], record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    home, result = ran
    later = home / "journal" / "single" / "feedfeedfeedfeed"
    shutil.copytree(record.journal.folder, later)
    file = later / "journal.jsonl"
    head, *rest = map(json.loads, file.read_text().splitlines())
    head["time"] += 86_400_000
    head["params"]["seed"] = "7"
    file.write_text("".join(json.dumps(event) + "\n" for event in [head, *rest]))
    try:
        assert command(["runs"]) == 0
        heading, first, second = capsys.readouterr().out.splitlines()
        assert heading.split() == "run method size seed TSTR FTER begun status".split()
        assert first.replace("(prior_count=40)", "").split()[:4] == [
            "feedfeed",
            "whole+dreambooth",
            "-",
            "7",
        ]
        cells = second.replace("(prior_count=40)", "").split()
        assert cells[:2] == [record.key[:8], "whole+dreambooth"]
        assert cells[4] == f"{result.metrics['tstr/auroc']:.3f}".removeprefix("0")
        assert cells[-1] == "finished"
        assert command(["runs", "seed=0,1"]) == 2
        assert "no run has seed=1" in capsys.readouterr().err
        assert command(["runs", "seed=0"]) == 0
        assert "feedfeed" not in capsys.readouterr().out
        assert command(["runs", "--last", "1"]) == 0
        assert "and 1 older ones: --last 0 shows all" in capsys.readouterr().out
    finally:
        shutil.rmtree(later)


def test_without_a_run_nothing_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["runs"]) == 2
    assert "no run was recorded; name another folder by TGAP_HOME" in capsys.readouterr().err
    assert command(["runs", "size"]) == 2
    assert "'size' must be name=value, e.g. size=500" in capsys.readouterr().err


def test_an_exported_set_is_evaluated_by_its_folder(record: Record, tmp_path: Path) -> None:
    from tgap.cli.evaluate import evaluation_overrides

    assert command(["export", record.key, "--out", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "synthetic"
    words = evaluation_overrides(folder, folder, None, 32, "grey", [])
    synthetic = tgap.compose(*words).generator.ready_made()["images"]
    assert (synthetic.table, synthetic.labels) == ("metadata.csv", ["even", "odd"])
    assert len(synthetic.listed()) == 180
    assert "generator.images.labelled=true" in words
