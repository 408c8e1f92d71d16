"""How much of their time two workers of a sweep wait, or have nothing to do.

OMP_NUM_THREADS=1 python -m experiments.idle_workers OUT    (some 3 minutes on two idle cores)

A sweep of 6 methods x 2 sizes x 3 seeds with small budgets, by hydra/launcher=joblib, into the
empty folder OUT; its words are in the worst order: runs that share most stand beside each other.
Prints the idle share that was measured, by the times in the runs' records, and those that are
simulated from what its artifacts took: for runs as they come, each waiting at once; and for the
order and the early work that tgap chooses.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tgap.cli.main import run_command
from tgap.store import Store
from tgap.sweeps.forecast import works
from tgap.sweeps.recorder import WAITING
from tgap.sweeps.records import Record, records
from tgap.sweeps.schedule import Step, SweepSchedule, in_order, least_waiting

WORKERS = 2
SWEPT = (
    "finetuner=none,dreambooth seed=0,1,2 selector=random,pixel_kmeans,clip_kmeans size=50,100"
).split()
SMALL = (
    "budget.steps=40 budget.train_per_label=60 budget.test_per_label=30 pool_size=1000 "
    "train_size=1000 test_size=500 evaluators.two_way.resamples=100 tracking.report=false "
    "tracking.pictures=false ~evaluators.baselines ~evaluators.fidelity ~evaluators.memorization "
    "~evaluators.occlusion"
).split()


def measured(found: Sequence[Record]) -> tuple[float, float, float]:
    """Seconds from first to last, and the shares in which workers were idle and in which waited."""
    spans = [(one.events[0]["time"] / 1000, one.events[-1]["time"] / 1000) for one in found]
    wall = max(end for _, end in spans) - min(start for start, _ in spans)
    waiting = sum(one.metrics[WAITING] for one in found)
    busy = sum(end - start for start, end in spans) - waiting
    return wall, 1 - busy / (WORKERS * wall), waiting / (WORKERS * wall)


def as_typed(found: Sequence[Record]) -> list[Record]:
    """Runs in the order of the words: the last one changes fastest."""
    choices = [
        [f"{name}={value}" for value in values.split(",")]
        for name, _, values in (word.partition("=") for word in SWEPT)
    ]
    by_words = {frozenset(one.words or ()): one for one in found}
    return [
        record
        for chosen in itertools.product(*choices)
        for words, record in by_words.items()
        if words.issuperset(chosen)
    ]


def steps(record: Record, store: Store) -> list[Step]:
    """What a run has to make on an empty store, by what its artifacts took."""
    result = record.result(store)
    plan, labels = result.plan, len(result.dataset().label_names)
    early = {spec.key for spec in plan.early.values()}
    found = [(work.spec, store.find(work.spec)) for work in works(plan, labels)]
    return [
        Step(spec.key, artifact.seconds, spec.key in early)
        for spec, artifact in found
        if artifact is not None and spec.stage != "dataset"  # read before the first run starts
    ]


def told(name: str, schedule: SweepSchedule) -> str:
    """A line on a simulated sweep."""
    waiting = schedule.waiting / (schedule.workers * schedule.seconds)
    return f"{name}: {schedule.seconds:.0f} s, idle {schedule.idle:.1%}, waiting {waiting:.1%}"


def main(folder: Path) -> int:
    """Do the sweep and print what is found."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    os.environ["TGAP_HOME"] = str(folder.absolute() / "home")
    launcher = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={WORKERS}", "-m"]
    code = run_command([*SWEPT, *SMALL, *launcher])
    found = records(folder.absolute() / "home")
    wall, idle, waiting = measured(found)
    sys.stdout.write(f"measured: {wall:.0f} s, idle {idle:.1%}, waiting {waiting:.1%}\n")
    store = Store(folder.absolute() / "home" / "store")
    runs = [steps(record, store) for record in as_typed(found)]
    waiting_at_once = [[replace(step, early=False) for step in run] for run in runs]
    lines = {
        "simulated, as they come": in_order(waiting_at_once, WORKERS),
        "simulated, early work": in_order(runs, WORKERS),
        "simulated, order and early work": least_waiting(runs, WORKERS),
    }
    for name, schedule in lines.items():
        sys.stdout.write(told(name, schedule) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
