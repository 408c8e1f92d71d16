"""A run and what it left in the store, read back as typed values."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NoReturn

import numpy as np

from tgap.composition.config import Run
from tgap.core import (
    Bools,
    DataError,
    Doubles,
    ImageSet,
    Indices,
    Scores,
    Selection,
    Split,
    StoreError,
    rng_for,
)
from tgap.finetuners.base import PromptedImages
from tgap.generators.base import Pretrained
from tgap.metrics.legs import LEGS
from tgap.pipeline.artifacts import DRAWN, read_legs, read_selection, read_synthetic
from tgap.pipeline.plan import Plan
from tgap.pipeline.preparation import Data
from tgap.pipeline.subsets import reserved
from tgap.pipeline.training_rows import labels_asked_for, real_train_rows, synthetic_rows
from tgap.store import Artifact

RESAMPLED = "resampled.npy"
"""Of an evaluation: AUROCs on resampled test images."""
UNLABELLED = "cost/unlabelled_real"
"""Of evaluators that look at the reserve without its labels."""
TOTALS = (
    "images_seen",
    "images_kept",
    "images_forced",
    "kept_rate",
    "oracle_passes",
    "oracle_seconds",
    "work",
)
"""What a finetuner counts from step to step."""


@dataclass(frozen=True)
class StageRecord:
    """What a stage cost in this run, the part of it that was done before its turn included.

    Args:
        seconds: Time spent now; near 0 when reused.
        reused: Whether every artifact of the stage was in the store already.
    """

    seconds: float
    reused: bool


ARTIFACT_WORDS = {
    "data": "dataset",
    "synthetic": "synthetic set",
    "selection": "tuning set",
    "generator": "tuned generator",
    "guide": "early generator",
    "untuned": "untuned generator",
    "prior": "prior set",
    "real_classifier": "classifier of real images",
    "synthetic_classifier": "classifier of synthetic images",
}
"""What artifacts are called in messages, where their names in the plan are not the words."""


@dataclass(repr=False, eq=False)  # some are not there yet
class Artifacts:
    """What stages left, by the names of the plan; there when its stage has ended."""

    data: Data = field(init=False)
    embedding: Artifact | None = None
    selection: Artifact | None = None
    prior: Artifact | None = None
    untuned: Artifact | None = None
    generator: Artifact | None = None
    guide: Artifact | None = None
    judge: Artifact = field(init=False)
    synthetic: Artifact = field(init=False)
    synthetic_classifier: Artifact = field(init=False)
    real_classifier: Artifact = field(init=False)
    scores: Artifact | None = None
    external_scores: dict[str, Artifact] = field(default_factory=dict)
    evaluations: dict[str, Artifact] = field(default_factory=dict)
    pictures: Artifact | None = None

    def __iter__(self) -> Iterator[Artifact]:
        """All that are there."""
        yield from _artifacts_in(vars(self))

    def __getattr__(self, name: str) -> NoReturn:
        """Told of what every run has and that is not there; other names are nobody's."""
        if name not in {each.name for each in fields(self)}:
            raise AttributeError(f"a run leaves no artifact '{name}'")
        words = ARTIFACT_WORDS.get(name, name.replace("_", " "))
        raise StoreError(
            f"the run's {words} is not in the store: it was removed, or the run "
            "did not get that far; start the run again: what is there is reused"
        )


def _artifacts_in(values: Mapping[str, object]) -> Iterator[Artifact]:
    for value in values.values():
        if isinstance(value, Artifact):
            yield value
        elif isinstance(value, Data):
            yield from _artifacts_in(vars(value))
        elif isinstance(value, dict):
            yield from _artifacts_in(value)


SHOWN = (
    {"TSTR": "tstr/auroc", "TRTS": "trts/auroc", "TRTR": "trtr/auroc", "TSTS": "tsts/auroc"},
    {"FTER": "fter", "T-Gap": "t_gap"},
    {"copied": "memorization/copied_fraction", "coverage": "fidelity/coverage"},
)
"""Metrics of a result's own description, a line each."""


