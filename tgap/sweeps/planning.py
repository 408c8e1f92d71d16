"""What a sweep will make and reuse, by kind of artifact, and how long several workers take."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tgap.sweeps.forecast import QUICK, Forecast, Making
from tgap.sweeps.records import STAGES
from tgap.sweeps.schedule import SweepSchedule, least_waiting

UNKNOWN = "not known"
LITTLE = "little"
"""What is said of the time of quick work that was not measured."""


@dataclass(frozen=True)
class PlanRow:
    """All artifacts of one kind.

    Args:
        stage: Their kind, as in ``tgap store list``.
        make: How many are to be made.
        shared: How often one that a run makes is used by another run.
        stored: How often one is used that is in the store already, or was fetched before.
        fetched: How many are fetched from the store's second level.
        each: Median seconds of those to be made; ``None`` if nobody knows.
        seconds: Of all; those of which nobody knows left out.
        size: Bytes; ``None`` of kinds that take a few kB.
        sources: Where the times come from.
    """

    stage: str
    make: int
    shared: int
    stored: int
    fetched: int
    each: float | None
    seconds: float
    size: float | None
    sources: Sequence[str]


@dataclass(frozen=True)
class SweepPlan:
    """A sweep before it starts.

    Args:
        expected: Its forecast.
        rows: By kind of artifact, in the order in which a run makes them.
        schedule: How it goes with so many workers.
    """

    expected: Forecast
    rows: Sequence[PlanRow]
    schedule: SweepSchedule

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs: seconds and bytes."""
        expected, schedule = self.expected, self.schedule
        return {
            "runs": len(expected.missing),
            "stored_runs": sum(expected.stored),
            "artifacts": [vars(row) | {"sources": list(row.sources)} for row in self.rows],
            "seconds": sum(expected.seconds),
            "bytes": expected.size,
            "checkpoint_bytes": expected.checkpoint,
            "unknown": expected.unknown,
            "workers": schedule.workers,
            "wall_seconds": schedule.seconds,
            "idle_share": schedule.idle,
            "waiting_seconds": schedule.waiting,
        }


def sweep_plan(expected: Forecast, workers: int) -> SweepPlan:
    """What is forecast, in rows, and done by so many workers at a time."""
    rows = [_row(stage, expected) for stage in STAGES if expected.asked.get(stage)]
    return SweepPlan(expected, rows, least_waiting(expected.steps(), workers))


def _row(stage: str, expected: Forecast) -> PlanRow:
    of_runs = [one for run in expected.missing for one in run if one.work.spec.stage == stage]
    made = {one.work.spec.key: one for one in of_runs}
    times = [one.time.seconds for one in made.values() if one.time is not None]
    sizes = [expected.sizes[key] for key in made if key in expected.sizes]
    return PlanRow(
        stage=stage,
        make=len(made),
        shared=len(of_runs) - len(made),
        stored=expected.asked[stage] - len(of_runs) - expected.fetched.get(stage, 0),
        fetched=expected.fetched.get(stage, 0),
        each=statistics.median(times) if times else None,
        seconds=sum(times),
        size=sum(sizes) if sizes else None,
        sources=sorted({_source(one) for one in made.values()}),
    )


def _source(one: Making) -> str:
    if one.time is not None:
        return one.time.source
    return LITTLE if one.work.kind.startswith(QUICK) else UNKNOWN
