"""What a command line will take, told before it starts: runs, seconds, bytes.

Seconds are those of earlier runs in the same folder: each run writes down what making each of its
artifacts took, and an artifact that is like one of those takes as long for as much work. What is
made for the first time goes by what ``rates`` knows besides.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import wrap

from tgap.composition.config import Run
from tgap.core.randomised import passes_per_image
from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.disk import GB, WORTH_TELLING, checkpoint_size, needs, shared_once
from tgap.pipeline.preflight.extent import Extents
from tgap.pipeline.result import Result
from tgap.store import Spec, Store
from tgap.sweeps.rates import COUNTED, DEVICES, PACKAGED, Rates, Time
from tgap.sweeps.records import STAGES, UNIT, stage_of
from tgap.sweeps.schedule import Step

LOOK = 2.0
"""Decoding and valuing an image, in passes of the denoiser: an estimate, 3.1 of Stable Diffusion's
without the judge."""
WIDTH = 66
"""Of a line behind the time, on a terminal of 80 columns."""


@dataclass(frozen=True)
class Work:
    """Making one artifact.

    Args:
        kind: What takes the same time for as much work, e.g. ``generator tiny_ldm dreambooth``.
        amount: Of work: images that a network sees, of what networks do; else 1.
        spec: The artifact.
        run: That makes it, if not the plan's: one of fewer steps, of a guide.
    """

    kind: str
    amount: float
    spec: Spec
    run: Run | None = None

    @property
    def stage(self) -> str:
        """Of the run."""
        return stage_of(self.kind)


def works(plan: Plan, labels: int) -> Iterator[Work]:
    """All that a run makes, in the order of its stages.

    Args:
        plan: Of the run.
        labels: Of its dataset.
    """
    run, early = plan.run, plan.run.early_run
    dataset, generator, tuner = run.dataset.title(), run.generator.title(), run.finetuner.title()
    embedder = run.selector.embedder_used()
    drawn = labels * (run.budget.train_per_label + run.budget.test_per_label)
    drawn *= run.drawing.drawn_each()[0]
    passes = run.drawing.passes(run.sampler) + LOOK * run.drawing.looks(run.sampler)
    tuned = run.budget.steps * run.budget.batch_size
    guide = 0 if early is None else early.budget.steps * run.budget.batch_size
    prior = run.finetuner.prior_images() * passes_per_image(run.prior_sampler)
    trained = (f"classifier {run.classifier.title()}", labels * run.budget.train_per_label)
    tuning = f"{DEVICES}{run.tuning_devices}" if run.tuning_devices > 1 else ""
    drawing = f"{DEVICES}{run.devices}" if run.devices > 1 else ""
    way = "" if run.drawing.as_asked else f" {run.drawing.title()}"
    judge = run.drawing.judge_used()
    kinds = {
        "dataset": (f"dataset {dataset}", 1),
        "embedding": (f"embedding {embedder and embedder.title()} {dataset}", 1),
        "selection": (f"selection {run.selector.title()} {dataset}", 1),
        "prior": (f"prior {generator}{drawing}", prior),
        "generator": (f"generator {generator} {tuner}{tuning}", tuned),
        "guide": (f"generator {generator} {tuner}{tuning}", guide),
        "judge": (f"judge {judge and judge.title()} {run.classifier.title()} {dataset}", 1),
        "synthetic": (f"synthetic {generator}{way}{drawing}", drawn * passes),
        "synthetic_classifier": trained,
        "real_classifier": trained,
        "scores": (f"scores {run.classifier.title()} {dataset}", 1),
    }
    for name, (kind, amount) in kinds.items():
        spec = getattr(plan, name)
        if spec is not None:
            yield Work(kind, max(amount, 1), spec, early if name == "guide" else None)
    for name, spec in plan.evaluations.items():
        yield Work(f"evaluation {run.evaluators[name].title()}", 1, spec)


def costs_of(result: Result) -> str:
    """What making a run's artifacts took, made now or before, as JSON for its record."""
    made = {artifact.key: artifact.seconds for artifact in result.artifacts}
    return json.dumps(
        [
            {"kind": work.kind, "amount": work.amount, "seconds": made[work.spec.key], "unit": UNIT}
            for work in works(result.plan, len(result.dataset().label_names))
            if work.spec.key in made
        ]
    )


@dataclass(frozen=True)
class Making:
    """An artifact that is not in the store yet.

    Args:
        work: What is done for it.
        time: That it takes; ``None`` if nobody knows.
        early: Whether a run may make it before its turn.
    """

    work: Work
    time: Time | None
    early: bool = False

    @property
    def seconds(self) -> float:
        """0 if nobody knows."""
        return 0.0 if self.time is None else self.time.seconds


