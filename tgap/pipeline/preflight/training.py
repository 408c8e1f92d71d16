"""Whether classifiers will have what they need to be trained, as labels and patients tell."""

from collections.abc import Mapping

import numpy as np

from tgap.composition.config import Run
from tgap.core import ImageSet, Indices, Split, rng_for
from tgap.core.types import no_pixels
from tgap.datasets.reading.notes import first
from tgap.generators.controls.base import Control
from tgap.pipeline.evidence import with_labels_of
from tgap.pipeline.ready_made import ready_made_rows
from tgap.pipeline.training_rows import real_train_rows, synthetic_rows

ENOUGH = 0.9
"""Share of a label's images of which it is not told that the others do not train."""


def check_training(
    run: Run, images: ImageSet, split: Split, made: ImageSet | None = None
) -> list[str]:
    """What stands in the way of training the two classifiers, and of drawing for them.

    Args:
        run: The run.
        images: Its dataset; no pixel is looked at.
        split: Its sets.
        made: The synthetic set, if that exists already and was read.
    """
    if len(images.label_names) < 2:  # nothing to tell apart: no classifier is trained
        return []
    problems = [
        f"the classifier of {side} cannot be trained: {text}; leave that label out, or take more "
        f"images (dataset={run.dataset.title()}, budget.train_per_label="
        f"{run.budget.train_per_label})"
        for side, (data, rows) in _sides(run, images, split, made).items()
        for text in run.classifier.check_training(
            data.take(rows), rng_for("classify", run.seed_of("classify"))
        )
    ]
    return problems + _check_control(run, images.take(split.pool))


def few_to_train(
    run: Run, images: ImageSet, split: Split, made: ImageSet | None = None
) -> list[str]:
    """Labels of which fewer images train than are asked for; arguments as of ``check_training``."""
    if len(images.label_names) < 2:
        return []
    wanted = run.budget.train_per_label
    there = {
        side: data.take(rows).label_counts()
        for side, (data, rows) in _sides(run, images, split, made, equal=False).items()
    }
    told = []
    # A set made elsewhere has what it has: nothing was asked for.
    for side, counts in there.items() if made is None or not run.budget.equal else ():
        few = [f"'{name}' {count}" for name, count in counts.items() if count < wanted]
        if few:
            told.append(
                f"{side} has fewer images to train on than budget.train_per_label={wanted} asks "
                f"for, and all are taken: {first(few)}"
            )
    return told + (_left_out(there) if run.budget.equal else [])


def _left_out(there: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Labels of which a side has far more images than the other trains on."""
    told = []
    for side, other in (tuple(there), tuple(there)[::-1]):
        pairs = [(name, count, there[other][name]) for name, count in there[side].items()]
        cut = [f"'{name}' {n} of {count}" for name, count, n in pairs if n < ENOUGH * count]
        if cut:
            told.append(
                f"{side} trains on no more images of a label than {other} has, lest TSTR and TRTR "
                f"differ by numbers: {first(cut)}; budget.equal=false trains on all"
            )
    return told


def _sides(
    run: Run, images: ImageSet, split: Split, made: ImageSet | None, equal: bool = True
) -> dict[str, tuple[ImageSet, Indices]]:
    """What trains the two classifiers, or could if numbers need not be ``equal``."""
    synthetic, train = _synthetic(run, images, made)
    real = real_train_rows(run, images, split)
    if equal:
        theirs, real = (
            images.labels[real],
            real_train_rows(run, images, split, synthetic.labels[train]),
        )
        train = synthetic_rows(run, synthetic, train, theirs)
    return {"real_train": (images, real), "the synthetic set": (synthetic, train)}


def _synthetic(run: Run, images: ImageSet, made: ImageSet | None) -> tuple[ImageSet, Indices]:
    """The labels of the synthetic images, and which train; of equal ones nothing is known yet."""
    names = images.label_names
    if made is not None:
        if set(made.label_names) != set(names):  # told by itself
            return images, np.arange(len(images))
        return with_labels_of(made, images), ready_made_rows(run, made)[0]
    labels = np.repeat(np.eye(len(names), dtype=bool), run.budget.train_per_label, axis=0)
    nothing, rows = np.zeros((len(labels), 0), bool), np.arange(len(labels))
    return ImageSet(no_pixels(len(labels)), labels, names, nothing, (), rows), rows


def _check_control(run: Run, pool: ImageSet) -> list[str]:
    """Whether a control finds enough images of each label, as far as counts tell."""
    if not isinstance(run.generator, Control):
        return []
    drawn = run.budget.train_per_label + run.budget.test_per_label
    problems = []
    counts = pool.label_counts()
    sizes = run.sizes(pool.labels) if run.selector.sized else [*counts.values()]
    for (label, count), size in zip(counts.items(), sizes, strict=True):
        repeats = run.selector.capacity(count) != count
        most = count - min(count, 1 if repeats else size)
        problems += run.generator.check_counts(label, size, most, drawn)
    return problems
