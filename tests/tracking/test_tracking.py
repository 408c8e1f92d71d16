"""Journal and MLflow, read back through MLflow's own client."""

import json
import math
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.tracking.logged import history, runs, start_process, tracker
from tgap.core import ContractError, StoreError, TgapError
from tgap.core.secrets import masked
from tgap.tracking import Journal, Tracker, resolve_uri, serve_ui, sync, ui_command
from tgap.tracking.pages import page_of
from tgap.tracking.push import connect, moved, on_network_disk
from tgap.tracking.run_log import _check_names

CLOSED = "http://127.0.0.1:9"


def log_everything(log, folder):
    picture = folder / "made.png"
    Image.new("L", (4, 3), 7).save(picture)
    for step in range(300):
        log.metrics({"train/loss": 1 / (1 + step)}, step)
    log.metrics({"fter": math.nan, "ratio": math.inf, **{f"m/{i}": i for i in range(40)}})
    log.picture(picture, "samples.png")
    log.config({"selector": {"size": 5, "text": "ä: {label}"}})
    picture.unlink()  # the journal has its own copy
    log.tags({"kind": "x"})


def assert_everything(home, run):
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "name"
    assert run.info.end_time >= run.info.start_time > 1e12
    assert run.data.params["size"] == "500"
    assert run.data.params["long"] == "x" * 6000
    assert run.data.tags.items() >= {"kind": "x", "given": "y", "tgap.run_key": "key"}.items()
    run_id = run.info.run_id
    assert history(home, run_id, "train/loss") == [(s, 1 / (1 + s)) for s in range(300)]
    assert history(home, run_id, "m/39") == [(0, 39.0)]
    assert [math.isnan(value) for _, value in history(home, run_id, "fter")] == [True]
    assert [value > 1e308 for _, value in history(home, run_id, "ratio")] == [True]
    logged = home / "mlartifacts" / run_id / "artifacts"
    with Image.open(logged / "pictures" / "samples.png") as picture:
        assert picture.size == (4, 3)
    assert [p.name.partition("+")[0] for p in (logged / "images").glob("*.png")] == ["samples"]
    assert "text: 'ä: {label}'" in (logged / "config.yaml").read_text("utf-8")


def everything(home, uri=None):
    params = {"size": 500, "long": "x" * 7000}
    with tracker(home, uri=uri).run("key", "name", params, {"given": "y"}) as log:
        log_everything(log, home)


def test_two_processes_on_a_fresh_home_both_log(raced):
    home, outputs = raced
    client = connect(f"sqlite:///{home}/mlflow.db")
    experiments = [e for e in client.search_experiments() if e.name == "race"]
    assert [e.artifact_location for e in experiments] == [(home / "mlartifacts").as_uri()]
    found = client.search_runs([experiments[0].experiment_id])
    assert sorted(run.info.run_name for run in found) == ["a", "b"]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert all("INFO" not in error for _, error in outputs)  # MLflow and alembic are quiet
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_run_that_is_done_does_not_import_mlflow(raced):
    home, outputs = raced
    assert {out for out, _ in outputs} == {"True\n"}
    process = start_process(home, f"sqlite:///{home}/mlflow.db", "a")
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "False\n"), error


def test_what_is_logged_is_in_mlflow(home):
    everything(home)
    (run,) = runs(home)
    assert_everything(home, run)


def test_the_same_run_again_adds_nothing(home):
    everything(home)
    journal = home / "journal" / "single" / "key" / "journal.jsonl"
    before = journal.read_bytes()
    with tracker(home).run("key", "other", {"size": 7}, {}) as log:
        assert log.done
        log.flush()
        log_everything(log, home)
    assert journal.read_bytes() == before
    (run,) = runs(home)
    assert_everything(home, run)


def test_without_mlflow_a_run_ends_well_and_sync_replays_it(home, caplog):
    everything(home, uri=CLOSED)
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "cannot log to MLflow at http://127.0.0.1:9" in warning
    assert "tgap sync" in warning
    assert runs(home) == []
    with pytest.raises(TgapError, match=r"cannot log run key to MLflow at .*tgap sync"):
        sync(home, CLOSED)
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}
    assert_everything(home, *runs(home))
    assert sum(sync(home, resolve_uri(home)).values()) == 0
    assert_everything(home, *runs(home))


