"""The stages of a run, in the order of the method: a straight line, one artifact after another."""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tgap.composition.config import Run
from tgap.core.files import write_array, write_arrays, write_json
from tgap.core.progress import progress
from tgap.core.seeding import noise_seeds, rng_for, seed_for
from tgap.core.types import Images, ImageSet
from tgap.datasets.base import Dataset
from tgap.evaluators.base import Evaluator
from tgap.generators.base import Model
from tgap.generators.controls.base import Control
from tgap.generators.latent.saving import save_tuned, save_untuned, share_files
from tgap.metrics.legs import LEGS
from tgap.pipeline.artifacts import (
    ImagesOnDisk,
    read_images,
    write_evaluation,
    write_images,
    write_selection,
    write_split,
    write_synthetic,
)
from tgap.pipeline.generation import draw, findings_to_draw
from tgap.pipeline.plan import DataPlan, Plan, plan
from tgap.pipeline.resizing import resized
from tgap.pipeline.result import Result, StageRecord, shared_labels, with_labels_of
from tgap.pipeline.subsets import draw_per_label, share_per_label, source_patients
from tgap.store import Artifact, Spec, Store

log = logging.getLogger(__name__)


STAGES = ("prepare", "embed", "select", "finetune", "generate", "classify", "evaluate")


Listener = Callable[[str, Result], None]
"""Told the stage that just ended, and the result so far."""


def execute(
    run: Run, store: Store, on_stage: Listener = lambda stage, result: None, its: Plan | None = None
) -> Result:
    """Run all stages, reusing what the store holds.

    Args:
        run: The composed run.
        store: Where artifacts are kept.
        on_stage: Called at the end of each stage, e.g. to log it.
        its: The run's plan, if it is known already.

    Returns:
        Metrics, the cost of each stage, and the artifacts.

    Raises:
        TgapError: If a stage cannot do its work; artifacts made so far stay in the store.
    """
    line = _Line(run, store, its or plan(run))
    for stage in STAGES:
        with line.timed(stage):
            getattr(line, stage)()
        on_stage(stage, line.result)
    return line.result


