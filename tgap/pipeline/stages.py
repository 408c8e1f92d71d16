"""The stages of a run, in the order of the method: a straight line, one artifact after another.

    dataset -> split -> pool -> embed -> select -> finetune -> generate -> synthetic set
       real_train, real_test, synthetic set -> classify (both ways) -> evaluate -> metrics

A stage is a function of the result so far and the store. It asks the store for what the plan names,
and says how that is made; it sees earlier artifacts through the result and leaves its own there.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from tgap.core import rng_for
from tgap.core.files import write_array
from tgap.evaluators.base import Evaluator
from tgap.pipeline import generation, legs, ready_made
from tgap.pipeline.artifacts import write_evaluation, write_selection
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.judging import fit_judge
from tgap.pipeline.plan import Plan
from tgap.pipeline.preparation import prepared
from tgap.pipeline.result import Result, StageRecord
from tgap.pipeline.trainings import Trainings
from tgap.store import EARLIER, Artifact, Spec, Store

log = logging.getLogger(__name__)

Listener = Callable[[str, Result], None]
"""Told the stage that just ended, and the result so far."""


def execute(plan: Plan, store: Store, on_stage: Listener = lambda stage, result: None) -> Result:
    """Run all stages, reusing what the store holds.

    Args:
        plan: Of the run.
        store: Where artifacts are kept.
        on_stage: Called at the end of each stage, e.g. to log it.

    Returns:
        Metrics, the cost of each stage, and the artifacts.

    Raises:
        TgapError: If a stage cannot do its work; artifacts made so far stay in the store.
    """
    result = Result(plan)
    stages = (prepare, embed, select, finetune, generate, classify, evaluate)
    for stage in stages:
        with _timed(result, stage.__name__):
            stage(result, store)
        on_stage(stage.__name__, result)
    names = [stage.__name__ for stage in stages]
    result.stages = {name: result.stages[name] for name in names if name in result.stages}
    return result


def prepare(result: Result, store: Store) -> None:
    """Read the dataset, and split it by patient into pool, real_train and real_test."""
    result.artifacts.data = prepared(result.plan, store)


def embed(result: Result, store: Store) -> None:
    """Vectors of all images, if the selector works on any."""
    embedder, evidence = result.run.selector.embedder_used(), RunEvidence(result)
    if embedder is None or result.plan.embedding is None:
        return
    features = None
    if embedder.uses_classifier:  # trained before its turn, on real_train: the pool is not seen
        _fit_real(result, store)
        features = evidence.dataset_features

    def make(folder: Path) -> None:
        vectors = embedder.embed(result.dataset().images, features)
        write_array(folder / "vectors.npy", vectors)

    result.artifacts.embedding = store.get_or_make(
        result.plan.embedding, make, meanwhile=partial(_early, result, store)
    )


def select(result: Result, store: Store) -> None:
    """The tuning set, chosen from the pool."""
    if result.plan.selection is not None:
        result.artifacts.selection = store.get_or_make(
            result.plan.selection, partial(_select, result)
        )


def _select(result: Result, folder: Path) -> None:
    run, rows, embedding = result.run, result.split().pool, result.artifacts.embedding
    # A selector sees all but pixels, of which an embedder has made vectors.
    pool = result.dataset().without_images().take(rows)
    vectors = None if embedding is None else embedding.read_array("vectors.npy")[rows]
    sizes = run.sizes(pool.labels)
    for label in np.flatnonzero(np.array(sizes) == 0) if run.selector.sized else ():
        log.warning(
            "label '%s' gets no tuning image: chance gave it none of size=%d in total",
            pool.label_names[label],
            run.size,
        )
    rng = rng_for("select", run.seed_of("select"))
    write_selection(folder, run.selector.select(pool, vectors, sizes, rng))


def finetune(result: Result, store: Store) -> None:
    """The generator, tuned on the tuning set."""
    plan, artifacts = result.plan, result.artifacts
    # Whatever a judge cannot tell is known before hours of tuning.
    with _timed(result, generate.__name__):
        _fit_judge(result, store)
    _draw_prior(result, store)
    if plan.untuned is not None:
        artifacts.untuned = store.get_or_make(
            plan.untuned, partial(generation.keep_untuned, result)
        )
    if plan.generator is not None:
        artifacts.generator = _resumed(
            result, store, plan.generator, partial(generation.tune_shared, result, store)
        )
    if plan.guide is not None:
        artifacts.guide = _resumed(
            result, store, plan.guide, partial(generation.tune_guide, result, store)
        )


def _draw_prior(result: Result, store: Store) -> None:
    """Images of the untuned generator, which runs of other methods, sizes and seeds share."""
    if result.plan.prior is not None:
        result.artifacts.prior = _resumed(
            result, store, result.plan.prior, partial(generation.draw_prior, result, store)
        )


def generate(result: Result, store: Store) -> None:
    """The synthetic set: drawn from the generator, or taken as it was made elsewhere."""
    spec = result.plan.synthetic
    if result.plan.ready_made:
        result.artifacts.synthetic = store.get_or_make(spec, partial(ready_made.take, result))
    else:
        result.artifacts.synthetic = _resumed(
            result, store, spec, partial(generation.draw_synthetic, result, store)
        )


def _fit_judge(result: Result, store: Store) -> None:
    """What says which drawn images are kept, if any are rejected."""
    judge, spec = result.run.drawing.judge_used(), result.plan.judge
    if judge is not None and spec is not None:
        make = partial(fit_judge, result, judge)
        result.artifacts.judge = _resumed(result, store, spec, make)


def classify(result: Result, store: Store) -> None:
    """A classifier of each side, and what both say of each test set."""
    plan, artifacts, evidence = result.plan, result.artifacts, RunEvidence(result)
    if not _told_apart(result):
        log.warning(
            "there is one label only (%s), so there is nothing to tell apart: no classifier "
            "is trained, and TSTR, TRTS and what follows from them are not computed",
            *result.dataset().label_names,
        )
        return
    artifacts.synthetic_classifier = _resumed(
        result,
        store,
        plan.synthetic_classifier,
        lambda folder, spec: legs.fit(evidence, evidence.synthetic()[0], folder, spec),
    )
    _fit_real(result, store)
    artifacts.scores = store.get_or_make(plan.scores, partial(legs.score, evidence))
    for name, spec in plan.external_scores.items():
        make = partial(legs.score_external, evidence, name)
        artifacts.external_scores[name] = store.get_or_make(spec, make)


def _fit_real(result: Result, store: Store) -> None:
    """The real classifier, which an embedder may want long before its own turn."""
    evidence = RunEvidence(result)
    result.artifacts.real_classifier = _resumed(
        result,
        store,
        result.plan.real_classifier,
        lambda folder, spec: legs.fit(evidence, evidence.real_train(), folder, spec),
    )


def evaluate(result: Result, store: Store) -> None:
    """What evaluators make of all this, and pictures for people."""
    plan, artifacts = result.plan, result.artifacts
    for name, spec in plan.evaluations.items():
        make = partial(_evaluate, result, result.run.evaluators[name])
        artifacts.evaluations[name] = _resumed(result, store, spec, make)
    if plan.pictures is not None:
        artifacts.pictures = store.get_or_make(plan.pictures, partial(_picture, result))
    result.metrics = result.read_metrics()


def _evaluate(
    result: Result, evaluator: Evaluator, folder: Path, spec: Spec
) -> Mapping[str, float]:
    from tgap.report.figures import draw_tables

    # A stream per class: one evaluator more or less leaves the others' numbers as they are.
    rng = rng_for("evaluate", result.run.seed_of("evaluate"), evaluator.stem())
    trainings = Trainings(folder, spec, evaluator.title())
    evaluation = evaluator.evaluate(RunEvidence(result, trainings), rng)
    write_evaluation(folder, evaluation)
    draw_tables(evaluation.tables, folder)
    return {EARLIER: trainings.earlier}


def _picture(result: Result, folder: Path) -> None:
    from tgap.report.figures import image_grid, roc_curves

    train, _ = result.synthetic()
    image_grid(train.images, train.labels, train.label_names, folder / "samples.png")
    if scores := result.legs():
        roc_curves(scores, folder / "roc.png")


def _resumed(
    result: Result, store: Store, spec: Spec, make: Callable[[Path, Spec], Mapping[str, float]]
) -> Artifact:
    """What takes long, and goes on from a checkpoint if it was interrupted."""
    return store.get_or_make(
        spec,
        lambda folder: make(folder, spec),
        resumable=True,
        meanwhile=partial(_early, result, store),
    )


def _early(result: Result, store: Store) -> bool:
    """Do something before its turn, because another process makes what is next.

    Returns:
        Whether there was something to do that nobody else is at work on.
    """
    makers = {"prior": (finetune, _draw_prior), "real_classifier": (classify, _fit_real)}
    for name, spec in result.plan.early.items():
        stage, make = makers[name]
        there = vars(result.artifacts).get(name) is not None
        if there or (stage is classify and not _told_apart(result)) or store.is_being_made(spec):
            continue
        with _timed(result, stage.__name__):
            make(result, store)
        return True
    return False


def _told_apart(result: Result) -> bool:
    """Whether there is more than one label."""
    return len(result.dataset().label_names) > 1


@contextmanager
def _timed(result: Result, stage: str) -> Iterator[None]:
    """Record a stage's seconds, and whether all that it left was there already.

    What is made before its turn counts to its own stage.
    """
    start, others = time.perf_counter(), _seconds(result)
    yield
    # By folder: a classifier that an embedder needed is asked for again when its turn comes.
    new = [artifact for artifact in result.artifacts if artifact.folder not in result.counted]
    if not new:
        return
    result.counted.update(artifact.folder for artifact in new)
    seconds = time.perf_counter() - start - (_seconds(result) - others)
    reused = all(artifact.reused for artifact in new)
    if (early := result.stages.get(stage)) is not None:
        seconds, reused = early.seconds + seconds, early.reused and reused
    result.stages[stage] = StageRecord(seconds, reused)


def _seconds(result: Result) -> float:
    return sum(record.seconds for record in result.stages.values())