def test_a_database_that_cannot_be_made_stops_no_run(home, caplog):
    (home / "file").touch()
    with tracker(home, uri=f"sqlite:///{home}/file/mlflow.db").run("key", "name", {}, {}):
        pass
    assert "the run goes on" in caplog.text
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}


def test_more_and_longer_values_than_mlflow_takes_at_once(home):
    params, tags = ({f"{kind}{i}": "x" * 9000 for i in range(110)} for kind in "pt")
    with tracker(home).run("key", "name", params, tags) as log:
        log.metrics({f"m{i}": i for i in range(1100)})
    (run,) = runs(home)
    assert run.data.params == dict.fromkeys(params, "x" * 6000)
    assert {name: run.data.tags[name] for name in tags} == dict.fromkeys(tags, "x" * 8000)
    assert run.data.metrics == {f"m{i}": i for i in range(1100)}


def test_a_push_that_was_cut_short_is_repeated_without_double_points(home, monkeypatch):
    from mlflow import MlflowClient

    with monkeypatch.context() as patch:

        def fail(*args, **kwargs):
            raise OSError("disk on fire at //ada:secret@host")

        patch.setattr(MlflowClient, "log_artifact", fail)
        everything(home)  # metrics arrive before artifacts
    (run,) = runs(home)
    assert len(history(home, run.info.run_id, "train/loss")) == 300
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}
    assert_everything(home, *runs(home))


@pytest.mark.parametrize("secret", ["00000000", "FINISHED", "one.json", 'a"b\\c\ndé'])
def test_a_secret_is_masked_in_texts_and_numbers_and_names_stay(tmp_path, monkeypatch, secret):
    """A password may be a number, or hold what JSON writes in another way."""
    monkeypatch.setenv("DB_PASSWORD", secret)
    with tracker(tmp_path, uri=CLOSED).run("key", f"n {secret}", {"p": secret}, {}) as log:
        log.metrics({"x": 1e9, "y": 100000000.5}, 100000000)
        log.tags({"tgap.overrides": f"a={secret}"})
        log.text(json.dumps({"seed": 1000000000, "text": secret}), "one.json")
        log.config({"seed": 1000000000, "text": secret})
    journal = Journal(tmp_path / "journal" / "single" / "key")
    start, numbers, tags, *files, end = journal.events()
    assert (start["name"], start["params"], end["status"]) == ("n ***", {"p": "***"}, "FINISHED")
    with (
        pytest.raises(ValueError, match=re.escape(secret)),
        tracker(tmp_path, uri=CLOSED).run("failed", "n", {}, {}),
    ):
        raise ValueError(secret)
    *_, end = Journal(tmp_path / "journal" / "single" / "failed").events()
    assert (end["status"], end["tags"]["tgap.error"]) == ("FAILED", "ValueError: ***")
    assert (numbers["values"], numbers["step"]) == ({"x": 1e9, "y": 100000000.5}, 100000000)
    assert tags["tags"] == {"tgap.overrides": "a=***"}
    for event, read in zip(files, (json.loads, yaml.safe_load), strict=True):
        text = (journal.folder / event["path"]).read_text("utf-8")
        assert read(text) == {"seed": 1000000000, "text": "***"}


def test_a_run_is_found_by_its_tags_when_its_id_is_lost(home):
    everything(home)
    (home / "journal" / "single" / "key" / "pushed.json").unlink()
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}
    assert_everything(home, *runs(home))


def test_a_run_that_was_deleted_by_hand_before_its_end_is_made_anew(home):
    with tracker(home).run("key", "name", {}, {}) as log:
        (run,) = runs(home)
        connect(resolve_uri(home)).delete_run(run.info.run_id)
        log.metrics({"x": 1.0})
    (other,) = runs(home)
    assert other.info.run_id != run.info.run_id
    assert history(home, other.info.run_id, "x") == [(0, 1.0)]


def interrupt(home, error):
    with tracker(home).run("key", "name", {}, {}) as log:
        log.metrics({"loss": 3.0}, 0)
        log.flush()
        log.metrics({"loss": 2.0}, 1)
        raise error


