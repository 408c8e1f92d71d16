"""Whether classifiers will have what they need to be trained, as labels and patients tell."""

import numpy as np

from tgap.composition.config import Run
from tgap.core import ImageSet, Split, rng_for
from tgap.core.types import no_pixels
from tgap.datasets.reading.notes import first
from tgap.generators.controls.base import Control
from tgap.pipeline.evidence import real_train_rows, with_labels_of
from tgap.pipeline.generation import ready_made_rows


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
        for side, train in _sides(run, images, split, made).items()
        for text in run.classifier.check_training(
            train, rng_for("classify", run.seed_of("classify"))
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
    told = []
    for side, train in _sides(run, images, split, made).items():
        few = [
            f"'{name}' {count}" for name, count in train.label_counts().items() if count < wanted
        ]
        if few:
            told.append(
                f"{side} has fewer images to train on than budget.train_per_label={wanted} asks "
                f"for, and all are taken: {first(few)}"
            )
    return told


def _sides(run: Run, images: ImageSet, split: Split, made: ImageSet | None) -> dict[str, ImageSet]:
    return {
        "real_train": images.take(real_train_rows(run, images, split)),
        "the synthetic set": _synthetic(run, images, made),
    }


def _synthetic(run: Run, images: ImageSet, made: ImageSet | None) -> ImageSet:
    """The labels of the synthetic images that train, of whose patients nothing is known yet."""
    names = images.label_names
    if made is not None:
        if set(made.label_names) != set(names):  # told by itself
            return images
        return with_labels_of(made.take(ready_made_rows(run, made)[0]), images)
    labels = np.repeat(np.eye(len(names), dtype=bool), run.budget.train_per_label, axis=0)
    nothing = np.zeros((len(labels), 0), bool)
    return ImageSet(no_pixels(len(labels)), labels, names, nothing, (), np.arange(len(labels)))


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
