"""What a command line will take, told before it starts: runs, seconds, bytes.

Seconds are those of earlier runs in the same folder: each run writes down what making each of its
artifacts took, and an artifact that is like one of those takes as long for as much work. What is
made for the first time goes by the rates below, if it is of the default profile.
"""

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.disk import (
    GB,
    WORTH_TELLING,
    checkpoint_size,
    needs,
    shared_once,
    total_of,
)
from tgap.pipeline.result import Result
from tgap.store import Spec, Store
from tgap.sweeps.records import STAGES, records, stage_of

WIDTH = 66
"""Of a line behind the time, on a terminal of 80 columns."""
NEWEST = 50
"""Records that are looked into."""
RATES = 5
"""Of equal artifacts, the newest so many count; the median of their rates is taken."""
REFERENCE: Mapping[str, float] = {
    "generator tiny_ldm dreambooth": 0.0016,
    "synthetic tiny_ldm": 0.0012,
    "prior tiny_ldm": 0.0009,
    "classifier small_cnn": 0.001,
    "evaluation two_way": 1.0,
    "evaluation baselines": 0.6,
    "evaluation fidelity": 0.7,
    "evaluation memorization": 10.0,
    "evaluation occlusion": 0.1,
}
"""Seconds for a unit of work: of one default run on two cores (AMD EPYC), nothing beside it."""


@dataclass(frozen=True)
class Work:
    """Making one artifact.

    Args:
        kind: What takes the same time for as much work, e.g. ``generator tiny_ldm dreambooth``.
        amount: Of work: images that a network sees, of what networks do; else 1.
        spec: The artifact.
    """

    kind: str
    amount: float
    spec: Spec

    @property
    def stage(self) -> str:
        """Of the run."""
        return stage_of(self.kind)


def works(plan: Plan) -> Iterator[Work]:
    """All that a run makes, in the order of its stages."""
    run = plan.run
    dataset, generator, tuner = run.dataset.title(), run.generator.title(), run.finetuner.title()
    embedder = run.selector.embedder_used()
    drawn = run.budget.train_per_label + run.budget.test_per_label
    prior = run.finetuner.prior_images() * run.prior_sampler.steps
    trained = (f"classifier {run.classifier.title()}", run.budget.train_per_label)
    kinds = {
        "dataset": (f"dataset {dataset}", 1),
        "embedding": (f"embedding {embedder and embedder.title()} {dataset}", 1),
        "selection": (f"selection {run.selector.title()} {dataset}", 1),
        "prior": (f"prior {generator}", prior),
        "generator": (f"generator {generator} {tuner}", run.budget.steps * run.budget.batch_size),
        "synthetic": (f"synthetic {generator}", drawn * run.sampler.steps),
        "synthetic_classifier": trained,
        "real_classifier": trained,
        "scores": (f"scores {run.classifier.title()} {dataset}", 1),
    }
    for name, (kind, amount) in kinds.items():
        spec = getattr(plan, name)
        if spec is not None:
            yield Work(kind, max(amount, 1), spec)
    for name, spec in plan.evaluations.items():
        yield Work(f"evaluation {run.evaluators[name].title()}", 1, spec)


def costs_of(result: Result) -> str:
    """What making a run's artifacts took, made now or before, as JSON for its record."""
    made = {artifact.key: artifact.seconds for artifact in result.artifacts}
    return json.dumps(
        [
            {"kind": work.kind, "amount": work.amount, "seconds": made[work.spec.key]}
            for work in works(result.plan)
            if work.spec.key in made
        ]
    )


