"""Journals, databases and files that go wrong in the middle of a run cost no result."""

import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, nullcontext
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import filelock
import pytest
import sqlalchemy

from tests.tracking.logged import history, runs, tracker
from tgap.core import StoreError, TgapError
from tgap.core.progress import LogFile
from tgap.tracking import Journal, push, resolve_uri, sync
from tgap.tracking.push import connect
from tgap.tracking.server import LIMITS, with_limits

SYNC = "import sys; from tgap.cli.main import command; sys.exit(command(['sync']))"


def log_first(log) -> None:
    log.text("one", "one.txt")
    log.metrics({"loss": 3.0}, 0)
    log.flush()


def log_second(log) -> None:
    log.metrics({"loss": 2.0}, 1)
    log.text("two", "two.txt")


def require_all(home, uri=None) -> None:
    (run,) = runs(home)
    assert run.info.status == "FINISHED"
    assert history(home, run.info.run_id, "loss") == [(0, 3.0), (1, 2.0)]
    files = home / "mlartifacts" / run.info.run_id / "artifacts"
    assert [(files / name).read_text() for name in ("one.txt", "two.txt")] == ["one", "two"]


@pytest.mark.parametrize("harm", ["removed", "garbled", "cut"])
def test_a_journal_that_is_harmed_in_mid_run_is_written_again(home, caplog, harm) -> None:
    with tracker(home).run("key", "name", {}, {}) as log:
        log_first(log)
        path = home / "journal" / "single" / "key" / "journal.jsonl"
        content = path.read_bytes()
        if harm == "removed":
            shutil.rmtree(path.parent)
        elif harm == "garbled":
            path.write_bytes(content[:40] + os.urandom(30) + content[70:])
        else:
            path.write_bytes(content[: len(content) // 2])
        log_second(log)
    (told,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "was removed or changed while its run went on: it is written again" in told
    require_all(home)
    assert (path.parent / "files" / "one.txt").read_text() == "one"
    assert [e["event"] for e in Journal(path.parent).events()][-1] == "end"


def test_a_damaged_journal_is_mended_by_the_next_attempt(home, caplog) -> None:
    with tracker(home).run("key", "name", {}, {}) as log:
        log_first(log)
    path = home / "journal" / "single" / "key" / "journal.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines, b"rubbish", b'{"event": 3}', b"[]", b""]))
    with tracker(home).run("key", "name", {}, {}) as log:
        log_first(log)
        log_second(log)
    assert "is damaged: it is kept as journal.damaged-" in caplog.text
    require_all(home)


def test_sync_tells_of_a_damaged_journal_and_logs_the_others(home) -> None:
    for key in ("a", "b"):
        with tracker(home, uri="http://127.0.0.1:9").run(key, key, {}, {}) as log:
            log.metrics({"x": 1.0})
    path = home / "journal" / "single" / "a" / "journal.jsonl"
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    with pytest.raises(StoreError, match=r"line 1 of .* is damaged.*all other records are in ML"):
        sync(home, resolve_uri(home))
    assert [run.info.run_name for run in runs(home)] == ["b"]


def test_sync_puts_removed_files_back_on_either_side(home) -> None:
    with tracker(home).run("key", "name", {}, {}) as log:
        log_first(log)
        log_second(log)
    (run,) = runs(home)
    here = home / "journal" / "single" / "key" / "files" / "one.txt"
    there = home / "mlartifacts" / run.info.run_id / "artifacts" / "two.txt"
    here.unlink()
    there.unlink()
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}
    assert (here.read_text(), there.read_text()) == ("one", "two")
    assert sync(home, resolve_uri(home)) == {"runs": 0, "sweeps": 0, "curves": 0}


def test_a_run_is_recorded_once_and_belongs_to_all_its_sweeps(home) -> None:
    def sweep(key: str, keys: str) -> None:
        tracker(home, key).open_sweep(key, len(keys), {})
        for name in keys:
            with tracker(home, key).run(name, name, {}, {}) as log:
                log.metrics({"x": 1.0})
        tracker(home, key).close_sweep("FINISHED")

    def found(key: str) -> list[str]:
        client = connect(resolve_uri(home))
        ids = [one.experiment_id for one in client.search_experiments()]
        text = f"tags.`tgap.sweeps` LIKE '%{key}%'"
        return sorted(run.info.run_name for run in client.search_runs(ids, text))

    with tracker(home).run("single", "single", {}, {}):
        pass
    sweep("small", "ab")
    sweep("grown", "abc")
    for _ in range(2):
        assert sorted(run.info.run_name for run in runs(home)) == [
            *"abc", "grown", "single", "small",
        ]  # fmt: skip
        (a,) = [run for run in runs(home) if run.info.run_name == "a"]
        assert history(home, a.info.run_id, "x") == [(0, 1.0)]
        assert (found("small"), found("grown")) == (["a", "b"], ["a", "b", "c"])
        sweep("grown", "abc")
    with tracker(home, "grown").run("single", "single", {}, {}) as log:
        assert log.done
    assert found("grown") == ["a", "b", "c", "single"]


def test_a_log_file_that_cannot_be_written_is_told_once_in_a_line(tmp_path, capsys) -> None:
    handler = LogFile("/dev/full")
    for _ in range(2):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "text", (), None))
    err = capsys.readouterr().err
    os.dup2(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT), handler.stream.fileno())
    handler.close()
    assert err.count("\n") == 1
    assert "cannot write the log file /dev/full: No space left on device" in err


