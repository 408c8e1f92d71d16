"""A tuned generator, and the synthetic set that is drawn from it."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.composition.config import Run
from tgap.core import ContractError, DataError, Images, ImageSet, Indices, Sampler, rng_for
from tgap.core.checkpoint import Pieces
from tgap.core.files import write_array, write_json
from tgap.core.memory import memory_told
from tgap.core.progress import progress
from tgap.core.randomised import drawing_order
from tgap.core.seeding import noise_seeds, seed_for, trial_seed
from tgap.core.settings import OTHER_MODELS
from tgap.core.team import current
from tgap.core.types import no_pixels
from tgap.drawings.base import Wanted
from tgap.generators.base import Model
from tgap.generators.controls.base import Control
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.saving import save_tuned, save_untuned, share_files
from tgap.metrics.pictures import defects, pictures
from tgap.pipeline.aiding import aids_of
from tgap.pipeline.artifacts import apart, write_drawn, write_synthetic
from tgap.pipeline.checkpoints import checkpoint_of, shared_checkpoint
from tgap.pipeline.draws import Draws, Order, Sample, in_order
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.judging import judged_by, valued_by
from tgap.pipeline.resizing import as_kept
from tgap.pipeline.result import Result
from tgap.pipeline.sharing.crew import Batch, Crew
from tgap.pipeline.sharing.threads import drawn
from tgap.pipeline.subsets import source_patients
from tgap.pipeline.training_rows import labels_asked_for
from tgap.store import EARLIER, Spec, Store

log = logging.getLogger(__name__)

TEMPLATE = "prompt_template"
"""Column of a synthetic set: which of several templates its images were asked for by."""
Times = dict[str, float]
"""Seconds by name."""

LESS_MEMORY = (
    "finetuner.accumulation=2 or more, which computes the same batch in parts, or "
    "finetuner.gradient_checkpointing=true; a smaller budget.batch_size is another training"
)


def draw_prior(result: Result, store: Store, folder: Path, spec: Spec) -> Times:
    """What the untuned generator makes of the class prompt, for prior preservation."""
    run = result.run
    count = run.finetuner.prior_images()
    prompt = run.prompts.text("prior", run.dataset.domain)
    # One set serves all seeds and sizes: the run's seed plays no part.
    seeds = noise_seeds(seed_for("prior", 0), 0, count)
    checkpoint = checkpoint_of(Pieces, folder, spec, "drawing prior images")
    size = run.prior_sampler.batch_size
    sample = Sampling(result, store, "prior")
    order = functools.partial(drawing_order, run.prior_sampler)
    images = draw(sample, [prompt] * count, seeds, size, "prior images", checkpoint, order=order)
    write_array(folder / "images.npy", images)
    return {EARLIER: checkpoint.earlier}


def keep_untuned(result: Result, folder: Path) -> None:
    """All of the untuned model but the denoiser, which tuning changes."""
    save_untuned(result.run.pretrained.load(), folder, result.run.storage.weights)


def tune(result: Result, folder: Path, spec: Spec) -> Times:
    """Fine-tune the generator on the tuning set, and save it beside its losses.

    In a team of processes all do this, and the first one saves.
    """
    run, team = result.run, current()
    checkpoint = shared_checkpoint(team, folder, spec, "fine-tuning")
    untuned, tuning_set = run.pretrained.load(), result.tuning_set()
    losses, times = list[dict[str, float]](), dict[str, float]()
    with progress("fine-tuning", run.budget.steps, before=checkpoint.done) as advance:

        def record(step: int, values: dict[str, float]) -> None:
            kept, spent = apart(values)
            losses.append({"step": step, **kept})
            times.update(spent)
            advance(step)

        with memory_told(f"fine-tuning on {run.budget.batch_size} images a step", LESS_MEMORY):
            tuned = run.finetuner.finetune(
                untuned,
                tuning_set,
                result.prior_set(),
                run.budget,
                rng_for("finetune", run.seed_of("finetune")),
                record,
                checkpoint,
            )
    if not team.leads:
        return {}
    # Below a folder of its own, so that losses do not lie among a diffusers folder's files.
    (folder / "model").mkdir()
    if run.storage.weights == "float32":
        tuned.save(folder / "model")
    else:
        save_tuned(tuned, untuned, folder / "model", run.storage.weights)
    if result.artifacts.untuned is not None:
        share_files(folder / "model", result.artifacts.untuned.folder)
    write_json(folder / "losses.json", losses)
    return {**times, EARLIER: checkpoint.earlier}


def tune_shared(result: Result, store: Store, folder: Path, spec: Spec) -> Times:
    """The same by as many processes as the run has devices for it."""
    devices = result.run.tuning_devices
    if devices == 1:
        return tune(result, folder, spec)
    with Crew(result.plan, store, "tune", "fine-tuning", devices, folder=str(folder)) as crew:
        return dict(crew.finished())


def tune_guide(result: Result, store: Store, folder: Path, spec: Spec) -> Times:
    """What the sampler is guided by, where that is a generator tuned for fewer steps."""
    early = result.run.early_run
    if early is None:
        raise ContractError("there is nothing to tune twice")
    plan = dataclasses.replace(result.plan, run=early, generator=spec, guide=None)
    return tune_shared(Result(plan, artifacts=result.artifacts), store, folder, spec)


def draw_synthetic(result: Result, store: Store, folder: Path, spec: Spec) -> Times:
    """Images of each label, the first of them to train on and the rest to test on."""
    checkpoint = checkpoint_of(Pieces, folder, spec, "drawing synthetic images")
    run, data = result.run, result.dataset()
    per_label = run.budget.train_per_label + run.budget.test_per_label
    kept = functools.partial(as_kept, size=run.storage.image_size, channels=data.images.shape[3])
    asked, seeds = asked_for(run, data, result.split().pool), drawn_seeds(run, data)
    if isinstance(run.generator, Control):
        rng = rng_for("generate", run.seed_of("generate"), "control")
        with progress("drawing synthetic set", len(seeds)) as advance:
            drawn = run.generator.draw(RunEvidence(result).examples(), seeds, rng, advance)
        # Its images may be real ones, which can be told only before they are reduced.
        patients = source_patients(drawn.images, data.take(result.split().pool))
        images = kept(drawn.images)
        if drawn.labels is not None and run.prompts.co_occurrence:
            asked = dataclasses.replace(asked, labels=drawn.labels)
    else:
        sample = Sampling(result, store, "synthetic")
        order = functools.partial(drawing_order, run.sampler)
        size = run.sampler.batch_size
        draws = Draws(sample, size, "synthetic set", checkpoint, kept, order)
        asked, images = _drawn_by_model(result, asked, seeds, draws, folder)
        patients = source_patients(images)
    made = dataclasses.replace(asked, images=images, patients=patients)
    warn_of_defects(made)
    train = np.arange(len(made)) % per_label < run.budget.train_per_label
    write_synthetic(folder, made, train)
    return {EARLIER: checkpoint.earlier}


def _drawn_by_model(
    result: Result, asked: ImageSet, seeds: Sequence[Sequence[int]], draws: Draws, folder: Path
) -> tuple[ImageSet, Images]:
    """What the images show that the run's drawing makes of what is asked for, and the images.

    Args:
        result: Of the run, its judge fitted if it has one.
        asked: What each image is to show.
        seeds: Of each label, the noise seed of each image.
        draws: Draws.
        folder: Where what the drawing counted is written.
    """
    drawing, prompts = result.run.drawing, drawn_prompts(result, asked)
    wanted = wanted_by(result, asked, seeds, lambda rows: [prompts[row] for row in rows], draws)
    rng = rng_for("generate", result.run.seed_of("generate"), "drawing")
    drawn = drawing.draw(wanted, rng)
    if not drawing.as_asked:
        sampler = result.run.sampler
        write_drawn(folder, drawn, drawing.passes(sampler), drawing.looks(sampler))
    return asked.take(drawn.rows), drawn.images


def wanted_by(
    result: Result,
    asked: ImageSet,
    seeds: Sequence[Sequence[int]],
    prompts_of: Callable[[Sequence[int]], list[str]],
    draws: Draws,
) -> Wanted:
    """What a drawing is handed; arguments as of ``_drawn_by_model``."""
    drawing, per_label = result.run.drawing, len(seeds[0])
    judge = drawing.judge_used()
    # One that chooses at each step was handed to the model.
    reward = drawing.reward_used() if drawing.at_each_step() is None else None
    scope = result.run.seed_of("generate")

    def seed(row: int, trial: int) -> int:
        label, index = divmod(row, per_label)
        return seeds[label][index] if trial == 0 else trial_seed(scope, label, index, trial)

    return Wanted(
        asked=asked,
        blocks=np.repeat(np.arange(len(seeds)), per_label),
        seed=seed,
        draw=lambda rows, noise: draws(prompts_of(rows), noise),
        judge=None if judge is None else judged_by(result, judge, asked),
        value=None if reward is None else valued_by(result, reward, asked),
    )


def drawn_seeds(run: Run, data: ImageSet) -> list[list[int]]:
    """Of each label, the noise seed of each synthetic image, in their order."""
    per_label = run.budget.train_per_label + run.budget.test_per_label
    return [
        noise_seeds(run.seed_of("generate"), label, per_label)
        for label in range(len(data.label_names))
    ]


def drawn_prompts(result: Result, asked: ImageSet) -> list[str]:
    """The prompt of each synthetic image that a model draws.

    Args:
        result: Of the run.
        asked: What each image is to show.
    """
    data, prompts = result.dataset(), result.run.prompts
    said = prompts.attributes_of(asked.metadata) if prompts.columns() else [""] * len(asked)
    templates = asked.metadata.get(TEMPLATE, np.zeros(len(asked))).astype(int).tolist()
    return [
        result.prompt("generation", data, *rows)
        for rows in zip(asked.labels, asked.findings, said, templates, strict=True)
    ]


def warn_of_defects(made: ImageSet) -> None:
    """Say at once that a label's images are all the same: what follows can still be computed."""
    counts = zip(made.label_names, pictures(made.images, made.labels), strict=True)
    for text in defects(dict(counts)):
        log.warning("%s", text)