@dataclass(frozen=True)
class Forecast:
    """What runs will take.

    Args:
        stored: Which of them have everything in the store already.
        seconds: Of each run, what others of them make before it left out; of unknown kinds 0.
        size: Bytes in the store.
        unknown: Kinds of work that take nobody knows how long.
        elsewhere: Whether some rates are those of another machine.
        stages: Of each stage, in how many runs it has something to make, and how many runs have it.
        checkpoint: Bytes of what fine-tuning keeps for a while, to go on from.
    """

    stored: Sequence[bool]
    seconds: Sequence[float]
    size: float
    unknown: Sequence[str]
    elsewhere: bool
    checkpoint: float = 0.0
    stages: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def by_stage(self) -> list[str]:
        """What is to be made and what is in the store, by stage, in lines for 80 columns."""
        made = [f"{name} {new} of {of}" for name, (new, of) in self.stages.items() if new]
        there = [
            f"{name} {of - new} of {of}" for name, (new, of) in self.stages.items() if of > new
        ]
        lines = {"to make, in runs": made, "in the store": there}
        told = [f"{what}: {', '.join(stages)}" for what, stages in lines.items() if stages]
        return [line for text in told for line in wrap(text, WIDTH)]

    def in_words(self) -> str:
        """E.g. ``7 in the store; about 9 minutes, 0.3 GB``."""
        runs, stored = len(self.stored), sum(self.stored)
        if stored == runs:
            return "all in the store" if runs > 1 else "in the store"
        words = [f"{stored} in the store"] if stored else []
        duration = f"about {duration_in_words(sum(self.seconds))}"
        duration += " (rates of another machine)" if self.elsewhere else ""
        if self.unknown:
            known = f"{duration} and " if any(self.seconds) else ""
            unknown = ", ".join(self.unknown[:3]) + (", ..." if len(self.unknown) > 3 else "")
            duration = f"{known}what was not measured yet ({unknown})"
        size = f"{self.size / GB:.2g} GB"
        if self.checkpoint > WORTH_TELLING:
            size += f", and checkpoints of {self.checkpoint / GB:.2g} GB while a model is tuned"
        return "; ".join([*words, f"{duration}, {size}"])


def forecast(plans: Sequence[Plan], home: Path) -> Forecast:
    """What runs will take that were checked already.

    Args:
        plans: Of the runs; their datasets are in the store.
        home: Folder of the store and of earlier records.
    """
    store = Store(home / "store")
    wanted = [list(works(plan)) for plan in plans]
    missing = [[work for work in of_run if store.find(work.spec) is None] for of_run in wanted]
    rates = measured_rates(home) if any(missing) else {}
    seen: set[str] = set()
    seconds, unknown = [], list[str]()
    elsewhere = False
    for new in missing:
        total = 0.0
        for work in new:
            if work.spec.key in seen:
                continue
            seen.add(work.spec.key)
            rate = rates.get(work.kind)
            if rate is None and (rate := _reference(work.kind)) is not None:
                elsewhere = True
            if rate is not None:
                total += rate * work.amount
            elif work.kind not in unknown and not work.kind.startswith(QUICK):
                unknown.append(work.kind)
        seconds.append(total)
    making = [plan for plan, new in zip(plans, missing, strict=True) if new]
    all_needs = shared_once([need for plan in making for need in needs(plan, store)])
    return Forecast(
        stored=[not new for new in missing],
        seconds=seconds,
        size=total_of(all_needs),
        unknown=unknown,
        elsewhere=elsewhere,
        checkpoint=checkpoint_size(making, store),
        stages=_by_stage(wanted, missing),
    )


def _by_stage(
    wanted: Sequence[Sequence[Work]], missing: Sequence[Sequence[Work]]
) -> dict[str, tuple[int, int]]:
    """In how many runs a stage has something to make, and how many have it, in their order."""
    having = Counter(stage for run in wanted for stage in {work.stage for work in run})
    making = Counter(stage for run in missing for stage in {work.stage for work in run})
    return {
        stage: (making[stage], having[stage])
        for stage in dict.fromkeys(STAGES.values())
        if having[stage]
    }


QUICK = ("selection", "scores", "dataset")
"""Kinds that take little time, or none once a run may start."""


def measured_rates(home: Path) -> dict[str, float]:
    """Seconds for a unit of work by kind, as the newest records have it."""
    rates: dict[str, list[float]] = {}
    for record in reversed(records(home)[-NEWEST:]):
        for cost in record.costs:
            found = rates.setdefault(cost["kind"], [])
            if len(found) < RATES:
                found.append(cost["seconds"] / cost["amount"])
    return {kind: statistics.median(found) for kind, found in rates.items()}


def _reference(kind: str) -> float | None:
    """The rate of a kind that is packaged, or of what it begins with."""
    return next((rate for name, rate in REFERENCE.items() if kind.startswith(name)), None)


def duration_in_words(seconds: float) -> str:
    """Seconds, minutes or hours, as exact as an estimate is.

    >>> duration_in_words(42.3), duration_in_words(560), duration_in_words(7000)
    ('42 s', '9 minutes', '1.9 hours')
    """
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