def interrupted(home, error):
    with pytest.raises(type(error)):
        interrupt(home, error)
    (run,) = runs(home)
    return run


def test_ctrl_c_is_killed_and_the_same_run_goes_on(home):
    first = interrupted(home, KeyboardInterrupt())
    assert first.info.status == "KILLED"
    with tracker(home).run("key", "name", {}, {}) as log:
        assert not log.done
        assert runs(home)[0].info.status == "RUNNING"
        for step, loss in enumerate([3.0, 2.0, 1.0]):
            log.metrics({"loss": loss}, step)
    (run,) = runs(home)
    assert (run.info.run_id, run.info.status) == (first.info.run_id, "FINISHED")
    assert history(home, run.info.run_id, "loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]


def test_an_exception_is_failed_with_its_reason(home):
    run = interrupted(home, ValueError("no such luck"))
    assert run.info.status == "FAILED"
    assert run.data.tags["tgap.error"] == "ValueError: no such luck"
    with tracker(home).run("key", "name", {}, {}):
        pass
    assert runs(home)[0].data.tags["tgap.error"] == ""


def test_a_sweep_is_a_parent_with_children_and_can_be_continued(home):
    def sweep(keys, status):
        tracker(home, "s").open_sweep("my sweep", 2, {"size": "1,2"})
        for key in keys:
            with tracker(home, "s").run(key, key, {}, {}) as log:
                log.metrics({"x": 1.0})
        tracker(home, "s").close_sweep(status, {"done": str(len(keys))}, {"table.md": str(keys)})

    def parent_and_children():
        parents = [r for r in runs(home) if "mlflow.parentRunId" not in r.data.tags]
        (parent,) = parents
        children = [r for r in runs(home) if r is not parent and r.info != parent.info]
        assert {c.data.tags["mlflow.parentRunId"] for c in children} == {parent.info.run_id}
        return parent, sorted(c.info.run_name for c in children)

    sweep(["a"], "KILLED")
    first, children = parent_and_children()
    assert (first.info.status, children) == ("KILLED", ["a"])
    assert first.data.params == {"n_runs": "2", "size": "1,2"}
    for _ in range(2):  # continued, and then repeated
        sweep(["a", "b"], "FINISHED")
        parent, children = parent_and_children()
        assert (parent.info.status, children) == ("FINISHED", ["a", "b"])
        assert parent.info.run_id == first.info.run_id
        assert parent.data.tags["done"] == "2"
    table = home / "mlartifacts" / parent.info.run_id / "artifacts" / "table.md"
    assert table.read_text() == "['a', 'b']"


def test_a_sweep_without_mlflow_gets_its_parent_later(home):
    away = tracker(home, "s", CLOSED)
    away.open_sweep("my sweep", 1, {})
    with away.run("a", "a", {}, {}):
        pass
    # A later run finds MLflow and brings the parent along.
    with tracker(home, "s").run("b", "b", {}, {}):
        pass
    away.close_sweep("FINISHED")
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 1, "curves": 0}
    found = {run.info.run_name: run for run in runs(home)}
    assert set(found) == {"my sweep", "a", "b"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    for name in ("a", "b"):
        parent = found[name].data.tags["mlflow.parentRunId"]
        assert parent == found["my sweep"].info.run_id


def test_a_sweep_is_opened_before_it_is_closed(home):
    with pytest.raises(ContractError, match="sweep s was not opened"):
        tracker(home, "s").close_sweep("FINISHED")
    with pytest.raises(ContractError, match="no sweep_key"):
        tracker(home).open_sweep("x", 1, {})


def test_sync_leaves_a_run_in_progress_alone(home):
    with tracker(home, uri=CLOSED).run("key", "name", {}, {}):
        assert sum(sync(home, resolve_uri(home)).values()) == 0
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}


def test_a_deleted_experiment_is_told_and_does_not_stop_a_run(home, caplog):
    with tracker(home).run("a", "a", {}, {}):
        pass
    client = connect(resolve_uri(home))
    client.delete_experiment(client.get_experiment_by_name("tgap").experiment_id)
    with tracker(home).run("b", "b", {}, {}):
        pass
    assert "experiment 'tgap' was deleted in MLflow; restore it" in caplog.text


