"""Sweeps of hundreds of runs: what they cost beside the work itself."""

import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.sweeps.conftest import SHORT
from tgap.sweeps.recorder import WAITING
from tgap.sweeps.records import records

RUN = "import sys; from tgap.cli.main import run_command; sys.exit(run_command(sys.argv[1:]))"
RUNS = 200
WORDS = [word for word in SHORT if not word.startswith("selector")]


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds, those of the processor, and meanwhile memory and open files."""

    seconds: float
    used: float
    memory: list[int]
    files: list[int]

    @property
    def growth(self) -> float:
        """Of the memory, in MB."""
        return (max(self.memory) - self.memory[0]) / 2**20


def used() -> float:
    """Seconds of the processor that all commands so far took, with what they started."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


def swept(folder: Path, *words: str) -> Cost:
    """Do a command."""
    environment = os.environ | {"TGAP_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    start, before, memory, files = time.monotonic(), used(), [], []
    with (folder / "err").open("ab") as err:
        command = [sys.executable, "-c", RUN, *WORDS, *words]
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=err, stderr=err)
        while process.poll() is None:
            time.sleep(0.5)
            if len(list(folder.glob("multirun/*/*/*/tgap.log"))) % RUNS > 20:  # it has warmed up
                try:
                    memory.append(process.memory_info().rss)
                    files.append(process.num_fds())
                except psutil.Error:
                    break
    assert process.wait() == 0, (folder / "err").read_text()[-2000:]
    return Cost(time.monotonic() - start, used() - before, memory, files)


@pytest.mark.long
def test_a_sweep_of_hundreds_of_runs_costs_little_beside_them(tmp_path: Path) -> None:
    sweep = (f"seed=range(0,{RUNS})", "-m")
    cost = swept(tmp_path, *sweep)
    found = records(tmp_path / "home")
    assert len(found) == RUNS
    work = sum(
        v
        for one in found
        for n, v in one.metrics.items()
        if n.startswith("seconds/") and n != WAITING
    )
    told = f"{(cost.seconds - work) / RUNS:.2f} s a run beside {work / RUNS:.2f} s of work; "
    told += f"{cost.growth:.0f} MB; {min(cost.files)} to {max(cost.files)} files"
    sys.stdout.write(told + "\n")
    assert cost.growth < 50, told
    assert max(cost.files) - cost.files[0] <= 5, told
    # All is in the store, so this is what a run costs beside its work; of the processor, since
    # others may be at work on it.
    again = swept(tmp_path, *sweep)
    told = f"again: {again.used / RUNS:.2f} s of the processor, {again.seconds / RUNS:.2f} s a run"
    sys.stdout.write(told + "\n")
    assert len(records(tmp_path / "home")) == RUNS
    assert again.used / RUNS < 0.5 + 30 / RUNS, told  # starting takes some seconds
    assert again.growth < 50
    assert max(again.files) - again.files[0] <= 5


@pytest.mark.long
def test_a_thousand_runs_are_checked_in_ten_seconds(tmp_path: Path) -> None:
    """Of the processor, since others may be at work on it, with Python's own start."""
    swept(tmp_path, "seed=range(0,2)", "-m", "--dry-run")  # reads the images
    cost = swept(tmp_path, "seed=range(0,1000)", "-m", "--dry-run")
    sys.stdout.write(f"{cost.used:.1f} s of the processor, {cost.seconds:.1f} s" + "\n")
    assert cost.used <= 10