def drawing(result: Result, stage: str) -> tuple[Model, Sampler]:
    """What a stage's images are drawn from, loaded, and how.

    Args:
        result: As far as the stage.
        stage: ``prior`` or ``synthetic``.
    """
    run = result.run
    if stage == "prior":
        return run.pretrained.load(), run.prior_sampler
    model: Model = result.generator().load()
    way = run.drawing
    if run.sampler.guide not in OTHER_MODELS and not (way.from_tuning or way.at_each_step()):
        return model, run.sampler
    data = result.dataset()
    asked, seeds = asked_for(run, data, result.split().pool), drawn_seeds(run, data)
    if not isinstance(model, StableDiffusionModel):
        raise DataError(
            f"{type(model).__name__} draws from noise, by itself; choose drawing=plain and "
            "sampler.guide=empty"
        )
    return model.aided(aids_of(result, asked, seeds)), run.sampler


class Sampling:
    """Draws a stage's batches, in their order, by as many processes as the run has devices.

    On a CPU several batches of a small model are drawn at the same time. In this process a model is
    loaded once, however often images are drawn.

    Args:
        result: As far as the stage.
        store: Where its artifacts are.
        stage: ``prior`` or ``synthetic``.
    """

    def __init__(self, result: Result, store: Store, stage: str) -> None:
        self._result, self._store, self._stage = result, store, stage

    def __call__(self, batches: Sequence[Batch]) -> Generator[Images]:
        """Draw, closed before its end too."""
        plan, devices = self._result.plan, min(self._result.run.devices, len(batches))
        if devices > 1:
            with Crew(plan, self._store, "draw", "drawing", devices, stage=self._stage) as crew:
                yield from crew.drawn(batches)
        elif batches:
            yield from drawn(*self._drawing, batches)

    @functools.cached_property
    def _drawing(self) -> tuple[Model, Sampler]:
        return drawing(self._result, self._stage)


