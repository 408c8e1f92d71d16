"""A command that is stopped leaves no process and no run that MLflow believes to be running."""

import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tgap.cli.main import command, run_command
from tgap.tracking.beat import beat_of

pytestmark = pytest.mark.long
RUN = """
import signal, sys
for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"):  # nohup and shells' jobs ignore some
    handler = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    signal.signal(getattr(signal, name), handler)
from tgap.cli.main import run_command
sys.exit(run_command(sys.argv[1:]))
"""


def mlflow_runs(home: Path) -> dict[str, str]:
    """Status by id of the runs in MLflow, its sweeps included."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        return dict(connection.execute("SELECT run_uuid, status FROM runs"))


def started(
    words: list[str], folder: Path, new_group: bool = False
) -> tuple[subprocess.Popen, int]:
    """A command whose run sleeps, and the process of that run."""
    command = [sys.executable, "-c", RUN, *words]
    process = subprocess.Popen(command, cwd=folder, process_group=0 if new_group else None)
    file, end = folder / "pid", time.monotonic() + 120
    while not file.exists() or not file.read_text():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    return process, int(file.read_text())


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != "zombie"
    except psutil.NoSuchProcess:
        return False


def gone(pid: int) -> None:
    """Wait for a process to end, 10 seconds at most."""
    end = time.monotonic() + 10
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(pid)


@pytest.fixture
def words(misbehaving, tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "TGAP_HOME": str(tmp_path / "home"),
        "TGAP_TRUSTED": "tests",
        "MISBEHAVING": str(tmp_path / "pid"),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
    }.items():
        monkeypatch.setenv(name, value)
    return [*misbehaving, "selector.way=once", "-m"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_stopped_sweep_leaves_nothing_and_goes_on_as_the_same_runs(
    name: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def status() -> str:
        capsys.readouterr()
        assert command(["status"]) == 0
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines()[:-1])) <= 80
        return " ".join(out.split())

    process, worker = started(words, tmp_path)
    begun = set(mlflow_runs(tmp_path / "home"))
    (run,) = [file.parent for file in tmp_path.glob("home/journal/*/*/progress.json")][:1]
    assert beat_of(run) is not None
    told = status()
    assert ", running 1 run: 1 running" in told
    assert "running noise (selector=misbehaving, way=once) size=4 seed=0: for " in told
    os.kill(process.pid, getattr(signal, name))
    assert process.wait(timeout=10) == 130
    assert not alive(worker)
    assert set(mlflow_runs(tmp_path / "home").values()) == {"KILLED"}
    assert not list(tmp_path.glob("home/journal/*/*/progress.json"))
    told = status()
    assert ", not running 1 run: 1 stopped stopped noise" in told
    _, _, to_go_on = told.partition("to go on (what is done is reused): tgap run ")
    assert shlex.split(to_go_on)[0] == "--config-dir"
    assert run_command(shlex.split(to_go_on)) == 0
    statuses = mlflow_runs(tmp_path / "home")
    assert begun <= set(statuses)
    assert len(statuses) - len(begun) <= 1, "a curve of the sweep at most"
    assert set(statuses.values()) == {"FINISHED"}
    assert "not running 1 run: 1 done" in status()


LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"],
}


@pytest.mark.parametrize("group", [False, True], ids=["command", "terminal"])
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_runs_of_another_launcher_end_in_order_too(
    launcher: str, group: bool, words: list[str], tmp_path: Path
) -> None:
    stopped_in_order([*words, *LAUNCHERS[launcher]], group, tmp_path)


def test_runs_of_a_cluster_that_runs_already_end_in_order_too(
    words: list[str], ray_cluster: str, tmp_path: Path
) -> None:
    """Their processes are the cluster's, and not ours to end by asking our children."""
    there = ["hydra/launcher=ray", f"hydra.launcher.ray.init.address={ray_cluster}"]
    stopped_in_order([*words, *there], False, tmp_path)
    host, _, port = ray_cluster.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10):
        """The cluster goes on."""


def stopped_in_order(words: list[str], group: bool, tmp_path: Path) -> None:
    """Two runs sleep, and save when they are stopped; a third one waits."""
    several = [word.replace("way=once", "way=saves") for word in words]
    process, worker = started([*several, "seed=0,1,2"], tmp_path, new_group=True)
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("home/journal/*/*/progress.json"))) < 3:  # one is the sweep's
        assert time.monotonic() < end
        time.sleep(0.1)
    if group:  # as Ctrl-C does
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    assert (tmp_path / "pid").read_text() == "saved"
    gone(worker)
    statuses = list(mlflow_runs(tmp_path / "home").values())
    assert statuses == ["KILLED"] * 3, "the sweep and two runs: the third was not begun"
    assert not list(tmp_path.glob("home/journal/*/*/progress.json"))


def test_a_stopped_sweep_waits_for_a_checkpoint(words: list[str], tmp_path: Path) -> None:
    slow = [word.replace("way=once", "way=saves") for word in words]
    process, worker = started(slow, tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=40) == 130
    assert (tmp_path / "pid").read_text() == "saved"
    gone(worker)


def test_a_killed_command_takes_its_worker_along_and_sync_closes_what_it_left(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process, worker = started(words, tmp_path)
    os.kill(worker, signal.SIGSTOP)  # it cannot even write down that it was stopped
    process.kill()
    process.wait()
    os.kill(worker, signal.SIGKILL)
    gone(worker)
    assert set(mlflow_runs(tmp_path / "home").values()) == {"RUNNING"}
    time.sleep(5)  # its last threads may hold its locks a moment longer
    assert command(["sync"]) == 0
    assert set(mlflow_runs(tmp_path / "home").values()) == {"KILLED"}
    assert command(["sync"]) == 0
    assert "MLflow has everything already" in capsys.readouterr().out


def test_a_worker_ends_with_who_started_it(words: list[str], tmp_path: Path) -> None:
    process, worker = started(words, tmp_path)
    process.kill()
    process.wait()
    gone(worker)
