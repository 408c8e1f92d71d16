"""One bad run does not sink a sweep, whatever it does to its process."""

import logging
import os
import resource
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from PIL import Image
from torch.backends import cudnn

from tests.sweeps.test_launchers import LAUNCHERS
from tgap.cli.main import command, run_command
from tgap.pipeline.sharing.child import START
from tgap.sweeps import isolation, task
from tgap.sweeps.fingerprint import changes, fingerprint
from tgap.sweeps.records import records

FEW = ("kill", "exit", "spoil", "fine")
ALL = ("base", "gone", "kill", "fault", "home", "torch", "folder", "exit", "raise", "fine")
FAILURES = {
    "raise": ("ValueError: no light", "ValueError: no light"),
    "spoil": ("ValueError: no home", "ValueError: no home"),
    "base": ("Sunk: into the sea", "Sunk: into the sea"),
    "exit": ("it called sys.exit(0)", "SystemExit: 0"),
    "gone": ("it ended its process with exit code 0",) * 2,
    "kill": ("was killed by signal 9 (SIGKILL); the machine may have run out of memory",) * 2,
    "fault": ("it was killed by signal 11 (SIGSEGV)",) * 2,
}
"""What the terminal says of them, and what their record says."""
OPEN_FILES = resource.RLIMIT_NOFILE
LIMITS = resource.getrlimit(OPEN_FILES)
TRACED = ("raise", "base", "exit", "spoil")
CHANGED = {
    "home": "os.environ['TGAP_HOME']",
    "spoil": "os.environ['TGAP_HOME']",
    "torch": "torch's default dtype",
    "folder": "the current folder",
}