@pytest.fixture
def full(home, monkeypatch) -> threading.Event:
    """While it is set, nothing can be written below the journals."""
    event, open_file = threading.Event(), Path.open

    def opened(path: Path, mode: str = "r", *args, **how):
        if event.is_set() and mode[0] in "wa" and path.is_relative_to(home / "journal"):
            raise OSError(28, "No space left on device")
        return open_file(path, mode, *args, **how)

    monkeypatch.setattr(Path, "open", opened)
    return event


@pytest.mark.parametrize("in_time", [True, False])
def test_a_record_on_a_full_disk_is_written_when_there_is_room(
    home, full, in_time, caplog, monkeypatch
) -> None:
    monkeypatch.setattr("tgap.tracking.journal.AGAIN", 0.0)
    told = "could not be written to its end; make room and start the run again"
    with (
        nullcontext() if in_time else pytest.raises(StoreError, match=told),
        tracker(home).run("key", "name", {}, {}) as log,
    ):
        log_first(log)
        full.set()
        log_second(log)
        log.flush()
        if in_time:
            full.clear()
    first, *others = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "cannot write the journal in" in first or "cannot write two.txt in" in first
    assert "No space left on device; free some space" in first
    assert "the run goes on, and this is tried again" in first
    assert all("the run goes on: log it later with `tgap sync`" in other for other in others)
    full.clear()
    if not in_time:
        with tracker(home).run("key", "name", {}, {}) as log:
            log_first(log)
            log_second(log)
    require_all(home)
    assert not list((home / "journal" / "single" / "key").glob("*.tmp"))


def test_a_record_that_cannot_be_begun_is_told_before_the_work(home, full) -> None:
    full.set()
    with (
        pytest.raises(StoreError, match=r"cannot write the journal.*No space left on device"),
        tracker(home).run("key", "name", {}, {}),
    ):
        pytest.fail("the work was begun")


