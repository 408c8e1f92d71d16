"""As much of Slurm as submitit asks for, on this machine: real processes, no queue.

``installed`` writes its commands into a folder for ``PATH``. Like Slurm, ``scontrol requeue`` tells
a running job to end by SIGTERM, kills it half a minute later, and starts it again. A file
``refuses`` in the folder has ``sbatch`` refuse, one ``lost_1`` loses the node of job 1.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "scontrol")
KILL_WAIT = 30.0
"""Seconds, as ``KillWait`` of ``slurm.conf``."""
FIRST = 12
"""Number of the first array."""
REFUSAL = "sbatch: error: Batch job submission failed: Invalid account"


def installed(folder: Path) -> Path:
    """Write the commands into ``folder/bin``; what they know of jobs goes beside."""
    (folder / "bin").mkdir(parents=True)
    for command in COMMANDS:
        program = f'#!/bin/sh\nexec {sys.executable} {__file__} {folder} {command} "$@"\n'
        (folder / "bin" / command).write_text(program)
        (folder / "bin" / command).chmod(0o755)
    return folder / "bin"


def sbatch(folder: Path, script: str) -> None:
    """Start a job, or the jobs of an array."""
    if (folder / "refuses").exists():
        (folder / "refused.sh").write_text(Path(script).read_text())
        sys.exit(REFUSAL)
    number = FIRST + len(list(folder.glob("*.sh")))
    kept = folder / f"{number}.sh"
    kept.write_text(Path(script).read_text())
    last = re.search(r"--array=0-(\d+)", kept.read_text())
    for name in [f"{number}_{task}" for task in range(int(last[1]) + 1)] if last else [str(number)]:
        (folder / f"{name}.state").write_text("PENDING")
        words = [sys.executable, __file__, str(folder), "job", name]
        nowhere = subprocess.DEVNULL
        subprocess.Popen(
            words, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    sys.stdout.write(f"Submitted batch job {number}\n")


def job(folder: Path, name: str) -> None:
    """Do a job, again whenever it was queued again meanwhile."""
    number, _, task = name.partition("_")
    restarts, requeued, state = 0, folder / f"{name}.requeued", folder / f"{name}.state"
    if task and (folder / f"lost_{task}").exists():
        state.write_text("NODE_FAIL")
        return
    environment = {"SLURM_JOB_ID": str(int(number) + int(task or 0)), "SLURM_PROCID": "0"}
    if task:
        environment |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": task}
    while True:
        state.write_text("RUNNING")
        script = ["bash", str(folder / f"{number}.sh")]
        process = subprocess.Popen(script, env=os.environ | environment, start_new_session=True)
        killed_at = float("inf")
        while process.poll() is None:
            if requeued.exists():
                killed_at = min(killed_at, time.monotonic() + KILL_WAIT)
            if time.monotonic() > killed_at:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.1)
        if not requeued.exists():
            break
        requeued.rename(folder / f"{name}.requeue{restarts}")
        restarts += 1
    state.write_text("FAILED" if process.returncode else "COMPLETED")


def srun(folder: Path, *words: str) -> None:
    """Become the program of a job, whose number is written down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--unbuffered", action="store_true")
    parser.add_argument("--output")
    parser.add_argument("--error")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    asked = parser.parse_args(words)
    array, task = map(os.environ.get, ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"))
    meant = {"%A": array, "%a": task, "%j": os.environ["SLURM_JOB_ID"], "%t": "0"}
    for stream, path in ((1, asked.output), (2, asked.error)):
        for letter, value in meant.items():
            path = path.replace(letter, value or "")
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    name = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
    (folder / f"{name}.new").write_text(str(os.getpid()))
    (folder / f"{name}.new").replace(folder / f"{name}.pid")
    os.execvp(asked.program[0], asked.program)


def sacct(folder: Path, *words: str) -> None:
    """The states of all jobs."""
    sys.stdout.write("JobID|State|NodeList\n")
    for state in sorted(folder.glob("*.state")):
        sys.stdout.write(f"{state.stem}|{state.read_text()}|here\n")


def scontrol(folder: Path, what: str, name: str) -> None:
    """Queue a job again; when that was is written down."""
    if what != "requeue":
        sys.exit(f"scontrol: no {what} here")
    (folder / f"{name}.requeued").write_text(json.dumps(time.time()))
    os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGTERM)


def main(folder: str, command: str, *words: str) -> None:
    """Do a command."""
    commands: Sequence[Callable[..., None]] = (sbatch, job, srun, sacct, scontrol)
    {each.__name__: each for each in commands}[command](Path(folder), *words)


if __name__ == "__main__":
    main(*sys.argv[1:])
