"""A synthetic set that was made elsewhere, and how it is divided."""

import dataclasses
import logging
from pathlib import Path

import numpy as np

from tgap.composition.config import Run
from tgap.core import ImageSet, Indices, rng_for
from tgap.core.digest import image_digests
from tgap.generators.base import TRAIN_SHARE
from tgap.pipeline.artifacts import read_images, write_synthetic
from tgap.pipeline.evidence import RunEvidence, with_labels_of
from tgap.pipeline.generation import warn_of_defects
from tgap.pipeline.result import Result
from tgap.pipeline.subsets import (
    deal_per_label,
    divisible,
    draw_per_label,
    share_per_label,
    sources_of,
)

log = logging.getLogger(__name__)


def take(result: Result, folder: Path) -> None:
    """A synthetic set made elsewhere, labels in the dataset's order, divided in two."""
    run, evidence = result.run, RunEvidence(result)
    made = evidence.shown(read_images(result.artifacts.data.ready_made["images"]))
    made = with_labels_of(made, result.dataset())
    # Also where no patients are told: equal images are one, whatever their names are.
    made = dataclasses.replace(made, patients=sources_of(made))
    _warn_of_repeats(made)
    train, test = ready_made_rows(run, made)
    rows = np.concatenate([train, test])
    warn_of_defects(made.take(rows))
    write_synthetic(folder, made.take(rows), np.arange(len(rows)) < len(train))


def _warn_of_repeats(made: ImageSet) -> None:
    different = len(set(image_digests(made.images)))
    if different < len(made):
        log.warning(
            "%d of the %d synthetic images repeat another of them in every pixel: they stay on one "
            "side, and count as one",
            len(made) - different,
            len(made),
        )


def ready_made_rows(run: Run, made: ImageSet) -> tuple[Indices, Indices]:
    """Positions of the images of a set made elsewhere that train, and of those that test.

    Args:
        run: Its generator is a ready-made set.
        made: All images, whose patients are their sources.
    """
    # As the real split, the same for all seeds: there is one synthetic set and no other.
    rng = rng_for("split", run.split_seed, "ready_made")
    rows = _own_draw(run, made, rng)
    labels = made.labels[rows]
    sources = divisible(made.patients[rows], labels)
    train = np.flatnonzero(share_per_label(labels, TRAIN_SHARE, sources, rng))
    count = run.budget.train_per_label
    train = train[draw_per_label(labels[train], count, rng, sources[train])]
    rest = np.flatnonzero(~np.isin(sources, sources[train]) & labels.any(axis=1))
    return rows[train], rows[rest]


def _own_draw(run: Run, made: ImageSet, rng: np.random.Generator) -> Indices:
    """Positions of the run's own draw, where one set is divided into several."""
    part, parts = run.generator.part()
    if parts == 1:
        return np.arange(len(made), dtype=np.int64)
    sources = divisible(made.patients, made.labels)
    return np.flatnonzero(deal_per_label(made.labels, parts, sources, rng) == part)