def test_a_line_that_a_crash_cut_off_does_not_count(tmp_path):
    journal = Journal(tmp_path / "s" / "r")
    with journal.locked():
        journal.append("metrics", step=0, values={"x": math.inf, "y": math.nan, "z": 1e300})
    path = journal.folder / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "metr')
    assert len(journal.events()) == 1
    with journal.locked():
        journal.append("end", status="FAILED")
    values = journal.events()[0]["values"]
    assert (values["x"], math.isnan(values["y"]), values["z"]) == (math.inf, True, 1e300)
    assert [event["event"] for event in journal.events()] == ["metrics", "end"]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    path.write_bytes(b"rubbish\n" + whole)
    with pytest.raises(StoreError, match=r"line 1 of .*is damaged.*start the run again"):
        journal.events()


def test_a_wrong_name_fails_at_once(tmp_path):
    with (
        pytest.raises(ContractError, match=r"a metric's name must be .*got 'fter@1'"),
        tracker(tmp_path, uri=CLOSED).run("key", "name", {}, {}) as log,
    ):
        log.metrics({"fter@1": 1.0})
    with pytest.raises(ContractError, match=r"a file's name must be .*got '\.\./x'"):
        _check_names("file", ["../x"])


@given(st.text(st.sampled_from("ab1_-.:/ @|ä\n"), max_size=8))
def test_names_are_those_that_mlflow_takes(name):
    from mlflow.exceptions import MlflowException
    from mlflow.utils.validation import _validate_metric_name

    try:
        _validate_metric_name(name)
        taken = bool(name) and "\n" not in name  # MLflow's rule lets a last line feed pass
    except MlflowException:
        taken = False
    try:
        _check_names("metric", [name])
    except ContractError:
        assert not taken
    else:
        assert taken


def test_the_uri_of_the_environment_wins_and_is_absolute(tmp_path, monkeypatch):
    assert resolve_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert resolve_uri(tmp_path) == "http://server:5000"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    assert resolve_uri(tmp_path) == f"sqlite:///{tmp_path}/x.db"


def test_a_password_is_not_written_down(tmp_path, caplog):
    uri = "http://ada:secret@127.0.0.1:9"
    with Tracker(tmp_path, uri, "tgap", None).run("key", "name", {}, {}):
        pass
    assert "cannot log" in caplog.text
    assert "secret" not in caplog.text
    assert masked("postgresql://a:b@c/d") == "postgresql://c/d"