@dataclass(repr=False)
class Result:
    """A run: its metrics, what its stages cost, and its artifacts by name.

    The methods read artifacts back; the images of datasets and synthetic sets stay on disk until
    they are used. ``words`` are those of the command line, where they are known.
    """

    plan: Plan
    metrics: dict[str, float] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    artifacts: Artifacts = field(default_factory=Artifacts)
    words: tuple[str, ...] | None = None
    counted: set[Path] = field(default_factory=set)
    """Artifacts whose cost some stage has been charged with."""

    @property
    def run(self) -> Run:
        """The run."""
        return self.plan.run

    def __repr__(self) -> str:
        """What it is and what came out, in a few lines."""
        run = self.run
        unit = "in total" if run.unit == "total" else "per label"
        size = "" if run.tuning_size is None else f", size {run.tuning_size} {unit}"
        lines = [
            f"Result of {run.method}{size}, seed {run.seed}",
            f"  dataset {run.dataset.title()}, generator {run.generator.title()}, "
            f"{run.sampler.guidance_in_words()}, protocol {run.protocol.title()}",
        ]
        for names in SHOWN:
            there = [
                f"{heading} {self.metrics[name]:.3f}"
                for heading, name in names.items()
                if name in self.metrics
            ]
            lines += [f"  {', '.join(there)}"] if there else []
        seconds = ", ".join(f"{s} {record.seconds:.1f}" for s, record in self.stages.items())
        lines += [f"  seconds: {seconds}"] if seconds else []
        lines += [
            f"  .metrics has {len(self.metrics)} numbers; .synthetic(), .tuning_set(), "
            ".generator(), .dataset(), .split() and .legs() what is behind them"
        ]
        return "\n".join(lines)

    def dataset(self) -> ImageSet:
        """All real images, as they were read."""
        return self.artifacts.data.images()

    def split(self) -> Split:
        """Which of them are pool, real_train and real_test."""
        return self.artifacts.data.sides()

    def selection(self) -> Selection | None:
        """The tuning set as positions in the pool; ``None`` if nothing was tuned."""
        made = self.artifacts.selection
        return None if made is None else read_selection(made)

    def tuning_set(self) -> PromptedImages:
        """The tuning images, in the order of picking, with their prompts and weights.

        Raises:
            DataError: If nothing was tuned.
        """
        selection = self.selection()
        if selection is None:
            raise DataError(f"the run has no tuning set: its method is '{self.run.method}'")
        data = self.dataset()
        chosen = self.split().pool[selection.indices]
        labels = labels_asked_for(self.run, data, selection.labels, chosen)
        channels, told = self.run.tuning_channels or data.images.shape[3], self.run.prompts
        said: Sequence[str] = [""] * len(chosen)
        if columns := told.columns():
            said = told.attributes_of({c: data.metadata[c][chosen] for c in columns}).tolist()
        return PromptedImages(
            images=data.with_channels(channels).images[chosen],
            prompts=tuple(
                self.prompt("tuning", data, *rows)
                for rows in zip(labels, data.findings[chosen], said, strict=True)
            ),
            weights=selection.weights,
            labels=selection.labels,
        )

    def reserve(self) -> tuple[Indices, Indices]:
        """Pool images that nothing else of the run uses, for judges: to fit one, and to check it.

        None is of a patient with an image in the tuning set, real_train or real_test, whatever the
        protocol: a judge that had seen either of these would choose images for the very classifier
        or test that they are then judged by. All seeds and methods divide the pool alike.

        Returns:
            Positions in the dataset of the fitting and of the checking half, sorted; no patient is
            in both, and both may be empty.
        """
        split, selection = self.split(), self.selection()
        used = [split.real_train, split.real_test]
        if selection is not None:
            used.append(split.pool[selection.indices])
        rng = rng_for("split", self.run.split_seed, "reserve")
        return reserved(self.dataset(), split.pool, np.concatenate(used), rng)

    def prior_set(self) -> PromptedImages | None:
        """What the untuned generator drew for the class prompt, if that was wanted."""
        if self.artifacts.prior is None:
            return None
        images = self.artifacts.prior.read_array("images.npy")
        prompt = self.run.prompts.text("prior", self.run.dataset.domain)
        count = len(images)
        return PromptedImages(images, (prompt,) * count, np.ones(count), np.zeros(count, np.int64))

    def prompt(
        self,
        use: str,
        data: ImageSet,
        labels: Bools,
        findings: Bools,
        attributes: str = "",
        template: int = 0,
    ) -> str:
        """The text for an image, by its rows of labels and findings."""
        label_names = [data.label_names[i] for i in np.flatnonzero(labels)]
        names = [data.finding_names[i] for i in np.flatnonzero(findings)]
        domain = self.run.dataset.domain
        return self.run.prompts.text(use, domain, label_names, names, attributes, template)

    def generator(self) -> Pretrained:
        """The tuned generator; the untuned one if nothing was tuned.

        Raises:
            TgapError: If the run has no model: its generator is a control, or nothing is drawn.
        """
        tuned = self.artifacts.generator
        return self.run.pretrained if tuned is None else self.run.pretrained.at(tuned.path("model"))

    def synthetic(self) -> tuple[ImageSet, ImageSet]:
        """Train and test part of the synthetic set.

        With ``budget.equal``, images of which real_train has not as many are tested on.
        """
        data, train, test = self.synthetic_parts()
        return data.take(train), data.take(test)

    def synthetic_parts(self) -> tuple[ImageSet, Indices, Indices]:
        """The synthetic set as it was made, and the positions in it of train and test part."""
        data, train = read_synthetic(self.artifacts.synthetic)
        real = self.dataset().labels[real_train_rows(self.run, self.dataset(), self.split())]
        rows = synthetic_rows(self.run, data, np.flatnonzero(train), real)
        return data, rows, np.setdiff1d(np.arange(len(data)), rows)

    def real_train(self) -> Indices:
        """Positions in the dataset of the images that train the real classifier.

        With ``budget.equal``, no more of a label than a set made elsewhere has to train on.
        """
        made = None
        if self.artifacts.data.ready_made:  # what is drawn has as many as are asked for
            data, train = read_synthetic(self.artifacts.synthetic)
            made = data.labels[train]
        return real_train_rows(self.run, self.dataset(), self.split(), made)

    def legs(self) -> dict[str, Scores]:
        """The scores of TSTR, TRTS, TRTR and TSTS, and of further real test sets.

        Those are called ``external/<name>/tstr`` and ``external/<name>/trtr``.
        Empty if there is one label only.
        """
        if self.artifacts.scores is None:
            return {}
        legs = read_legs(self.artifacts.scores, LEGS)
        for name, made in self.artifacts.external_scores.items():
            further = read_legs(made, ("tstr", "trtr"))
            legs |= {f"external/{name}/{leg}": scores for leg, scores in further.items()}
        return legs

    def read_metrics(self) -> dict[str, float]:
        """All evaluators' metrics; those of one with a name of its own stand below that name.

        Of unlabelled real images that several look at, the most counts: they look at them in one
        order, so that the others' are among these.
        """
        metrics: dict[str, float] = {}
        for name in self.artifacts.evaluations:
            own = self._metrics_of(name)
            if UNLABELLED in own and UNLABELLED in metrics:
                own[UNLABELLED] = max(own[UNLABELLED], metrics[UNLABELLED])
            metrics |= own
        metrics |= {f"cost/{name}": value for name, value in self.tuning_cost().items()}
        return metrics | self.drawing_cost()

    def metric_names(self) -> dict[str, list[str]]:
        """Which of the metrics are each evaluator's."""
        return {name: list(self._metrics_of(name)) for name in self.artifacts.evaluations}

    def _metrics_of(self, evaluator: str) -> dict[str, float]:
        own = self.artifacts.evaluations[evaluator].read_json("metrics.json")
        prefix = "" if evaluator == self.run.evaluators[evaluator].stem() else f"{evaluator}/"
        return {f"{prefix}{name}": value for name, value in own.items()}

    def tuning_cost(self) -> dict[str, float]:
        """What fine-tuning took, when it was made: its totals, ``steps`` and ``seconds``.

        Those of an early generator that guides the sampler are ``guide_steps`` and so on. Empty if
        nothing was tuned.
        """
        guide = {f"guide_{name}": value for name, value in _cost(self.artifacts.guide).items()}
        return _cost(self.artifacts.generator) | guide

    def drawing_cost(self) -> dict[str, float]:
        """What drawing the synthetic set took, by metric: images and passes of the denoiser.

        Where images were rejected, also how many were, and the judge's passes and labelled images.
        Empty if no model drew it.
        """
        run, artifacts = self.run, vars(self.artifacts)
        if artifacts.get("synthetic") is None or not isinstance(run.generator, Pretrained):
            return {}
        if run.drawing.as_asked:
            images = float(len(self.artifacts.synthetic.read_array("train.npy")))
            passes = images * run.drawing.passes(run.sampler)
            return {"cost/draw_images": images, "cost/draw_passes": passes}
        cost: dict[str, float] = self.artifacts.synthetic.read_json(DRAWN)
        if artifacts.get("judge") is not None:
            seen = self.artifacts.judge.read_json("checked.json")["labelled_real"]
            cost = {**cost, "cost/labelled_real": float(seen)}
        return cost

    def export(
        self, out: Path | str, what: Sequence[str] = (), *, with_copies: bool = False
    ) -> list[Path]:
        """Write what the run made into a new folder, for others, each part with a card.

        Args:
            out: A folder that is empty or not there yet; it is complete or absent afterwards.
            what: ``synthetic``, ``generator``, ``classifier``; empty = the synthetic set, and of
                the others what the run has.
            with_copies: Go on where copies of tuning images are in it; the cards then warn.

        Returns:
            The folders of the parts.

        Raises:
            TgapError: If a part is not there or is refused, or the folder cannot be written.
        """
        # By its name, because it reads results: modules form no circle.
        exporting = importlib.import_module("tgap.pipeline.export.exporting")
        folders: list[Path] = exporting.export(self, Path(out), what, with_copies=with_copies)
        return folders

    def resampled(self) -> Doubles | None:
        """``(B, E)``: macro AUROCs on resampled test images, if they were made; columns are of
        ``tgap.metrics.legs.resampled_legs``.
        """
        for made in self.artifacts.evaluations.values():
            if (made.folder / RESAMPLED).exists():
                return made.read_array(RESAMPLED)
        return None


def _cost(tuned: Artifact | None) -> dict[str, float]:
    """What tuning a generator took."""
    if tuned is None:
        return {}
    cost = {"seconds": tuned.seconds, **tuned.times}
    for last in tuned.read_json("losses.json")[-1:]:
        cost["steps"] = float(last["step"])
        cost |= {name: float(last[name]) for name in TOTALS if name in last}
    return cost
