"""What a run's images are drawn with besides the tuned model: a guide, starts, choices."""

from collections.abc import Callable, Sequence

import numpy as np

from tgap.core import Bools, ContractError, DataError, Doubles, Images, ImageSet, Indices, rng_for
from tgap.generators.latent.drawing.aids import Aids, Start, StepChoice
from tgap.generators.latent.model import StableDiffusionModel
from tgap.pipeline.judging import valued_by
from tgap.pipeline.resizing import as_kept
from tgap.pipeline.result import Result


def aids_of(result: Result, asked: ImageSet, seeds: Sequence[Sequence[int]]) -> Aids:
    """All of it.

    Args:
        result: Of a run, its models tuned and its judge fitted.
        asked: What each synthetic image is to show, label by label.
        seeds: Of each label, the noise seed of each image.

    Raises:
        DataError: If a label lacks a tuning image to begin with.
    """
    drawing = result.run.drawing
    return Aids(
        guide=_guide(result),
        start=_start(result, asked, seeds) if drawing.from_tuning else None,
        choice=_choice(result, asked, seeds),
    )


def _guide(result: Result) -> StableDiffusionModel | None:
    """The model that the sampler leads away from, where it is another one."""
    run, made = result.run, result.artifacts.guide
    if run.sampler.guide == "untuned":
        guide = run.pretrained.load()
    elif made is not None:
        guide = run.pretrained.at(made.path("model")).load()
    else:
        return None
    if not isinstance(guide, StableDiffusionModel):
        raise DataError(f"{type(guide).__name__} cannot guide; choose sampler.guide=empty")
    return guide


def _choice(result: Result, asked: ImageSet, seeds: Sequence[Sequence[int]]) -> StepChoice | None:
    """What each step of an image chooses among."""
    candidates, reward = result.run.drawing.at_each_step(), result.run.drawing.reward_used()
    if candidates is None:
        return None
    value: Callable[[Images, Sequence[int]], Doubles] | None = None
    if reward is not None:
        rows = {seed: row for row, seed in enumerate(seed for own in seeds for seed in own)}
        valued = valued_by(result, reward, asked)
        size, channels = result.run.storage.image_size, result.dataset().images.shape[3]

        def of_seeds(images: Images, own: Sequence[int]) -> Doubles:
            at = np.array([rows[seed] for seed in own], np.int64)
            return valued(as_kept(images, size, channels), at)

        value = of_seeds
    return StepChoice(candidates.count, candidates.alpha, candidates.share, value)


def _start(result: Result, asked: ImageSet, seeds: Sequence[Sequence[int]]) -> Start:
    """Which tuning image each synthetic image begins with."""
    run, data, selection = result.run, result.dataset(), result.selection()
    if selection is None:
        raise ContractError("nothing was tuned, so there are no images to begin with")
    tuning, images = result.tuning_set(), len(seeds[0])
    rows = result.split().pool[selection.indices]
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
    return Start(tuning.images, starts, run.drawing.starting_share())


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
