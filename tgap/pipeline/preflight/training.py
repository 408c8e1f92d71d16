"""Whether classifiers will have what they need to be trained, as labels and patients tell."""

import numpy as np

from tgap.core import ImageSet, rng_for
from tgap.generators.controls.base import Control
from tgap.pipeline.artifacts import read_images
from tgap.pipeline.evidence import real_train_rows, with_labels_of
from tgap.pipeline.generation import ready_made_rows
from tgap.pipeline.plan import Plan
from tgap.pipeline.preparation import Data


def check_training(plan: Plan, data: Data) -> list[str]:
    """What stands in the way of training the two classifiers, and of drawing for them.

    Args:
        plan: Of the run.
        data: What was read for it.
    """
    run, images = plan.run, data.images().without_images()
    if len(images.label_names) < 2:  # nothing to tell apart: no classifier is trained
        return []
    sides = {
        "real_train": images.take(real_train_rows(run, images, data.sides())),
        "the synthetic set": _synthetic(plan, data, images),
    }
    problems = [
        f"the classifier of {side} cannot be trained: {text}; leave that label out, or take more "
        f"images (dataset={run.dataset.title()}, budget.train_per_label="
        f"{run.budget.train_per_label})"
        for side, train in sides.items()
        for text in run.classifier.check_training(
            train, rng_for("classify", run.seed_of("classify"))
        )
    ]
    return problems + _check_control(plan, images.take(data.sides().pool))


def _synthetic(plan: Plan, data: Data, images: ImageSet) -> ImageSet:
    """The labels of the synthetic images that train, of whose patients nothing is known yet."""
    run, names = plan.run, images.label_names
    if "images" in data.ready_made:
        made = read_images(data.ready_made["images"]).without_images()
        if set(made.label_names) != set(names):  # told by itself
            return images
        return with_labels_of(made.take(ready_made_rows(run, made)[0]), images)
    labels = np.repeat(np.eye(len(names), dtype=bool), run.budget.train_per_label, axis=0)
    nothing = np.zeros((len(labels), 0), bool)
    black = np.zeros((len(labels), 1, 1, 1), np.uint8)
    return ImageSet(black, labels, names, nothing, (), np.arange(len(labels)))


def _check_control(plan: Plan, pool: ImageSet) -> list[str]:
    """Whether a control finds enough images of each label, as far as counts tell."""
    run = plan.run
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
