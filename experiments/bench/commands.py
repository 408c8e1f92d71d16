"""The commands that people type, in fresh processes."""

import functools
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.bench.measure import Row, Scale
from tests.mistakes import files
from tests.mistakes.test_command_lines import CASES

SMALL = (
    "budget.steps=2 budget.train_per_label=20 budget.test_per_label=10 size=10 "
    "finetuner.prior_count=4 sampler.steps=2 prior_sampler.steps=2 classifier.epochs=1 "
    "evaluators.baselines.shuffled=false"
)
"""A run of a few seconds, which does all that a large one does."""
SLOWEST = 8
"""Refusals that are named."""


def seconds(words: Sequence[str], folder: Path) -> float:
    """Run a command in a folder, and with a store, of its own and time it."""
    environment = dict(os.environ, TGAP_HOME=str(folder / ".tgap"))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each start compiles tgap anew
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tgap.run", *words],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def start(scale: Scale) -> list[Row]:
    """How long it takes until something happens."""
    with TemporaryDirectory() as name:
        folder, rows = Path(name), []
        cases = [("--help", "--help", 0.6), ("--cfg job", "--cfg job", 0.6)]
        if not scale.quick:
            cases.append(("a run wholly in the store", SMALL, 1.0))
        for what, words, target in cases:
            once = functools.partial(seconds, words.split(), folder)
            once()  # fills the store, and the system's cache of files
            rows.append(Row(what, "", [once() for _ in range(scale.repeats)], "s", target))
        return rows


def refusals(scale: Scale) -> list[Row]:
    """How long each mistaken command takes until it is refused; the slowest counts."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        files.write(folder)
        _refused("run size=1000000", folder)  # puts the default dataset into the store
        corpus = list(CASES)[: 2 if scale.quick else None]
        took = {words: _refused(words, folder) for words in corpus}
    slow = sorted(took, key=lambda words: -took[words])[:SLOWEST]
    named = "; ".join(f"{words} ({took[words]:.1f} s)" for words in slow)
    note = f"of {len(took)} commands; median {statistics.median(took.values()):.2f} s; {named}"
    return [Row("the slowest refusal", "", [took[slow[0]]], "s", 3.0, note)]


def _refused(words: str, folder: Path) -> float:
    begun = time.perf_counter()
    ended = subprocess.run(
        [Path(sys.executable).with_name("tgap"), *shlex.split(words)],
        cwd=folder,
        env=dict(os.environ, TGAP_HOME=str(folder / ".tgap")),
        check=False,
        capture_output=True,
        timeout=120,
    )
    if ended.returncode != 2:
        raise RuntimeError(f"`tgap {words}` was not refused (exit code {ended.returncode})")
    return time.perf_counter() - begun


def demo(scale: Scale) -> list[Row]:
    """The demo's table, without the installation."""
    return [_once("make demo", "finetuner=none,dreambooth size=100,500 -m", 100, scale)]


def sweep(scale: Scale) -> list[Row]:
    """A sweep of two sizes, one command."""
    words = "selector=clip_spectral size=500,1000 -m"
    return [_once(words, words, 480, scale)]


def _once(what: str, words: str, target: float, scale: Scale) -> Row:
    """Too long to repeat."""
    words = f"{SMALL} -m" if scale.quick else words
    with TemporaryDirectory() as name:
        took = seconds(words.split(), Path(name))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return Row(what, "", [took], "s", target, f"at most {peak:.2f} GB in a process")
