"""Slurm: what a sweep asks of it, and jobs that make room for others and go on later."""

import os
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import yaml

from tests.sweeps.small_slurm import FIRST, REFUSAL, installed
from tests.sweeps.test_launchers import swept
from tgap.cli.main import run_command
from tgap.core.checkpoint import ENDING, STEM
from tgap.sweeps.launching import gave_up
from tgap.tracking.beat import beat_of

PRESET = Path(__file__).parents[2] / "conf" / "hydra" / "launcher" / "submitit_slurm.yaml"
LAUNCHER = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu"]
LONGER = ["budget.steps=300"]
"""Fine-tuning of some ten seconds."""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its folder."""
    from submitit.slurm.slurm import SlurmJob

    commands = installed(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    yield commands.parent
    SlurmJob.watcher.clear()  # one for a process; another test's jobs have the same numbers


@pytest.fixture
def short(misbehaving, tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TGAP_TRUSTED", "tests")
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    return [*misbehaving, *LAUNCHER, "seed=0,1", "-m"]


def test_a_sweep_is_an_array_with_the_resources_of_the_preset(
    slurm: Path, short: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm / "refuses").touch()
    assert run_command(short) == 1
    err = capsys.readouterr().err
    assert f"SlurmLauncher gave up: FailedJobError: {REFUSAL}; runs that it has begun" in err
    assert "Traceback" not in err
    lines = (slurm / "refused.sh").read_text().splitlines()
    asked = dict(
        line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if "#SBATCH" in line
    )
    preset = yaml.safe_load(PRESET.read_text())
    assert asked["array"] == "0-1%2"
    assert preset["array_parallelism"] == 16
    assert asked["job-name"] == preset["name"] == "tgap"
    assert asked["partition"] == "gpu"
    assert asked["time"] == str(preset["timeout_min"])
    assert asked["cpus-per-task"] == str(preset["cpus_per_task"])
    assert asked["gpus-per-node"] == str(preset["gpus_per_node"])
    assert asked["mem"] == f"{preset['mem_gb']}GB"
    assert asked["signal"] == f"USR2@{preset['signal_delay_s']}"
    assert asked["nodes"] == asked["ntasks-per-node"] == "1"
    assert "requeue" in asked


def test_a_machine_without_slurm_is_told_before_anything_is_made(
    short: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_command(short) == 2
    assert (
        "hydra/launcher=submitit_slurm needs Slurm's commands, and there is no 'srun' on this "
        "machine's PATH; start tgap on a login node of the cluster, or leave hydra/launcher out "
        "to do one run after another here"
    ) in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "multirun").exists()
    assert not list(tmp_path.glob("home/journal/*"))


def test_errors_that_are_no_launchers_own_stay_what_they_are() -> None:
    slurms, basic = {"_target_": "x.SlurmLauncher"}, {"_target_": "x.BasicLauncher"}
    assert gave_up(basic, ValueError("x")) is None
    assert gave_up(slurms, FileNotFoundError(2, "no such file", "here")) is None
    told = gave_up(slurms, RuntimeError("lost\n" * 1000))
    assert told is not None
    assert told.startswith("SlurmLauncher gave up: RuntimeError: lost lost")
    assert len(told) < 600


@pytest.mark.long
def test_a_job_whose_node_is_lost_is_told_beside_what_the_others_found(
    slurm: Path, short: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm / "lost_1").touch()
    assert run_command(short) == 1
    out, err = capsys.readouterr()
    assert f"FAILED: SlurmLauncher gave up: UncompletedJobError: Job {FIRST}_1 " in err
    assert "state: NODE_FAIL" in err
    assert "Traceback" not in err
    assert "noise" in out
    assert run_command([word.replace("seed=0,1", "seed=1") for word in short]) == 0


class Preemptions(threading.Thread):
    """Tells the first job to make room while it tunes a model, as a cluster does, several times.

    Args:
        home: ``TGAP_HOME``.
        slurm: The cluster's folder.
        to_all: Of each time, whether all processes of the job are told, or its task alone.
    """

    def __init__(self, home: Path, slurm: Path, to_all: list[bool]) -> None:
        super().__init__(daemon=True)
        self._home, self._slurm, self._to_all = home, slurm, to_all
        self.seconds: list[float] = []
        """From each signal to its checkpoint."""
        self.steps: list[int] = []
        """That were done then."""
        self.runs: list[dict[str, str]] = []
        """Of MLflow, with their status, while the job was in the queue again."""
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Do it."""
        try:
            for number, to_all in enumerate(self._to_all):
                self._preempt(number, to_all)
        except BaseException as error:
            self.failure = error

    def _preempt(self, number: int, to_all: bool) -> None:
        task = self._tuning_task()
        told_at = time.time()
        for process in [task, *(task.children(recursive=True) if to_all else ())]:
            process.send_signal(signal.SIGUSR2)
        assert self._within(40, (self._slurm / f"{FIRST}_0.requeue{number}").exists)
        (kept,) = self._home.glob(f"store/partial/*{self._tuned()}*/{STEM}*{ENDING}")
        self.seconds.append(kept.stat().st_mtime - told_at)
        self.steps.append(int(kept.name.removeprefix(STEM).removesuffix(ENDING)))
        self.runs.append(mlflow_runs(self._home))

    def _tuned(self) -> str:
        """The key of the model that the first job tunes."""
        (log,) = self._home.parent.glob("multirun/*/*/0/tgap.log")
        (key,) = re.findall(r"making generator (\w+)", log.read_text())
        return str(key)

    def _tuning_task(self) -> psutil.Process:
        """The process of the first job, when its run is inside fine-tuning."""
        file = self._slurm / f"{FIRST}_0.pid"
        least = self.steps[-1] + 5 if self.steps else 5

        def tunes() -> bool:
            if not file.exists() or not psutil.pid_exists(int(file.read_text())):
                return False
            workers = {child.pid for child in psutil.Process(int(file.read_text())).children()}
            beats = [beat for beat in map(beat_of, self._home.glob("journal/*/*")) if beat]
            return any(
                beat.pid in workers and beat.doing == "fine-tuning" and beat.done >= least
                for beat in beats
            )

        assert self._within(200, tunes)
        return psutil.Process(int(file.read_text()))

    def _within(self, seconds: float, done: Callable[[], bool]) -> bool:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            time.sleep(0.05)
        return done()


