"""Runs that are killed and started again, each in a child of one process that has loaded torch.

    python -m tests.pipeline.killing FOLDER MOMENTS SEED WORD...

Prints, as JSON, how often children were killed, and how the stores differ from an uninterrupted
run's.
"""

import importlib
import json
import logging
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import tgap
from tgap.composition.config import Run
from tgap.core import checkpoint
from tgap.pipeline.preflight.runs import check_runs
from tgap.pipeline.stages import execute
from tgap.store import Store

STAGES = ("prepare", "embed", "select", "finetune", "generate", "classify", "evaluate")
SLOW = ("torch", "diffusers", "transformers", "sklearn.metrics", "scipy.stats", "faiss")
MOST = 200
"""Children at most."""


def started(home: Path, run: Run, dies_after: str = "") -> int:
    """The number of a child that goes on with a run and has read the data.

    It may kill itself at the end of a stage.
    """
    reads, writes = os.pipe()
    if child := os.fork():
        os.close(writes)
        os.read(reads, 1)  # or nothing, if it ends before
        os.close(reads)
        return child
    status = 1
    try:
        os.environ["TGAP_HOME"] = str(home)

        def on_stage(stage: str, result: object) -> None:
            if stage == "prepare":
                os.write(writes, b"!")
            if stage == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)

        (plan,) = check_runs([run], home)
        result = execute(plan, Store(home / "store"), on_stage)
        metrics = {n: v for n, v in result.metrics.items() if not n.endswith("seconds")}
        (home / "metrics.json").write_text(json.dumps(metrics))
        status = 0
    finally:
        os._exit(status)


def was_killed(child: int) -> bool:
    """Whether a child that has ended was; one that failed ends us."""
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("a run failed")
    return os.WIFSIGNALED(status)


def made(home: Path) -> dict[str, str]:
    """Of each file in a store its digest, and the metrics."""
    found = {"metrics": (home / "metrics.json").read_text()}
    for path in sorted((home / "store").glob("*/*/manifest.json")):
        files = json.loads(path.read_text())["files"]
        key = f"{path.parent.parent.name}/{path.parent.name}"
        found |= {f"{key}/{name}": recorded["sha256"] for name, recorded in files.items()}
    found |= {f"left over: {path.name}": "" for path in (home / "store" / "partial").glob("*")}
    return found


def went_on(folder: Path) -> int:
    """How often fine-tuning went on where a kill had hit it."""
    return (folder / "log").read_text().count("going on with fine-tuning at step")


def differing(home: Path, expected: dict[str, str]) -> list[str]:
    """What differs from an uninterrupted run."""
    got = made(home)
    return sorted(name for name in got.keys() | expected if got.get(name) != expected.get(name))


def main(folder: Path, moments: int, seed: int, words: list[str]) -> None:
    checkpoint.LEAST_SECONDS, checkpoint.CHEAP, checkpoint.MOST = 0.0, float("inf"), float("inf")
    logging.basicConfig(filename=folder / "log", level=logging.INFO)
    run = tgap.compose(*words)
    for module in SLOW:  # once, and not in each child; nothing is computed yet, or none could fork
        importlib.import_module(module)
    run.pretrained.load()
    child, start = started(folder / "whole", run), time.monotonic()
    was_killed(child)
    took, expected = time.monotonic() - start, made(folder / "whole")

    edges = sum(was_killed(started(folder / "edges", run, stage)) for stage in STAGES)
    was_killed(started(folder / "edges", run))
    differs = differing(folder / "edges", expected)

    rng, killed, home = random.Random(seed), 0, folder / "moments0"
    for number in range(MOST):
        if not home.exists():  # with the dataset: being killed while it reads has its own tests
            for stage in ("dataset", "split"):
                shutil.copytree(folder / "whole" / "store" / stage, home / "store" / stage)
        child = started(home, run)
        # Where in a run a moment is depends on the machine: go on until one was in fine-tuning.
        if killed < moments or not went_on(folder):
            time.sleep(rng.uniform(0, took / 3))
            os.kill(child, signal.SIGKILL)
        if was_killed(child):
            killed += 1
            continue
        differs += differing(home, expected)
        home = folder / f"moments{number + 1}"
        if killed >= moments and went_on(folder):
            break
    files = len(expected)
    counts = {"edges": edges, "moments": killed, "files": files, "went_on": went_on(folder)}
    sys.stdout.write(json.dumps({**counts, "differs": differs}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
