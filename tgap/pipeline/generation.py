"""Drawing images from a model, with progress shown."""

import functools
from collections.abc import Callable

import numpy as np

from tgap.composition.config import Run
from tgap.core.progress import Advance, progress
from tgap.core.seeding import rng_for
from tgap.core.settings import Sampler
from tgap.core.types import Bools, Images, ImageSet, Indices
from tgap.generators.base import Model

BATCHES_AT_ONCE = 4
"""So many batches of synthetic images are held as they are drawn, before they are reduced."""


def _told(advance: Advance, before: int, done: int) -> None:
    advance(before + done)


def draw(
    model: Model,
    prompts: list[str],
    seeds: list[int],
    sampler: Sampler,
    what: str,
    kept: Callable[[Images], Images] | None = None,
) -> Images:
    """Draw images with progress shown.

    Args:
        model: Draws.
        prompts: One per image.
        seeds: One per image.
        sampler: How.
        what: What is drawn, in words.
        kept: What is made of images as they come; all are drawn in one call otherwise.
    """
    with progress(f"drawing {what}", len(prompts)) as advance:
        if kept is None:
            return model.sample(prompts, seeds, sampler, advance)
        found = None
        step = BATCHES_AT_ONCE * sampler.batch_size
        for start in range(0, len(prompts), step):
            part = slice(start, start + step)
            told = functools.partial(_told, advance, start)
            some = kept(model.sample(prompts[part], seeds[part], sampler, told))
            if found is None:
                found = np.empty((len(prompts), *some.shape[1:]), np.uint8)
            found[part] = some
        return np.empty((0, 1, 1, 1), np.uint8) if found is None else found


def findings_to_draw(run: Run, data: ImageSet, pool: Indices) -> Bools:
    """Findings of each synthetic image: those of random pool images of its label.

    Args:
        run: Says how many are drawn, and whether the prompts speak of findings.
        data: The dataset.
        pool: Positions of the pool in it.

    Returns:
        ``(labels * images per label, F)`` bool, label by label; F is 0 if no prompt names findings.
    """
    labels = range(len(data.label_names))
    per_label = run.budget.train_per_label + run.budget.test_per_label
    if not run.prompts.names_findings("generation"):
        return np.zeros((per_label * len(labels), 0), dtype=bool)
    rows = []
    for label in labels:
        rng = rng_for("generate", run.seed_of("generate"), "findings", label)
        members = pool[data.labels[pool, label]]
        rows.append(data.findings[members[rng.integers(len(members), size=per_label)]])
    return np.concatenate(rows)
