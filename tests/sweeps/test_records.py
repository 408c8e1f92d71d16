"""A run that was recorded, read back with all that it left."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import tgap
from tests.pipeline.conftest import CUT
from tgap.cli.main import command
from tgap.composition.schema import data_of
from tgap.core import ConfigError, StoreError
from tgap.pipeline.result import Result
from tgap.store import Store
from tgap.sweeps.records import ARTIFACTS, record_named, records
from tgap.tracking.run_log import CONFIG

WORDS = [*CUT, "pool_size=200", "train_size=100", "test_size=100", "selector=pixel_kmeans"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    """Where it ran, and what it gave."""
    folder = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder / ".tgap", tgap.run(*WORDS)


def test_a_recorded_run_has_all_that_it_left(ran: tuple[Path, Result]) -> None:
    home, before = ran
    (record,) = records(home)
    assert record.finished
    assert record.row.method.startswith("pixel_kmeans+dreambooth")
    assert data_of(record.run()) == data_of(before.run)
    after = record.result(Store(home / "store"))
    assert after.metrics == before.metrics
    assert vars(after.plan) == vars(before.plan)
    kept = {artifact.folder for artifact in before.artifacts}
    assert {artifact.folder for artifact in after.artifacts} == kept
    assert len(kept) >= 12
    np.testing.assert_array_equal(after.synthetic()[0].images, before.synthetic()[0].images)
    np.testing.assert_array_equal(after.selection().indices, before.selection().indices)


def test_a_run_is_named_by_the_start_of_its_key_or_its_id(ran: tuple[Path, Result]) -> None:
    home, _ = ran
    (record,) = records(home)
    assert record_named(home, record.key[:4]).key == record.key
    assert record_named(home, record.journal.mlflow_id()).key == record.key
    with pytest.raises(ConfigError, match=r"no run has the key or MLflow id .zzzz.*tgap runs"):
        record_named(home, "zzzz")
    with pytest.raises(ConfigError, match="a key needs at least 4 letters, got"):
        record_named(home, record.key[:3])


def test_a_beginning_of_two_keys_names_neither(tmp_path: Path, ran: tuple[Path, Result]) -> None:
    (record,) = records(ran[0])
    for key in ("aaaab", "aaaac"):
        shutil.copytree(record.journal.folder, tmp_path / "journal" / "single" / key)
    with pytest.raises(ConfigError, match="'aaaa' begins the keys of 2 runs: aaaab, aaaac"):
        record_named(tmp_path, "aaaa")


def test_what_was_removed_is_missed_by_those_alone_who_ask(
    tmp_path: Path, ran: tuple[Path, Result]
) -> None:
    home, before = ran
    shutil.copytree(home / "store" / "scores", tmp_path / "scores")
    (record,) = records(home)
    result = record.result(Store(tmp_path))
    assert result.legs().keys() == before.legs().keys()
    with pytest.raises(
        StoreError, match="the run's synthetic set is not in the store: it was removed"
    ):
        result.synthetic()
    with pytest.raises(StoreError, match="the run's dataset is not in the store"):
        result.dataset()
    with pytest.raises(AttributeError, match="leaves no artifact 'nothing'"):
        _ = result.artifacts.nothing


def test_a_record_of_another_version_says_what_to_do(
    tmp_path: Path, ran: tuple[Path, Result]
) -> None:
    shutil.copytree(ran[0] / "journal", tmp_path / "journal")
    (record,) = records(tmp_path)
    file = record.journal.folder / "files" / ARTIFACTS
    file.write_text('{"dataset": {}}')
    with pytest.raises(StoreError, match="recorded by another version of tgap"):
        record.result(Store(tmp_path))
    file.unlink()
    with pytest.raises(StoreError, match=f"has no {ARTIFACTS}.*delete that folder and start"):
        record.result(Store(tmp_path))


def test_unfinished_runs_are_planned_ones(tmp_path: Path, ran: tuple[Path, Result]) -> None:
    shutil.copytree(ran[0] / "journal", tmp_path / "journal")
    (record,) = records(tmp_path)
    file = record.journal.folder / "journal.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    (record,) = records(tmp_path)
    assert not record.finished
    assert not hasattr(record.row, "metrics")


def test_compare_reads_the_same_records(ran: tuple[Path, Result], monkeypatch, capsys) -> None:
    monkeypatch.setenv("TGAP_HOME", str(ran[0]))
    assert command(["compare"]) == 0
    assert "pixel_kmeans" in capsys.readouterr().out


@pytest.mark.parametrize("harm", ["a damaged line", "lost files"])
def test_a_damaged_record_is_named_and_left_out(
    tmp_path: Path, ran: tuple[Path, Result], caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    shutil.copytree(ran[0] / "journal", tmp_path / "journal")
    (record,) = records(tmp_path)
    folder = record.journal.folder
    if harm == "lost files":
        shutil.rmtree(folder / "files")
    else:
        with (folder / "journal.jsonl").open("a") as file:
            file.write("no JSON\n")
    assert records(tmp_path) == []
    assert str(folder) in caplog.text
    assert "start the run again" in caplog.text or "delete that folder" in caplog.text


def test_a_run_of_before_there_was_a_choice_of_drawings_drew_plainly(
    tmp_path: Path, ran: tuple[Path, Result]
) -> None:
    home, before = ran
    shutil.copytree(home / "journal", tmp_path / "journal")
    for name, key in ((CONFIG, "drawing"), (ARTIFACTS, "judge")):
        (file,) = tmp_path.rglob(name)
        data = yaml.safe_load(file.read_text())
        del data[key]
        if name == CONFIG:  # nor among miniatures
            assert data["generator"].pop("packaged") == "tiny_ldm"
        file.write_text(json.dumps(data))
    (record,) = records(tmp_path)
    assert data_of(record.run()) == data_of(before.run)
    assert record.result(Store(home / "store")).metrics == before.metrics
