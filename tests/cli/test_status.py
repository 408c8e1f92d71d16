"""``tgap status`` without a sweep, and what it makes of signs of life."""

import json
import os
import socket
import time
from pathlib import Path

import pytest

from tgap.cli.main import command
from tgap.core import ConfigError
from tgap.core.progress import progress
from tgap.sweeps.standing import RunStanding, SweepStanding, sweeps
from tgap.tracking import Journal
from tgap.tracking.beat import Beat, beat_of, beating
from tgap.tracking.ghosts import close_ghosts, is_running


def test_an_empty_home_is_told(capsys) -> None:
    assert command(["status"]) == 0
    assert "no sweep was begun and nothing is running" in " ".join(capsys.readouterr().out.split())


def test_an_unknown_sweep_is_told(home) -> None:
    with pytest.raises(ConfigError, match="no sweep has the key 'abcd'"):
        sweeps(home, "abcd")


def test_time_left_is_that_of_what_is_done_now_and_of_runs_like_those_before() -> None:
    beat = Beat(time=200.0, host="h", pid=1, doing="drawing", done=20, total=60, since=100.0)
    running = RunStanding("b", "b", "running", begun=1.0, seconds=30.0, beat=beat)
    assert running.left == pytest.approx(200.0)
    done = [RunStanding(k, k, "done", seconds=s) for k, s in (("c", 60.0), ("d", 80.0))]
    sweep = SweepStanding(
        "k", "n", "", 0.0, True, [*done, running, RunStanding("e", "e", "missing")]
    )
    assert sweep.left == pytest.approx(200.0 + 70.0)


def test_progress_is_a_sign_of_life_that_goes_with_the_run(tmp_path) -> None:
    with beating(tmp_path), progress("drawing", 10) as advance:
        advance(4)
        end = time.monotonic() + 60
        while beat_of(tmp_path) is None and time.monotonic() < end:
            time.sleep(0.01)
        beat = beat_of(tmp_path)
    assert (beat.pid, beat.host) == (os.getpid(), socket.gethostname())
    assert beat_of(tmp_path) is None


@pytest.mark.parametrize(("age", "runs"), [(30, True), (3000, False)])
def test_a_run_of_another_machine_is_believed_by_its_sign_of_life(tmp_path, age, runs) -> None:
    """A lock may not reach from there to here."""
    journal = Journal(tmp_path / "journal" / "s" / "r")
    with journal.locked():
        journal.append("start", experiment="e", name="n", params={}, tags={})
    beat = {"time": time.time() - age, "host": "elsewhere", "pid": 1}
    (journal.folder / "progress.json").write_text(json.dumps(beat))
    assert is_running(journal) == runs


@pytest.mark.parametrize(("age", "state"), [(30, "running"), (3000, "stopped")])
def test_where_nothing_may_be_written_a_sign_of_life_is_believed(
    home: Path, age: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user's home, which may be read only: no lock can be taken there."""
    for run_key in ("sweep", "run"):
        journal = begun(home / "journal" / "abcdefgh" / run_key)
        beat = {"time": time.time() - age, "host": socket.gethostname(), "pid": 1}
        (journal.folder / "progress.json").write_text(json.dumps(beat))
    plan = {"method": "m", "method_key": "k", "size": 5, "seed": 1, "settings": {}, "key": "run"}
    planned = home / "journal" / "abcdefgh" / "sweep" / "files" / "planned.json"
    planned.write_text(json.dumps([plan]))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    (sweep,) = sweeps(home)
    assert (sweep.running, [run.state for run in sweep.runs]) == (state == "running", [state])


def begun(folder: Path, time: int = 1) -> Journal:
    """A journal that was not ended."""
    (folder / "files").mkdir(parents=True)
    start = {"event": "start", "time": time, "name": "n", "experiment": "e", "params": {}}
    (folder / "journal.jsonl").write_text(json.dumps(start) + "\n")
    return Journal(folder)


@pytest.mark.parametrize(
    "sign",
    [
        '{"time": null, "host": "h", "pid": 1}',
        '{"time": 1e400, "host": "h", "pid": 1}',
        f'{{"time": {10**400}, "host": "h", "pid": 1}}',
        '{"time": 1e300, "since": -1e300, "host": "h", "pid": 1, "done": 1, "total": 9}',
        '{"time": 1, "host": "h", "pid": 1, "done": "1", "total": 9}',
        "[" * 100_000,
    ],
)
def test_a_strangers_sign_of_life_is_none(home: Path, sign: str, capsys) -> None:
    journal = begun(home / "journal" / "sweeps" / "run")
    (journal.folder / "progress.json").write_text(sign)
    assert beat_of(journal.folder) is None
    assert not is_running(journal)
    assert command(["status"]) == 0
    assert close_ghosts(home, lambda journal: None) == 1
    assert journal.ended()


@pytest.mark.parametrize(
    ("name", "value"), [("method", 5), ("seed", "1"), ("params", {"size": 5}), ("size", 10**19)]
)
def test_a_plan_of_another_form_is_told(home: Path, name: str, value: object, capsys) -> None:
    journal = begun(home / "journal" / "abcdefgh" / "sweep")
    plan = {"method": "m", "method_key": "k", "size": 5, "seed": 1, "settings": {}, "key": "run"}
    file = journal.folder / "files" / "planned.json"
    file.write_text(json.dumps([plan]))
    assert command(["status"]) == 0
    file.write_text(json.dumps([plan | {name: value}]))
    assert command(["status"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"'{name}" in told
    assert "planned.json is damaged" in told
    assert f"delete {journal.folder}" in told


@pytest.mark.parametrize("time", [10**19, 10**16, -1])
def test_a_time_that_no_calendar_has_is_told(home: Path, time: int, capsys) -> None:
    begun(home / "journal" / "abcdefgh" / "sweep", time)
    assert command(["status"]) == 2
    assert "'time' is none that a calendar has" in " ".join(capsys.readouterr().err.split())
