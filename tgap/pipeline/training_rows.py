"""Which images train: as many real ones as synthetic ones, label by label."""

import numpy as np

from tgap.composition.config import Run
from tgap.core import Bools, Doubles, ImageSet, Indices, Split, rng_for
from tgap.pipeline.subsets import at_most, divisible, draw_per_label


def real_train_rows(
    run: Run, data: ImageSet, split: Split, synthetic: Bools | None = None
) -> Indices:
    """Positions of the images that train the real classifier.

    Args:
        run: Says how many: ``budget.train_per_label``, or all that real_train has.
        data: The dataset.
        split: Its sets.
        synthetic: ``(M, L)``, labels of what the synthetic side has to train on, where that may
            be less.
    """
    rng = rng_for("classify", run.seed_of("classify"), "real_train")
    labels = data.labels[split.real_train]
    rows = split.real_train[draw_per_label(labels, run.budget.train_per_label, rng)]
    limits = _limits(run, synthetic)
    return rows[at_most(data.labels[rows], limits, np.arange(len(rows)), rng)]


def synthetic_rows(run: Run, data: ImageSet, train: Indices, real: Bools) -> Indices:
    """Positions of the synthetic images that train.

    Args:
        run: The run.
        data: The synthetic set, whose patients are its images' sources.
        train: Positions of its train part.
        real: ``(M, L)``, labels of what the real side has to train on.
    """
    # By the split's seed: all seeds test on the same images of a synthetic set.
    rng = rng_for("split", run.split_seed, "equal")
    labels = data.labels[train]
    sources = divisible(data.patients[train], labels)
    return train[at_most(labels, _limits(run, real), sources, rng)]


def _limits(run: Run, others: Bools | None) -> Doubles:
    """How many images of each label may train, for what the other side has.

    Where that is as many as ``budget.train_per_label`` asks for there is no limit: of labels that
    occur together, both sides have more.
    """
    if others is None or not run.budget.equal:
        return np.array(np.inf)
    counts = others.sum(axis=0)
    return np.where(counts < run.budget.train_per_label, counts, np.inf)


def labels_asked_for(run: Run, data: ImageSet, labels: Indices, rows: Indices) -> Bools:
    """The labels by which images are asked for.

    Args:
        run: Says whether labels occur together.
        data: The dataset.
        labels: ``(N,)``, the label that each image was picked or is drawn for.
        rows: ``(N,)``, real images whose labels the images have.

    Returns:
        ``(N, L)`` bool.
    """
    if run.prompts.co_occurrence:
        return data.labels[rows]
    one: Bools = np.eye(len(data.label_names), dtype=bool)[labels]
    return one