def draw(
    sample: Sample,
    prompts: Sequence[str],
    seeds: Sequence[int],
    batch_size: int,
    what: str,
    checkpoint: Pieces | None = None,
    order: Order = in_order,
) -> Images:
    """Draw images batch by batch, all in one call of ``Draws``, whose arguments these are."""
    return Draws(sample, batch_size, what, checkpoint, order=order)(prompts, seeds)


def asked_for(run: Run, data: ImageSet, pool: Indices) -> ImageSet:
    """What each synthetic image is to show: what a random image of the pool with its label shows.

    Args:
        run: Says how many are drawn, and whether labels occur together and prompts name findings.
        data: The dataset.
        pool: Positions of the pool in it.

    Returns:
        As many images as will be drawn, label by label, without their pixels; without findings if
        no prompt names them.
    """
    per_label = run.budget.train_per_label + run.budget.test_per_label
    drawn = []
    for label in range(len(data.label_names)):
        rng = rng_for("generate", run.seed_of("generate"), "findings", label)
        members = pool[data.labels[pool, label]]
        drawn.append(run.prompts.draw(data.metadata, members, per_label, rng))
    rows = np.concatenate(drawn)
    for_labels = np.repeat(np.arange(len(drawn)), per_label)
    names = data.finding_names if run.prompts.names_findings("generation") else ()
    return ImageSet(
        images=no_pixels(len(rows)),
        labels=labels_asked_for(run, data, for_labels, rows),
        label_names=data.label_names,
        findings=data.findings[rows, : len(names)],
        finding_names=names,
        patients=np.arange(len(rows), dtype=np.int64),
        metadata=_told(run, data, rows),
    )


def _told(run: Run, data: ImageSet, rows: Indices) -> dict[str, NDArray[Any]]:
    """Columns that prompts tell of, of the images whose attributes synthetic ones have."""
    told = {name: data.metadata[name][rows] for name in run.prompts.columns()}
    if (count := run.prompts.templates_drawn()) > 1:
        rng = rng_for("generate", run.seed_of("generate"), "templates")
        told[TEMPLATE] = rng.integers(count, size=len(rows)).astype(np.float64)
    return told