def swept(ways, words, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    """Do runs that behave so; the exit code."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TGAP_HOME", str(folder / "home"))
    monkeypatch.setenv("MISBEHAVING", str(folder / "pid"))
    monkeypatch.setenv("TGAP_TRUSTED", "tests")
    return run_command([*words, f"selector.way={','.join(ways)}", "-m"])


@pytest.mark.parametrize(
    ("ways", "launcher"),
    [
        pytest.param(FEW, [], id="few"),
        pytest.param(ALL, [], marks=pytest.mark.long, id="all"),
        *(pytest.param(FEW, words, marks=pytest.mark.long, id=n) for n, words in LAUNCHERS.items()),
    ],
)
def test_the_others_finish_and_each_failure_is_told_and_recorded(
    ways, launcher, misbehaving, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    assert swept(ways, [*misbehaving, *launcher], monkeypatch, tmp_path) == 1
    err = capsys.readouterr().err
    found = records(tmp_path / "home")
    by_way = {one.run().selector.way: one for one in found}
    assert set(by_way) == set(ways)
    logs = sorted(tmp_path.glob("multirun/*/*/*/tgap.log"), key=lambda file: int(file.parts[-2]))
    for way, log in zip(ways, (file.read_text() for file in logs), strict=True):
        told, recorded = FAILURES.get(way, ("", ""))
        assert by_way[way].status == ("failed" if told else "finished"), way
        assert recorded in by_way[way].tags.get("tgap.error", "")
        assert told in err
        assert ("Traceback" in log and "misbehaving.py" in log) == (way in TRACED), way
        assert way not in CHANGED or f"left its process changed ({CHANGED[way]})" in log
        assert way != "fault" or "Segmentation fault" in log
    assert "Traceback" not in err
    assert err.count("FAILED: run") == len([way for way in ways if way in FAILURES])
    assert not Path("/elsewhere").exists()
    failures = [way for way in ways if way in FAILURES]
    assert command(["status"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"{len(ways)} runs: {len(ways) - len(failures)} done, {len(failures)} failed" in out
    for way in failures:
        assert f"way={way}) size=4 seed=0: " in out


@pytest.mark.long
def test_a_run_ends_when_the_second_level_has_all_that_it_made(
    misbehaving, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("TGAP_STORE_REMOTE", f"file://{tmp_path}/shared")
    assert swept(["fine"], misbehaving, monkeypatch, tmp_path) == 0
    made = {path.parts[-3:] for path in tmp_path.glob("home/store/*/*/manifest.json")}
    assert len(made) > 5
    assert {path.parts[-3:] for path in tmp_path.glob("shared/*/*/manifest.json")} == made
    assert not list(tmp_path.glob("home/store/unsent/*"))


@pytest.mark.long
def test_a_run_beyond_its_limit_is_stopped_with_all_that_it_started(
    misbehaving, tmp_path, monkeypatch, capsys
) -> None:
    limit = ["max_minutes=0.3", "size=4"]
    words = [word for word in misbehaving if word != "size=4"]
    start = time.monotonic()
    assert swept(["child"], [*words, *limit], monkeypatch, tmp_path) == 1
    assert time.monotonic() - start < 60
    assert "it ran longer than max_minutes=0.3 and was stopped" in capsys.readouterr().err
    (record,) = records(tmp_path / "home")
    assert record.status == "killed"
    assert "max_minutes" in record.tags["tgap.error"]
    left = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == "zombie"
    assert "max_minutes" not in str(record.params), "a limit changes no result and enters no key"


def test_a_class_of_this_session_is_done_in_this_process_and_told(
    misbehaving, tmp_path, monkeypatch, capsys
) -> None:
    """As in a notebook, where a fresh process could not import it."""
    from tests.sweeps.misbehaving import WAYS, Misbehaving

    done_by = []
    monkeypatch.setitem(WAYS, "exit", lambda: [done_by.append(os.getpid()), exit(3)])
    monkeypatch.setattr(Misbehaving, "__module__", "__main__")
    monkeypatch.setattr("__main__.Misbehaving", Misbehaving, raising=False)
    folder = Path(misbehaving[-1]) / "selector" / "misbehaving.yaml"
    (tmp_path / "selector").mkdir()
    text = folder.read_text().replace("tests.sweeps.misbehaving.", "__main__.")
    (tmp_path / "selector" / "misbehaving.yaml").write_text(text)
    monkeypatch.setenv("TGAP_TRUSTED", "__main__")
    monkeypatch.chdir(tmp_path)
    words = [*misbehaving[:-1], str(tmp_path), "selector.way=exit", "-m"]
    assert run_command(words) == 1
    err = capsys.readouterr().err
    assert "__main__.Misbehaving was defined in this session" in err
    assert "FAILED: run 1 of 1: it called sys.exit(3)" in err
    assert done_by == [os.getpid()]


FORKS = f"""{START}
import os, signal, time
if os.fork():
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(60)
"""


def test_a_run_that_is_killed_is_told_though_one_that_it_forked_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolation, "PROGRAM", FORKS)
    worker = isolation.Worker()
    ended = worker._listen(60)
    assert ended == {"event": "gone"}
    assert "(SIGKILL)" in str(worker._told(ended).failure)


BY_CLUSTER = [("SIGUSR2", *2 * [isolation.CLUSTERS_GRACE])]


class NotQueuedError(RuntimeError):
    """As ``submitit.core.utils.UncompletedJobError``."""

    __module__ = "submitit.core.utils"


@pytest.mark.parametrize(
    ("stopped_by", "expected", "closed"),
    [
        (KeyboardInterrupt, [()], 0),
        (SystemExit, BY_CLUSTER, 0),
        (NotQueuedError, BY_CLUSTER, 0),
        (ValueError, [], 1),
    ],
)
def test_a_cluster_gives_a_run_more_time_than_a_person_and_it_is_recorded(
    stopped_by: type[BaseException],
    expected: list[object],
    closed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a cluster's signal submitit makes an exit, out of whatever the process is doing.

    An ordinary error waits for nothing.
    """

    def listen(*_: object) -> None:
        raise stopped_by

    stops, ends, closes = [], [], []
    worker = object.__new__(isolation.Worker)
    worker._process = SimpleNamespace(shown=SimpleNamespace(end=lambda: None))
    monkeypatch.setattr(worker, "send", lambda message: None)
    monkeypatch.setattr(worker, "_listen", listen)
    monkeypatch.setattr(worker, "_stop", lambda *how: stops.append(how))
    monkeypatch.setattr(worker, "close", lambda: closes.append(worker))
    monkeypatch.setattr(isolation, "errand_as_message", lambda errand: {})
    monkeypatch.setattr(isolation, "worker", lambda: worker)
    monkeypatch.setattr(task, "not_elsewhere", lambda run: [])
    monkeypatch.setattr(task, "write_down_end", lambda errand, *how: ends.append(how))
    job = SimpleNamespace(run=SimpleNamespace(max_minutes=None), name="a run")
    with pytest.raises(stopped_by):
        task._ended(SimpleNamespace(job=job, which="", sweep_key="a sweep"))
    assert stops == expected
    assert len(closes) == closed
    assert ends == [("KILLED",)]


@pytest.mark.parametrize("row", ["a row", None])
def test_a_run_that_was_recorded_in_time_is_done_whatever_is_still_being_sent(
    row: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path
) -> None:
    late, ends = isolation.Ended(None, "it ran too long", dead=True, late=True), []
    monkeypatch.setattr(task, "_ended", lambda errand: late)
    monkeypatch.setattr(task, "finished_row", lambda journal: row)
    monkeypatch.setattr(task, "write_down_end", lambda errand, *how: ends.append(how))
    job = SimpleNamespace(key="a key", name="a run")
    found = task._outcome(SimpleNamespace(job=job, which="", home=tmp_path, sweep_key=None))
    assert found.row == row
    assert (found.failure is None) == (row is not None) == (ends == [])
    assert ("was not sent to the second level within max_minutes" in caplog.text) == bool(row)


@pytest.mark.long
def test_with_joblib_one_bad_run_of_four_sinks_no_other(
    misbehaving, tmp_path, monkeypatch, capsys
) -> None:
    ways = ("fine", "kill", "home", "folder")
    words = [*misbehaving, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert swept(ways, words, monkeypatch, tmp_path) == 1
    err = capsys.readouterr().err
    found = {one.run().selector.way: one.status for one in records(tmp_path / "home")}
    assert found == {way: "failed" if way == "kill" else "finished" for way in ways}
    assert err.count("FAILED: run") == 1
    assert f"FAILED: run 2 of 4: it {FAILURES['kill'][0]}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("change", "back", "named"),
    [
        (
            lambda: torch.set_flush_denormal(True),
            lambda: torch.set_flush_denormal(False),
            "torch's smallest numbers",
        ),
        (
            lambda: setattr(torch.backends.mkldnn, "enabled", False),
            lambda: setattr(torch.backends.mkldnn, "enabled", True),
            "torch's use of oneDNN",
        ),
        *(
            (partial(setattr, *where, new), partial(setattr, *where, old), named)
            for where, old, new, named in (
                ((cudnn, "deterministic"), False, True, "torch.backends.cudnn.deterministic"),
                ((cudnn, "benchmark"), False, True, "torch.backends.cudnn.benchmark"),
                ((cudnn, "allow_tf32"), True, False, "torch.backends.cudnn.allow_tf32"),
                ((Image, "MAX_IMAGE_PIXELS"), 89478485, None, "PIL.Image.MAX_IMAGE_PIXELS"),
            )
        ),
        *(
            (partial(switch, False), partial(switch, True), "torch's kinds of attention")
            for switch in (
                torch.backends.cuda.enable_flash_sdp,
                torch.backends.cuda.enable_mem_efficient_sdp,
                torch.backends.cuda.enable_math_sdp,
                torch.backends.cuda.enable_cudnn_sdp,
            )
        ),
        (partial(logging.disable, 20), partial(logging.disable, 0), "logging.disable"),
        (
            partial(resource.setrlimit, OPEN_FILES, (LIMITS[0] - 1, LIMITS[1])),
            partial(resource.setrlimit, OPEN_FILES, LIMITS),
            "the limit RLIMIT_NOFILE",
        ),
    ],
)
def test_what_changes_all_arithmetic_is_noticed(change, back, named) -> None:
    before = fingerprint()
    assert changes(before, fingerprint()) == []
    change()
    try:
        assert changes(before, fingerprint()) == [named]
    finally:
        back()
    assert changes(before, fingerprint()) == []
