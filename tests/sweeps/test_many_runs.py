"""Sweeps of hundreds of runs: what they cost beside the work itself."""

import os
import resource
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.sweeps.conftest import SHORT
from tgap.sweeps.recorder import WAITING
from tgap.sweeps.records import records

RUN = "import sys; from tgap.cli.main import run_command; sys.exit(run_command(sys.argv[1:]))"
RUNS = 200
WORDS = [word for word in SHORT if not word.startswith("selector")]


def swept(folder: Path, *words: str) -> tuple[float, list[int], list[int]]:
    """Seconds that a command took, and the memory and open files of its process meanwhile."""
    environment = os.environ | {"TGAP_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    start, memory, files = time.monotonic(), [], []
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
    return time.monotonic() - start, memory, files


@pytest.mark.long
def test_a_sweep_of_hundreds_of_runs_costs_little_beside_them(tmp_path: Path) -> None:
    sweep = (f"seed=range(0,{RUNS})", "-m")
    seconds, memory, files = swept(tmp_path, *sweep)
    found = records(tmp_path / "home")
    assert len(found) == RUNS
    work = sum(
        v
        for one in found
        for n, v in one.metrics.items()
        if n.startswith("seconds/") and n != WAITING
    )
    growth = (max(memory) - memory[0]) / 2**20
    told = f"{(seconds - work) / RUNS:.2f} s a run beside {work / RUNS:.2f} s of work; "
    told += f"{growth:.0f} MB; {min(files)} to {max(files)} files"
    sys.stdout.write(told + "\n")
    assert growth < 50, told
    assert max(files) - files[0] <= 5, told
    assert (seconds - work) / RUNS < 0.5 + 30 / RUNS, told  # starting takes some seconds
    again, memory, files = swept(tmp_path, *sweep)
    sys.stdout.write(f"again: {again / RUNS:.2f} s a run" + "\n")
    assert len(records(tmp_path / "home")) == RUNS
    assert again / RUNS < 0.5 + 30 / RUNS
    assert (max(memory) - memory[0]) / 2**20 < 50
    assert max(files) - files[0] <= 5


@pytest.mark.long
def test_a_thousand_runs_are_checked_in_ten_seconds(tmp_path: Path) -> None:
    """Of the processor, since others may be at work on it, with Python's own start."""
    swept(tmp_path, "seed=range(0,2)", "-m", "--dry-run")  # reads the images
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, _, _ = swept(tmp_path, "seed=range(0,1000)", "-m", "--dry-run")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(f"{used:.1f} s of the processor, {seconds:.1f} s" + "\n")
    assert used <= 10