@dataclass(frozen=True)
class Forecast:
    """What runs will take.

    Args:
        missing: Of each run, what is not in the store, in its order; the same object in each run
            that needs it, of which the first one makes it.
        asked: How many artifacts of each kind all runs need together.
        sizes: Bytes of artifacts that are not in the store, by key.
        stages: Of each stage, in how many runs it has something to make, and how many runs have it.
        checkpoint: Bytes of what fine-tuning keeps for a while, to go on from.
        fetched: How many artifacts of each kind are fetched from the store's second level.
    """

    missing: Sequence[Sequence[Making]]
    asked: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)
    stages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    checkpoint: float = 0.0
    fetched: Mapping[str, int] = field(default_factory=dict)

    @property
    def stored(self) -> list[bool]:
        """Which runs have nothing to make."""
        return [not of_run for of_run in self.missing]

    @cached_property
    def making(self) -> list[Making]:
        """What is to be made, each artifact once."""
        return list({one.work.spec.key: one for run in self.missing for one in run}.values())

    @cached_property
    def seconds(self) -> list[float]:
        """Of each run, what others make before it left out; of unknown kinds 0."""
        seen: set[str] = set()
        seconds = []
        for run in self.missing:
            new = [one for one in run if one.work.spec.key not in seen]
            seen.update(one.work.spec.key for one in new)
            seconds.append(sum(one.seconds for one in new))
        return seconds

    @property
    def size(self) -> float:
        """Bytes in the store."""
        return sum(self.sizes.values())

    @property
    def unknown(self) -> list[str]:
        """Kinds of work that take nobody knows how long."""
        kinds = [one.work.kind for one in self.making if one.time is None]
        return [kind for kind in dict.fromkeys(kinds) if not kind.startswith(QUICK)]

    @property
    def sources(self) -> set[str]:
        """Where the times come from."""
        return {one.time.source for one in self.making if one.time is not None}

    def steps(self, unknown: float = 0.0) -> list[list[Step]]:
        """What each run does, for ``schedule``.

        Args:
            unknown: Seconds for what takes nobody knows how long.
        """
        return [
            [
                Step(one.work.spec.key, unknown if one.time is None else one.seconds, one.early)
                for one in run
            ]
            for run in self.missing
        ]

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
        number = sum(self.fetched.values())
        fetched = f"{number} artifact{'s' if number > 1 else ''} fetched from the second level"
        if stored == runs:
            if number:
                return f"nothing to make; {fetched}, {self.size / GB:.2g} GB"
            return "all in the store" if runs > 1 else "in the store"
        words = [f"{stored} in the store"] if stored else []
        words += [fetched] if number else []
        duration = f"about {duration_in_words(sum(self.seconds))}"
        meanings = {PACKAGED: "rates of another machine", COUNTED: "counted operations"}
        if told := [text for source, text in meanings.items() if source in self.sources]:
            duration += f" ({', '.join(told)})"
        if self.unknown:
            known = f"{duration} and " if any(self.seconds) else ""
            unknown = ", ".join(self.unknown[:3]) + (", ..." if len(self.unknown) > 3 else "")
            duration = f"{known}what was not measured yet ({unknown})"
        size = f"{self.size / GB:.2g} GB"
        if self.checkpoint > WORTH_TELLING:
            size += f", and checkpoints of {self.checkpoint / GB:.2g} GB while a model is tuned"
        return "; ".join([*words, f"{duration}, {size}"])


def forecast(plans: Sequence[Plan], home: Path, gpu: str | None = None) -> Forecast:
    """What runs will take that were checked already.

    Args:
        plans: Of the runs; their datasets are in the store.
        home: Folder of the store and of earlier records.
        gpu: What they are planned for, if not this machine; see ``Rates``.
    """
    store = Store(home / "store")
    extents, rates = Extents(store), Rates(home, gpu)
    wanted = [list(works(plan, extents.of(plan).labels)) for plan in plans]
    specs = {work.spec.key: work.spec for of_run in wanted for work in of_run}
    fetched = store.only_elsewhere(specs.values())
    lacking = {key for key in specs.keys() - fetched if store.find(specs[key]) is None}
    made: dict[str, Making] = {}
    missing: list[list[Making]] = []
    for plan, of_run in zip(plans, wanted, strict=True):
        early = {spec.key for spec in plan.early.values()}
        new = [work for work in of_run if work.spec.key in lacking]
        for work in new:
            key = work.spec.key
            if key not in made:
                time = rates.time(plan, work.kind, work.amount, work.run)
                made[key] = Making(work, time, early=key in early)
        missing.append([made[work.spec.key] for work in new])
    changing = _needing(plans, wanted, lacking | fetched)
    tuning = [
        plan
        for plan in changing
        if any(spec and spec.key in lacking for spec in (plan.generator, plan.guide))
    ]
    all_needs = shared_once([need for plan in changing for need in needs(plan, extents)])
    return Forecast(
        missing=missing,
        asked=Counter(work.spec.stage for of_run in wanted for work in of_run),
        stages=_by_stage(wanted, missing),
        sizes={need.key: need.size for need in all_needs},
        checkpoint=checkpoint_size(tuning, extents),
        fetched=Counter(specs[key].stage for key in fetched),
    )


def _needing(plans: Sequence[Plan], wanted: Sequence[Sequence[Work]], keys: set[str]) -> list[Plan]:
    """The runs that need one of some artifacts."""
    return [
        plan
        for plan, of_run in zip(plans, wanted, strict=True)
        if not keys.isdisjoint(work.spec.key for work in of_run)
    ]


def _by_stage(
    wanted: Sequence[Sequence[Work]], missing: Sequence[Sequence[Making]]
) -> dict[str, tuple[int, int]]:
    """In how many runs a stage has something to make, and how many have it, in their order."""
    having = Counter(stage for run in wanted for stage in {work.stage for work in run})
    making = Counter(stage for run in missing for stage in {one.work.stage for one in run})
    return {
        stage: (making[stage], having[stage])
        for stage in dict.fromkeys(STAGES.values())
        if having[stage]
    }


QUICK = ("selection", "scores", "dataset")
"""Kinds that take little time, or none once a run may start."""


def duration_in_words(seconds: float) -> str:
    """Seconds, minutes or hours, as exact as an estimate is.

    >>> duration_in_words(42.3), duration_in_words(560), duration_in_words(7000)
    ('42 s', '9 minutes', '1.9 hours')
    """
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
