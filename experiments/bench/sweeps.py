"""Whole sweeps: what sharing saves, and what two workers bring over one."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.bench.measure import Row, Scale
from experiments.idle_workers import SMALL, steps
from tgap.store import Store
from tgap.sweeps.records import records

METHODS = (
    "selector=random,pixel_kmeans,clip_kmeans,clip_spectral",
    "finetuner/oracle=quantile finetuner/oracle/score=generated",
    "finetuner=none",
)
"""Six: the words of each command, all into one store."""
FIFTH = (
    "budget.steps=60 budget.train_per_label=100 budget.test_per_label=50 finetuner.prior_count=40 "
    "pool_size=1000 train_size=1000 test_size=500 tracking.report=false tracking.pictures=false"
)
"""Of the packaged profile's steps and images, about: so what stages cost keeps its proportions."""


def sharing(scale: Scale) -> list[Row]:
    """Stage seconds of 6 methods x 2 sizes x 5 seeds against each run's on an empty store."""
    seeds, methods = (1, ["selector=random"]) if scale.quick else (5, METHODS)
    with TemporaryDirectory() as name:
        home = Path(name) / ".tgap"
        for words in methods:
            _run(f"{words} size=50,100 seed=range({seeds}) {FIFTH} -m".split(), home)
        store, found = Store(home / "store"), records(home)
        runs = [{step.key: step.seconds for step in steps(record, store)} for record in found]
    alone = sum(sum(run.values()) for run in runs)
    shared = sum({key: seconds for run in runs for key, seconds in run.items()}.values())
    note = f"{shared / alone:.0%} of {alone:.0f} s in {len(runs)} runs"
    return [
        Row(
            "a sweep of 6 methods x 2 sizes x 5 seeds",
            "its runs alone",
            [alone / shared],
            "x",
            1 / 0.45,
            note,
        )
    ]


def joblib(scale: Scale) -> list[Row]:
    """Wall time of two workers with a thread each against one process with two."""
    words = ["selector=random,clip_kmeans", f"seed=range({1 if scale.quick else 5})", *SMALL, "-m"]
    workers = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    one = _fresh(words, threads=2)
    two = _fresh([*words, *workers], threads=1)
    return [
        Row(
            "a sweep by joblib, 2 workers of a thread",
            "one process of 2 threads",
            [one / two],
            "x",
            1.5,
            f"{one:.0f} s, {two:.0f} s",
        )
    ]


def _fresh(words: Sequence[str], threads: int) -> float:
    """Seconds of a sweep on a store that holds the dataset alone."""
    with TemporaryDirectory() as name:
        home = Path(name) / ".tgap"
        _run([*words, "--dry-run"], home, threads)
        return _run(words, home, threads)


def _run(words: Sequence[str], home: Path, threads: int = 1) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tgap.run", *words],
        cwd=home.parent,
        env=dict(os.environ, TGAP_HOME=str(home), OMP_NUM_THREADS=str(threads)),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun
