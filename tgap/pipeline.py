"""The stages of a run, in the order of the method: a straight line, one artifact after another."""

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tgap.artifacts import (
    read_images,
    read_legs,
    read_selection,
    read_split,
    write_images,
    write_selection,
    write_split,
)
from tgap.config import Run
from tgap.datasets.splitting import split as split_dataset
from tgap.evaluators.base import LEGS
from tgap.finetuners.base import PromptedImages
from tgap.generators.base import Generator, Model
from tgap.plan import Plan, plan
from tgap.progress import progress
from tgap.seeding import noise_seeds, rng_for, seed_for
from tgap.settings import Sampler, fill
from tgap.store import Artifact, Spec, Store, write_array, write_arrays, write_json
from tgap.types import Images, ImageSet, Indices, Split

log = logging.getLogger(__name__)

STAGES = ("prepare", "embed", "select", "finetune", "generate", "classify", "evaluate")


@dataclass(frozen=True)
class StageRecord:
    """What a stage cost in this run.

    Args:
        seconds: Time spent now; near 0 when reused.
        reused: Whether every artifact of the stage was in the store already.
    """

    seconds: float
    reused: bool


@dataclass
class Result:
    """A finished run: its metrics, and where its artifacts are."""

    run: Run
    plan: Plan
    metrics: dict[str, float] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)


Listener = Callable[[str, Result], None]
"""Told the stage that just ended, and the result so far."""


def execute(run: Run, store: Store, on_stage: Listener = lambda stage, result: None) -> Result:
    """Run all stages, reusing what the store holds.

    Args:
        run: The composed run.
        store: Where artifacts are kept.
        on_stage: Called at the end of each stage, e.g. to log it.

    Returns:
        Metrics, the cost of each stage, and the artifacts.

    Raises:
        TgapError: If a stage cannot do its work; artifacts made so far stay in the store.
    """
    line = _Line(run, store)
    for stage in STAGES:
        with line.timed(stage):
            getattr(line, stage)()
        on_stage(stage, line.result)
    return line.result


class _Line:
    """The stages as methods; each reads earlier artifacts and leaves its own."""

    def __init__(self, run: Run, store: Store) -> None:
        self.run, self.store, self.plan = run, store, plan(run)
        self.result = Result(run, self.plan)

    def timed(self, stage: str) -> "_Timed":
        return _Timed(self.result, stage)

    def _make(self, name: str, spec: Spec | None, make: Callable[[Path], None]) -> None:
        if spec is not None:
            self.result.artifacts[name] = self.store.get_or_make(spec, make)

    def _artifact(self, name: str) -> Artifact:
        return self.result.artifacts[name]

    # Stages, in order

    def prepare(self) -> None:
        prepare(self.run, self.store, self.plan, self.result.artifacts)

    def embed(self) -> None:
        def make(folder: Path) -> None:
            embedder = self.run.selector.embedder_used()
            if embedder is not None:
                images = self._artifact("dataset").read_array("images.npy", mmap=True)
                write_array(folder / "vectors.npy", embedder.embed(images))

        self._make("embedding", self.plan.embedding, make)

    def select(self) -> None:
        def make(folder: Path) -> None:
            pool_indices = self._split().pool
            vectors = None
            if self.plan.embedding is not None:
                vectors = self._artifact("embedding").read_array("vectors.npy")[pool_indices]
            rng = rng_for("select", self.run.seed_of("select"))
            pool = self._images().take(pool_indices)
            write_selection(folder, self.run.selector.select(pool, vectors, self.run.size, rng))

        self._make("selection", self.plan.selection, make)

    def finetune(self) -> None:
        self._make("prior", self.plan.prior, self._draw_prior)
        self._make("generator", self.plan.tuned, self._tune)

    def generate(self) -> None:
        def make(folder: Path) -> None:
            run, data = self.run, self._images()
            per_label = run.budget.train_per_label + run.budget.test_per_label
            prompts: list[str] = []
            seeds: list[int] = []
            for label, name in enumerate(data.label_names):
                prompts += [fill(run.prompts.generation, name, run.dataset.domain)] * per_label
                seeds += noise_seeds(run.seed_of("generate"), label, per_label)
            images = draw(self._generator().load(), prompts, seeds, run.sampler, "synthetic set")
            write_array(folder / "images.npy", images)

        self._make("synthetic", self.plan.synthetic, make)

    def classify(self) -> None:
        for side, spec, images in (
            ("synthetic", self.plan.synthetic_classifier, lambda: self._synthetic()[0]),
            ("real", self.plan.real_classifier, self._real_train),
        ):
            self._make(f"{side} classifier", spec, functools.partial(self._fit, images))
        self._make("scores", self.plan.scores, self._score)

    def evaluate(self) -> None:
        def make(folder: Path) -> None:
            legs = read_legs(self._artifact("scores"))
            write_json(folder / "metrics.json", self.run.evaluator.evaluate(legs))

        self._make("evaluation", self.plan.evaluation, make)
        self._make("pictures", self.plan.pictures, self._picture)
        self.result.metrics = self._artifact("evaluation").read_json("metrics.json")

    # What a stage makes

    def _draw_prior(self, folder: Path) -> None:
        run = self.run
        count = run.finetuner.prior_images()
        prompt = fill(run.prompts.prior, "", run.dataset.domain)
        seeds = noise_seeds(seed_for("prior", 0), 0, count)
        model = run.generator.load()
        images = draw(model, [prompt] * count, seeds, run.prior_sampler, "prior images")
        write_array(folder / "images.npy", images)

    def _tune(self, folder: Path) -> None:
        run = self.run
        losses: list[dict[str, float]] = []
        with progress("fine-tuning", run.budget.steps) as advance:

            def record(step: int, values: dict[str, float]) -> None:
                losses.append({"step": step, **values})
                advance(step)

            tuned = run.finetuner.finetune(
                run.generator.load(),
                self._tuning_set(),
                self._prior(),
                run.budget,
                rng_for("finetune", run.seed_of("finetune")),
                record,
            )
        (folder / "model").mkdir()
        tuned.save(folder / "model")
        write_json(folder / "losses.json", losses)

    def _fit(self, images: Callable[[], ImageSet], folder: Path) -> None:
        epochs: list[dict[str, float]] = []
        train, wanted = images(), self.run.budget.train_per_label
        for label, count in train.label_counts().items():
            if count < wanted:
                log.warning(
                    "only %d real images of label '%s' to train on, %d asked for "
                    "(budget.train_per_label): all are taken", count, label, wanted,
                )  # fmt: skip
        weights = self.run.classifier.fit(
            train,
            rng_for("classify", self.run.seed_of("classify")),
            lambda epoch, values: epochs.append({"epoch": epoch, **values}),
        )
        write_arrays(folder / "weights.safetensors", weights)
        write_json(folder / "epochs.json", epochs)
        write_json(folder / "images.json", train.label_counts())

    def _score(self, folder: Path) -> None:
        data = self._images()
        real_test = data.take(self._split().real_test)
        _, synthetic_test = self._synthetic()
        write_json(folder / "label_names.json", list(data.label_names))
        for leg in LEGS:
            side = "synthetic" if leg[1] == "s" else "real"
            test = synthetic_test if leg[3] == "s" else real_test
            weights = self._artifact(f"{side} classifier").read_arrays("weights.safetensors")
            scores = self.run.classifier.score(weights, test.images)
            write_array(folder / f"{leg}_scores.npy", scores)
            write_array(folder / f"{leg}_labels.npy", test.labels)

    def _picture(self, folder: Path) -> None:
        from tgap.report.figures import image_grid, roc_curves

        train, _ = self._synthetic()
        image_grid(train.images, train.labels, train.label_names, folder / "samples.png")
        roc_curves(read_legs(self._artifact("scores")), folder / "roc.png")

    # What a stage reads

    def _images(self) -> ImageSet:
        return read_images(self._artifact("dataset"))

    def _split(self) -> Split:
        return read_split(self._artifact("split"))

    def _generator(self) -> Generator:
        if self.plan.tuned is None:
            return self.run.generator
        return self.run.generator.at(self._artifact("generator").folder / "model")

    def _tuning_set(self) -> PromptedImages:
        selection = read_selection(self._artifact("selection"))
        data = self._images()
        tuning = self.run.prompts.tuning
        texts = [fill(tuning, name, self.run.dataset.domain) for name in data.label_names]
        return PromptedImages(
            images=data.images[self._split().pool[selection.indices]],
            prompts=tuple(texts[label] for label in selection.labels),
            weights=selection.weights,
        )

    def _prior(self) -> PromptedImages | None:
        if self.plan.prior is None:
            return None
        images = self._artifact("prior").read_array("images.npy")
        prompt = fill(self.run.prompts.prior, "", self.run.dataset.domain)
        return PromptedImages(images, (prompt,) * len(images), np.ones(len(images)))

    def _real_train(self) -> ImageSet:
        """As many real images per label as the synthetic side has, or all there are."""
        train = self._images().take(self._split().real_train)
        rng = rng_for("classify", self.run.seed_of("classify"), "real_train")
        return train.take(draw_per_label(train, self.run.budget.train_per_label, rng))

    def _synthetic(self) -> tuple[ImageSet, ImageSet]:
        """Train and test part of the synthetic set."""
        budget, label_names = self.run.budget, self._images().label_names
        images = self._artifact("synthetic").read_array("images.npy", mmap=True)
        return synthetic_parts(images, label_names, budget.train_per_label)


class _Timed:
    """Records a stage's seconds and whether all that it left was there already."""

    def __init__(self, result: Result, stage: str) -> None:
        self.result, self.stage = result, stage

    def __enter__(self) -> None:
        self.before = set(self.result.artifacts)
        self.start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        new = [a for name, a in self.result.artifacts.items() if name not in self.before]
        seconds = time.perf_counter() - self.start
        if new:
            reused = all(artifact.reused for artifact in new)
            self.result.stages[self.stage] = StageRecord(seconds, reused)


def prepare(run: Run, store: Store, its: Plan, artifacts: dict[str, Artifact]) -> None:
    """Read the dataset into the store once, and split it."""

    def read(folder: Path) -> None:
        write_images(folder, run.dataset.load())

    def divide(folder: Path) -> None:
        write_split(folder, split_dataset(read_images(artifacts["dataset"]), run.splitting))

    artifacts["dataset"] = store.get_or_make(its.dataset, read)
    artifacts["split"] = store.get_or_make(its.split, divide)


def draw(model: Model, prompts: list[str], seeds: list[int], sampler: Sampler, what: str) -> Images:
    """Draw images with progress shown."""
    with progress(f"drawing {what}", len(prompts)) as advance:
        return model.sample(prompts, seeds, sampler, advance)


def draw_per_label(images: ImageSet, count: int, rng: np.random.Generator) -> Indices:
    """Positions of ``count`` random images of each label, or of all there are; sorted."""
    chosen = [
        rng.permutation(np.flatnonzero(images.labels[:, label]))[:count]
        for label in range(len(images.label_names))
    ]
    return np.unique(np.concatenate(chosen)).astype(np.int64)


def synthetic_parts(
    images: Images, label_names: tuple[str, ...], train_per_label: int
) -> tuple[ImageSet, ImageSet]:
    """Divide a synthetic set, labels one after another, into its train and its test part."""
    per_label = len(images) // len(label_names)
    label = np.repeat(np.arange(len(label_names)), per_label)
    n = len(images)
    everything = ImageSet(
        images=images,
        labels=label[:, None] == np.arange(len(label_names)),
        label_names=label_names,
        findings=np.zeros((n, 0), dtype=bool),
        finding_names=(),
        patients=np.arange(n, dtype=np.int64),  # each drawn from noise of its own
    )
    train = (np.arange(n) % per_label) < train_per_label
    parts = [np.flatnonzero(part).astype(np.int64) for part in (train, ~train)]
    return everything.take(parts[0]), everything.take(parts[1])