def test_pages_are_served_to_this_machine_only(tmp_path):
    command = ui_command(tmp_path, resolve_uri(tmp_path), 5001)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5001"
    with pytest.raises(TgapError, match="nothing is logged yet"):
        serve_ui(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(TgapError, match="open http://server:5000"):
        serve_ui(tmp_path, "http://ada:secret@server:5000")


def test_a_port_that_is_taken_is_told(tmp_path):
    (tmp_path / "mlflow.db").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TgapError, match=rf"port {port}: .*choose another one with --port"):
            serve_ui(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", port)


def test_network_disks_are_told_from_the_list_of_mounts(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb {tmp_path} nfs4 rw 0 0\nc {tmp_path}/in tmpfs rw 0 0\n")
    assert on_network_disk(tmp_path / "mlflow.db", mounts)
    assert not on_network_disk(tmp_path / "in" / "mlflow.db", mounts)
    assert not on_network_disk(Path("/mlflow.db"), mounts)
    assert not on_network_disk(tmp_path / "mlflow.db", tmp_path / "none")


def test_files_are_found_after_the_folder_was_moved(home, tmp_path_factory):
    with tracker(home, "s").run("key", "name", {}, {}) as log:
        log.text("hello", "greeting.txt")
    there = tmp_path_factory.mktemp("elsewhere") / "home"
    shutil.copytree(home, there)
    shutil.rmtree(home / "mlartifacts")
    with tracker(there, "s").run("other", "other", {}, {}) as log:
        log.text("hello", "greeting.txt")
    for run in runs(there):
        assert run.info.artifact_uri.startswith((there / "mlartifacts").as_uri())
        listed = connect(resolve_uri(there)).list_artifacts(run.info.run_id)
        assert [file.path for file in listed] == ["greeting.txt"]
    moved.cache_clear()
    assert moved(there, resolve_uri(there)) == moved(there, "http://server") == 0


def test_addresses_that_are_not_ours_stay(home):
    client = connect(resolve_uri(home))
    client.create_experiment("theirs", artifact_location="s3://bucket/mlartifacts")
    client.create_experiment("others", artifact_location="file:///data/mlartifacts_of_mine")
    moved(home, resolve_uri(home))
    others = client.get_experiment_by_name("others").artifact_location
    assert others == "file:///data/mlartifacts_of_mine"
    assert client.get_experiment_by_name("theirs").artifact_location == "s3://bucket/mlartifacts"


def test_numbers_are_in_the_journal_alone(home):
    with tracker(home).run("key", "name", {}, {}) as log:
        log.metrics({"shown": 1.0})
        log.numbers({"kept": 2.0, "odd": math.nan})
    (run,) = runs(home)
    assert run.data.metrics == {"shown": 1.0}
    (event,) = (
        event
        for event in Journal(home / "journal" / "single" / "key").events()
        if event["event"] == "numbers"
    )
    assert event["numbers"]["kept"] == 2.0
    assert math.isnan(event["numbers"]["odd"])


def test_the_pages_open_at_the_newest_sweep_or_at_all_runs(home):
    assert page_of(home, resolve_uri(home)) == ""
    with tracker(home).run("key", "name", {}, {}):
        pass
    experiment = connect(resolve_uri(home)).get_experiment_by_name("tgap")
    begin = f"#/experiments/{experiment.experiment_id}/runs?viewStateShareKey=tgap-"
    assert page_of(home, resolve_uri(home)) == f"{begin}single"
    key = "0123456789abcdef"
    tracker(home, key).open_sweep("my sweep", 1, {})
    assert page_of(home, resolve_uri(home)) == f"{begin}0123456789ab"
    assert page_of(home, "http://other") == ""
    tags = connect(resolve_uri(home)).get_experiment(experiment.experiment_id).tags
    for name, title in (("single", "all runs"), ("0123456789ab", "my sweep")):
        assert json.loads(tags[f"mlflow.sharedViewState.tgap-{name}"])["name"] == title


def test_pages_for_others_are_served_where_it_is_asked_and_said_to_be_open(home, monkeypatch):
    tmp_path = home
    called, said = [], []
    monkeypatch.setattr("os.execve", lambda *words: called.append(words))
    monkeypatch.setattr("os.chdir", lambda folder: None)
    monkeypatch.setattr("signal.signal", lambda *words: None)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve_ui(tmp_path, uri, port, "0.0.0.0", tell=said.append)
    assert f"http://127.0.0.1:{port}/" in said[0]
    assert "no password" in said[1]
    assert called[0][1][called[0][1].index("--host") + 1] == "0.0.0.0"


def test_sync_says_truly_what_was_missing(home, tmp_path_factory):
    nothing = {"runs": 0, "sweeps": 0, "curves": 0}
    log = tracker(home, "s")
    log.open_sweep("my sweep", 2, {})
    for key in ("a", "b"):
        with log.run(key, key, {}, {}):
            pass
    log.curve("c", "by size: c", {}, {1: {"by_size/fter": 0.5}, 2: {"by_size/fter": 0.6}})
    log.close_sweep("FINISHED")
    assert sync(home, resolve_uri(home)) == nothing
    there = tmp_path_factory.mktemp("elsewhere") / "home"
    shutil.copytree(home, there)
    assert sync(there, resolve_uri(there)) == nothing
    assert len(runs(there)) == 4
    for file in home.glob("mlflow.db*"):
        file.unlink()
    with pytest.raises(TgapError, match=r"nothing is logged yet.*\(tgap sync\)"):
        serve_ui(home, resolve_uri(home))
    # In a process of its own: MLflow keeps a database open, though its file was removed.
    words = "from tgap.cli.main import command; command(['sync']); command(['sync'])"
    told = subprocess.run(
        [sys.executable, "-c", words],
        env={**os.environ, "TGAP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told == [
        "brought up to date in MLflow: 2 runs, 1 sweep, 1 curve",
        "MLflow has everything already",
    ]
