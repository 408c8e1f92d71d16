"""Which tuning image each synthetic image begins with, where they begin with such."""

import numpy as np

from tgap.core import Bools, DataError, ImageSet, Indices, rng_for
from tgap.generators.base import Model
from tgap.generators.latent.variations import Variations
from tgap.pipeline.result import Result


def varied(result: Result, model: Model, asked: ImageSet, seeds: list[list[int]]) -> Model:
    """The model, beginning with tuning images.

    Args:
        result: Of a run that tuned one.
        model: The tuned model.
        asked: What each synthetic image is to show, label by label.
        seeds: Of each label, the noise seed of each image.

    Raises:
        DataError: If a label has no tuning image.
    """
    run, data, selection = result.run, result.dataset(), result.selection()
    tuning, images = result.tuning_set(), len(seeds[0])
    rows = result.split().pool[selection.indices] if selection is not None else np.empty(0, int)
    findings = data.findings[rows][:, : asked.findings.shape[1]]
    starts: dict[int, int] = {}
    for label, own in enumerate(seeds):
        if not (tuning.labels == label).any():
            raise DataError(
                f"drawing '{run.drawing.title()}' begins with tuning images, and label "
                f"'{data.label_names[label]}' has none; raise size, or choose size_unit=label"
            )
        rng = rng_for("generate", run.seed_of("generate"), "starts", label)
        block = asked.findings[label * images : (label + 1) * images]
        turns = in_turn(tuning.labels == label, findings, block, rng)
        starts |= zip(own, turns.tolist(), strict=True)
    return Variations(model, tuning.images, starts, run.drawing.starting_share())


def in_turn(of_label: Bools, findings: Bools, wanted: Bools, rng: np.random.Generator) -> Indices:
    """For each image the position of a tuning image, each of these as often as the others.

    Args:
        of_label: ``(M,)`` bool, tuning images of the label.
        findings: ``(M, F)`` bool, theirs.
        wanted: ``(N, F)`` bool, what each image is to show.
        rng: Of the order.

    Returns:
        ``(N,)`` int64: those with the same findings in turn, or, where none has, all of the label.
    """
    order = rng.permutation(np.flatnonzero(of_label)).astype(np.int64)
    taken: dict[bytes, int] = {}
    starts = np.empty(len(wanted), np.int64)
    for place, row in enumerate(wanted):
        alike = order[(findings[order] == row).all(axis=1)]
        key = row.tobytes() if len(alike) else b"any"
        members = alike if len(alike) else order
        starts[place] = members[taken.get(key, 0) % len(members)]
        taken[key] = taken.get(key, 0) + 1
    return starts