def mlflow_runs(home: Path) -> dict[str, str]:
    """Status by id of the runs in MLflow, without those of sweeps and their curves."""
    query = "SELECT run_uuid, status FROM runs WHERE run_uuid NOT IN "
    query += "(SELECT run_uuid FROM tags WHERE key = 'tgap.kind' AND value IN ('sweep', 'curve'))"
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        return dict(connection.execute(query))


def losses(home: Path) -> list[tuple[int, float]]:
    """Of fine-tuning, all runs', by step."""
    query = "SELECT step, value FROM metrics WHERE key = 'finetune/loss' ORDER BY 1, 2"
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.long
def test_a_job_that_makes_room_leaves_a_checkpoint_and_goes_on_as_the_same_run(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    home, whole = tmp_path / "home", tmp_path / "whole" / "home"
    whole.parent.mkdir()
    expected = swept(whole, LONGER, monkeypatch)
    preemptions = Preemptions(home, slurm, [False, True])
    preemptions.start()
    found = swept(home, [*LONGER, *LAUNCHER], monkeypatch)
    preemptions.join(10)
    assert preemptions.failure is None
    assert max(preemptions.seconds) < 30
    assert min(preemptions.seconds) > 0
    told = ", ".join(f"{seconds:.1f} s" for seconds in preemptions.seconds)
    sys.stdout.write(f"checkpoints {told} after the signals\n")
    log = next(tmp_path.glob("multirun/*/*/0/tgap.log")).read_text()
    for step in preemptions.steps:
        assert f"going on with fine-tuning at step {step} of 300" in log
    assert {name for name in expected if found.get(name) != expected[name]} == set()
    assert found.keys() == expected.keys()
    after = mlflow_runs(home)
    for runs in preemptions.runs:
        assert set(runs) <= set(after)
        assert "KILLED" in runs.values()
    assert len(after) == 2
    assert set(after.values()) == {"FINISHED"}
    assert losses(home) == losses(whole)