def test_another_process_that_holds_mlflows_lock_holds_up_no_run(home, caplog, monkeypatch) -> None:
    """However long; and ``tgap sync`` does not take it for a run in progress."""
    monkeypatch.setattr("tgap.tracking.push.LOCKED_SECONDS", 0.2)
    path = home / "mlflow.db.lock"
    with filelock.FileLock(path):
        with tracker(home).run("key", "name", {}, {}) as log:
            log_first(log)
            log_second(log)
        (told,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert f"another process has held {path} for 0.2 s" in told
        assert "the run goes on" in told
        with pytest.raises(TgapError, match=r"has held .*run `tgap sync` when it has ended"):
            sync(home, resolve_uri(home))
    assert sync(home, resolve_uri(home)) == {"runs": 1, "sweeps": 0, "curves": 0}
    require_all(home)


def test_a_lock_of_mlflow_that_may_not_be_written_stops_no_run(home, caplog, monkeypatch) -> None:
    acquire = filelock.FileLock.acquire

    def refuse(self, *args, **how):
        if self.lock_file.endswith("mlflow.db.lock"):
            raise PermissionError(13, "Permission denied")
        return acquire(self, *args, **how)

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with tracker(home).run("key", "name", {}, {}) as log:
        log_first(log)
    assert "cannot write the lock of MLflow's database" in caplog.text


@pytest.mark.parametrize(
    ("uri", "query"),
    [
        ("postgresql://a:b@h/d", LIMITS),
        ("postgresql+psycopg://a:b@h/d", LIMITS),
        ("postgresql://h/d?connect_timeout=90&sslmode=require", LIMITS | {"connect_timeout": 90}),
        ("postgresql+pg8000://h/d", {}),
        ("mysql://h/d", {}),
        ("http://h:5000", {}),
    ],
)
def test_a_database_behind_a_dead_network_is_given_up(uri, query, monkeypatch) -> None:
    given = parse_qs(urlsplit(with_limits(uri, {})).query)
    assert {name: int(given[name][0]) for name in query} == query
    assert set(given) - set(query) <= {"sslmode"}
    assert "connect_timeout=10" not in with_limits(uri, {"PGCONNECT_TIMEOUT": "5"})
    asked = {}
    monkeypatch.setattr(push, "loaded", lambda: asked.update)
    monkeypatch.setenv("PGOPTIONS", "")
    connect.__wrapped__(uri)
    assert asked["tracking_uri"] == asked["registry_uri"] == with_limits(uri, {})


def test_a_postgresql_server_that_says_nothing_is_left_after_seconds(monkeypatch) -> None:
    psycopg = pytest.importorskip("psycopg", reason="pip install 'tgap[postgres]'")
    monkeypatch.setitem(LIMITS, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://tgap@127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            psycopg.connect(with_limits(uri, {}))


DIE = """
import os, signal, sys
from pathlib import Path
from tgap.tracking import Tracker, resolve_uri
home = Path(sys.argv[1])
with Tracker(home, resolve_uri(home), "tgap", None).run("key", "name", {}, {}) as log:
    log.metrics({"loss": 3.0}, 0)
    log.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_running_is_closed_and_goes_on_as_the_same_run(home) -> None:
    command = [sys.executable, "-c", DIE, str(home)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (ghost,) = runs(home)
    assert ghost.info.status == "RUNNING"
    tracker(home).close_ghosts()
    (run,) = runs(home)
    assert run.info.status == "KILLED"
    assert run.data.tags["tgap.error"] == "its process died before it could write down how it ended"
    with tracker(home).run("key", "name", {}, {}) as log:
        tracker(home).close_ghosts()  # this one is no ghost
        assert runs(home)[0].info.status == "RUNNING"
        log_first(log)
        log_second(log)
    assert runs(home)[0].info.run_id == ghost.info.run_id
    require_all(home)


@pytest.mark.long
@pytest.mark.parametrize("trouble", ["locked", "gone", "full", "read-only"])
def test_a_database_in_trouble_stops_no_run_and_sync_replays_it(
    home, trouble, caplog, capfd, monkeypatch
) -> None:
    database, begun, ended = home / "mlflow.db", threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            begun.set()
            ended.wait()

    def read_only(connection, *_) -> None:
        connection.execute("PRAGMA query_only = ON")

    with tracker(home).run("key", "name", {}, {}) as log:
        log_first(log)
        if trouble == "locked":
            threading.Thread(target=hold).start()
            assert begun.wait(60)
        elif trouble == "gone":
            for file in home.glob("mlflow.db*"):
                file.unlink()
        elif trouble == "read-only":  # as of another user's file; root may write to any
            sqlalchemy.event.listen(sqlalchemy.pool.Pool, "checkout", read_only)
        else:
            with closing(sqlite3.connect(database)) as connection:
                pages = connection.execute("PRAGMA page_count").fetchone()[0]
            monkeypatch.setattr(
                "mlflow.MlflowClient.log_batch",
                lambda *_, **__: (_ for _ in ()).throw(OSError(28, f"full after {pages} pages")),
            )
        log_second(log)
        log.flush()
        log.metrics({"y": 1.0})
        log.flush()
    ended.set()
    monkeypatch.undo()
    if trouble == "read-only":
        sqlalchemy.event.remove(sqlalchemy.pool.Pool, "checkout", read_only)
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "the run goes on" in told[0]
    assert trouble != "read-only" or "attempt to write a readonly database" in told[0]
    assert "\n" not in told[0]
    assert "Traceback" not in capfd.readouterr().err
    replay = os.environ | {"TGAP_HOME": str(home)}
    subprocess.run([sys.executable, "-c", SYNC], check=True, env=replay)
    connect.cache_clear()
    with closing(sqlite3.connect(database)) as connection:
        points = connection.execute(
            "SELECT key, step, value FROM metrics WHERE key IN ('loss', 'y') ORDER BY 1, 2"
        ).fetchall()
        statuses = connection.execute("SELECT status FROM runs WHERE name = 'name'").fetchall()
    assert points == [("loss", 0, 3.0), ("loss", 1, 2.0), ("y", 0, 1.0)]
    assert statuses == [("FINISHED",)]


@pytest.fixture
def postgres():
    """A PostgreSQL server of its own: its address, and ``pg_ctl`` for it."""
    pytest.importorskip("psycopg", reason="pip install 'tgap[postgres]'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    control = str(found[-1]) if found else shutil.which("pg_ctl")
    if control is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    as_other: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="tgap-postgres-"))  # where another user can get
    if os.getuid() == 0:  # a server refuses to run as root, as in a container
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres'")
        as_other = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"

    def call(program: str, *words: str, check: bool = True) -> None:
        command = [*as_other, str(Path(control).with_name(program)), "-D", str(data), *words]
        subprocess.run(command, check=check, cwd=folder, stdout=subprocess.DEVNULL)

    def pg_ctl(*words: str, check: bool = True) -> None:
        call("pg_ctl", "-w", "-l", str(folder / "log"), *words, check=check)

    try:
        call("initdb", "-U", "tgap", "-A", "trust", "--no-sync")
        settings = f"port={port}\nunix_socket_directories='{folder}'\nfsync=off\n"
        with (data / "postgresql.conf").open("a") as file:
            file.write(settings + "listen_addresses='127.0.0.1'\n")
        pg_ctl("start")
        yield f"postgresql://tgap@127.0.0.1:{port}/postgres", pg_ctl
        pg_ctl("stop", check=False)  # it may have been stopped
    finally:
        shutil.rmtree(folder)


@pytest.mark.long
def test_a_run_does_not_wait_for_a_locked_table(postgres, tmp_path, caplog, monkeypatch) -> None:
    import psycopg

    uri, _ = postgres
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr("tgap.tracking.tracker.AGAIN", 0.0)
    monkeypatch.setattr("tgap.tracking.push.LOCKED_SECONDS", 1)
    monkeypatch.delenv("PGOPTIONS", raising=False)
    connect.cache_clear()
    with tracker(tmp_path, uri=uri).run("key", "name", {"size": 1}, {}) as log:
        log_first(log)
        with psycopg.connect(uri) as other:
            other.execute("LOCK TABLE metrics IN ACCESS EXCLUSIVE MODE")
            log.metrics({"loss": 2.0}, 1)
            log.flush()  # would wait until the lock is given back, which is after it
    assert "the run goes on" in caplog.text
    assert sync(tmp_path, uri) == {"runs": 0, "sweeps": 0, "curves": 0}


@pytest.mark.long
def test_postgresql_takes_runs_and_may_be_away_for_a_while(
    postgres, tmp_path, caplog, capfd, monkeypatch
) -> None:
    uri, pg_ctl = postgres
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr("tgap.tracking.tracker.AGAIN", 0.0)
    with tracker(tmp_path, uri=uri).run("key", "name", {"size": 1}, {}) as log:
        log_first(log)
        pg_ctl("stop", "-m", "immediate")
        log.metrics({"loss": 2.0}, 1)
        log.flush()
        log.text("two", "two.txt")
    assert "the run goes on" in caplog.text
    assert "Traceback" not in capfd.readouterr().err
    pg_ctl("start")
    assert sync(tmp_path, uri) == {"runs": 1, "sweeps": 0, "curves": 0}
    client = connect(uri)
    experiment = client.get_experiment_by_name("tgap")
    (run,) = client.search_runs([experiment.experiment_id])
    points = client.get_metric_history(run.info.run_id, "loss")
    assert [(p.step, p.value) for p in points] == [(0, 3.0), (1, 2.0)]
    assert run.info.status == "FINISHED"
    assert (tmp_path / "mlartifacts" / run.info.run_id / "artifacts" / "two.txt").exists()