class _Line:
    """The stages as methods; each reads earlier artifacts and leaves its own."""

    def __init__(self, run: Run, store: Store, its: Plan) -> None:
        self.run, self.store, self.plan = run, store, its
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
        embedder = self.run.selector.embedder_used()
        if embedder is None or self.plan.embedding is None:
            return
        if embedder.uses_classifier:
            self._make_classifier("real")

        def make(folder: Path) -> None:
            if embedder.uses_classifier:
                vectors = embedder.embed(self.result.dataset().images, self.result.dataset_features)
            else:
                vectors = embedder.embed(self.result.dataset().images)
            write_array(folder / "vectors.npy", vectors)

        self._make("embedding", self.plan.embedding, make)

    def select(self) -> None:
        def make(folder: Path) -> None:
            chosen = self.result.split().pool
            pool = self.result.dataset().without_images().take(chosen)
            vectors = None
            if self.plan.embedding is not None:
                vectors = self._artifact("embedding").read_array("vectors.npy")[chosen]
            rng = rng_for("select", self.run.seed_of("select"))
            sizes = self.run.sizes(pool.labels)
            for label in np.flatnonzero(np.array(sizes) == 0) if self.run.selector.sized else ():
                log.warning(
                    "label '%s' gets no tuning image: chance gave it none of size=%d in total",
                    pool.label_names[label],
                    self.run.size,
                )
            write_selection(folder, self.run.selector.select(pool, vectors, sizes, rng))

        self._make("selection", self.plan.selection, make)

    def finetune(self) -> None:
        self._make("prior", self.plan.prior, self._draw_prior)
        self._make("untuned", self.plan.untuned, self._keep_untuned)
        self._make("generator", self.plan.tuned, self._tune)

    def generate(self) -> None:
        make = self._take_ready_made if self.plan.ready_made else self._draw_synthetic
        self._make("synthetic", self.plan.synthetic, make)

    def classify(self) -> None:
        names = self.result.dataset().label_names
        if len(names) < 2:
            log.warning(
                "there is one label only (%s), so there is nothing to tell apart: no classifier "
                "is trained, and TSTR, TRTS and what follows from them are not computed",
                *names,
            )
            return
        self._make_classifier("synthetic")
        self._make_classifier("real")
        self._make("scores", self.plan.scores, self._score)
        for name, spec in self.plan.external_scores.items():
            make = functools.partial(self._score_external, name)
            self._make(f"external scores {name}", spec, make)

    def evaluate(self) -> None:
        for name, spec in self.plan.evaluations.items():
            evaluator = self.run.evaluators[name]
            self._make(f"evaluation {name}", spec, functools.partial(self._evaluate, evaluator))
        self._make("pictures", self.plan.pictures, self._picture)
        self.result.metrics = self.result.read_metrics()

    # What a stage makes

    def _make_classifier(self, side: str) -> None:
        if side == "real":
            self._make("real classifier", self.plan.real_classifier, self._fit_real)
        else:
            spec = self.plan.synthetic_classifier
            self._make("synthetic classifier", spec, self._fit_synthetic)

    def _draw_prior(self, folder: Path) -> None:
        run = self.run
        count = run.finetuner.prior_images()
        prompt = run.prompts.text("prior", run.dataset.domain)
        seeds = noise_seeds(seed_for("prior", 0), 0, count)
        model = run.pretrained.load()
        images = draw(model, [prompt] * count, seeds, run.prior_sampler, "prior images")
        write_array(folder / "images.npy", images)

    def _keep_untuned(self, folder: Path) -> None:
        """All of the untuned model but the denoiser, which tuning changes."""
        save_untuned(self.run.pretrained.load(), folder, self.run.storage.weights)

    def _tune(self, folder: Path) -> None:
        run, untuned = self.run, self.run.pretrained.load()
        losses: list[dict[str, float]] = []
        with progress("fine-tuning", run.budget.steps) as advance:

            def record(step: int, values: dict[str, float]) -> None:
                losses.append({"step": step, **values})
                advance(step)

            tuned = run.finetuner.finetune(
                untuned,
                self.result.tuning_set(),
                self.result.prior_set(),
                run.budget,
                rng_for("finetune", run.seed_of("finetune")),
                record,
            )
        (folder / "model").mkdir()
        if run.storage.weights == "float32":
            tuned.save(folder / "model")
        else:
            save_tuned(tuned, untuned, folder / "model", run.storage.weights)
        if "untuned" in self.result.artifacts:
            share_files(folder / "model", self._artifact("untuned").folder)
        write_json(folder / "losses.json", losses)

    def _fit_real(self, folder: Path) -> None:
        self._fit(self.result.real_train(), folder)

    def _fit_synthetic(self, folder: Path) -> None:
        self._fit(self.result.synthetic()[0], folder)

    def _fit(self, train: ImageSet, folder: Path) -> None:
        epochs: list[dict[str, float]] = []
        wanted = self.run.budget.train_per_label
        for label, count in train.label_counts().items():
            if count < wanted:
                log.warning(
                    "only %d images of label '%s' to train on, %d asked for "
                    "(budget.train_per_label): all are taken",
                    count,
                    label,
                    wanted,
                )
        weights = self.run.classifier.fit(
            train,
            rng_for("classify", self.run.seed_of("classify")),
            lambda epoch, values: epochs.append({"epoch": epoch, **values}),
        )
        write_arrays(folder / "weights.safetensors", weights)
        write_json(folder / "epochs.json", epochs)
        write_json(folder / "images.json", train.label_counts())

    def _score(self, folder: Path) -> None:
        data = self.result.dataset()
        real_test = self.result.real_test()
        _, synthetic_test = self.result.synthetic()
        write_json(folder / "label_names.json", list(data.label_names))
        for leg in LEGS:
            side = "synthetic" if leg[1] == "s" else "real"
            test = synthetic_test if leg[3] == "s" else real_test
            weights = self._artifact(f"{side} classifier").read_arrays("weights.safetensors")
            scores = self.run.classifier.score(weights, test.images)
            write_array(folder / f"{leg}_scores.npy", scores)
            write_array(folder / f"{leg}_labels.npy", test.labels)

    def _score_external(self, name: str, folder: Path) -> None:
        """Both classifiers on all of another dataset, by the labels that it shares."""
        ours = self.result.dataset()
        data = self.result.shown(read_images(self._artifact(f"external {name}")))
        shared = shared_labels(ours.label_names, data.label_names)
        if len(shared) < len(ours.label_names):
            log.warning(
                "external.%s has %s only of the labels %s: the others are not tested there",
                name,
                ", ".join(shared),
                ", ".join(ours.label_names),
            )
        columns = [ours.label_names.index(label) for label in shared]
        truth = data.labels[:, [data.label_names.index(label) for label in shared]]
        write_json(folder / "label_names.json", shared)
        for leg, side in (("tstr", "synthetic"), ("trtr", "real")):
            weights = self._artifact(f"{side} classifier").read_arrays("weights.safetensors")
            scores = self.run.classifier.score(weights, data.images)
            write_array(folder / f"{leg}_scores.npy", scores[:, columns])
            write_array(folder / f"{leg}_labels.npy", truth)

    def _evaluate(self, evaluator: Evaluator, folder: Path) -> None:
        from tgap.report.figures import draw_tables

        rng = rng_for("evaluate", self.run.seed_of("evaluate"), evaluator.stem())
        found = evaluator.evaluate(self.result, rng)
        write_evaluation(folder, found)
        draw_tables(found.tables, folder)

    def _model(self, label_of: dict[str, int]) -> Model:
        """The generator, tuned if that was asked for, or a control with what it draws from."""
        generator = self.run.generator
        if not isinstance(generator, Control):
            return self.result.generator().load()
        rng = rng_for("generate", self.run.seed_of("generate"), "control")
        return generator.given(self.result.examples(label_of), rng)

    def _take_ready_made(self, folder: Path) -> None:
        """A synthetic set made elsewhere, labels in the dataset's order, divided in two."""
        ours = self.result.dataset()
        made = self.result.shown(read_images(self._artifact("ready-made images")))
        made = with_labels_of(made, ours)
        budget = self.run.budget
        # As the real split, the same for all seeds: there is one synthetic set and no other.
        rng = rng_for("split", self.run.split_seed, "ready_made")
        train = share_per_label(
            made.labels,
            budget.train_per_label / (budget.train_per_label + budget.test_per_label),
            rng,
        )
        kept = [
            part[draw_per_label(made.labels[part], count, rng)]
            for part, count in (
                (np.flatnonzero(train), budget.train_per_label),
                (np.flatnonzero(~train), budget.test_per_label),
            )
        ]
        rows = np.concatenate(kept)
        if len(np.unique(made.patients)) == len(made):  # perhaps only because none is told
            made = dataclasses.replace(made, patients=source_patients(made.images))
        write_synthetic(folder, made.take(rows), np.arange(len(rows)) < len(kept[0]))

    def _draw_synthetic(self, folder: Path) -> None:
        """Images of each label, the first of them to train on and the rest to test on."""
        run, data = self.run, self.result.dataset()
        per_label = run.budget.train_per_label + run.budget.test_per_label
        n_labels = len(data.label_names)
        findings = findings_to_draw(run, data, self.result.split().pool)
        prompts: list[str] = []
        seeds: list[int] = []
        label_of: dict[str, int] = {}
        for label in range(n_labels):
            rows = findings[label * per_label : (label + 1) * per_label]
            texts = [self.result.prompt("generation", data, label, row) for row in rows]
            label_of |= dict.fromkeys(texts, label)
            prompts += texts
            seeds += noise_seeds(run.seed_of("generate"), label, per_label)
        model, n = self._model(label_of), len(prompts)
        if run.is_control:  # its images may be real ones, which is told before they are reduced
            drawn = draw(model, prompts, seeds, run.sampler, "synthetic set")
            patients = source_patients(drawn, data.take(self.result.split().pool))
            images = self._kept(drawn)
        else:
            images = draw(model, prompts, seeds, run.sampler, "synthetic set", self._kept)
            patients = source_patients(images)
        made = ImageSet(
            images=images,
            labels=np.repeat(np.eye(n_labels, dtype=bool), per_label, axis=0),
            label_names=data.label_names,
            findings=findings,
            finding_names=data.finding_names if findings.shape[1] else (),
            patients=patients,
        )
        write_synthetic(folder, made, np.arange(n) % per_label < run.budget.train_per_label)

    def _kept(self, images: Images) -> Images:
        """Drawn images as they are kept: in the dataset's channels, reduced if asked for."""
        size, channels = self.run.storage.image_size, self.result.dataset().images.shape[3]
        if size in (None, images.shape[1]) and images.shape[3] == channels:
            return images
        return resized(images, size, channels)

    def _picture(self, folder: Path) -> None:
        from tgap.report.figures import image_grid, roc_curves

        train, _ = self.result.synthetic()
        image_grid(train.images, train.labels, train.label_names, folder / "samples.png")
        if legs := self.result.legs():
            roc_curves(legs, folder / "roc.png")


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


def prepare(run: Run, store: Store, its: DataPlan, artifacts: dict[str, Artifact]) -> None:
    """Read the dataset into the store once, and split it."""

    def read(dataset: Dataset, folder: Path) -> None:
        write_images(folder, dataset.load(ImagesOnDisk(folder)))

    def divide(folder: Path) -> None:
        write_split(folder, run.protocol.split(read_images(artifacts["dataset"]), run.splitting))

    artifacts["dataset"] = store.get_or_make(
        its.dataset, functools.partial(read, run.dataset), resumable=True
    )
    for kind, specs, others in (
        ("external", its.external, run.external),
        ("ready-made", its.ready_made, run.ready_made()),
    ):
        for name, spec in specs.items():
            make = functools.partial(read, others[name])
            artifacts[f"{kind} {name}"] = store.get_or_make(spec, make, resumable=True)
    artifacts["split"] = store.get_or_make(its.split, divide)
