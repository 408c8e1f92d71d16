"""The denoiser that images are drawn by, as a sampler asks for it."""

from collections.abc import Sequence

import torch

from tgap.core import Sampler
from tgap.core.settings import OTHER_MODELS
from tgap.generators.latent.drawing.dropout import with_dropout
from tgap.generators.latent.drawing.guided import Guided

EVERYWHERE = (0.0, 1.0)


def denoiser_for(
    sampler: Sampler,
    seeds: Sequence[int],
    denoiser: torch.nn.Module,
    other: torch.nn.Module,
    timesteps: int,
) -> torch.nn.Module:
    """What takes a denoiser's place in the pipeline; itself where nothing else is asked for.

    Args:
        sampler: Without ranges.
        seeds: Noise seeds of the batch.
        denoiser: Of the model that draws.
        other: Of the model that guides, where that is another one.
        timesteps: Of the training schedule.
    """
    own = with_dropout(denoiser, sampler.dropout, seeds, "dropout")
    interval = (sampler.guided_from, sampler.guided_to)
    if sampler.guidance == 1 or (sampler.guide == "empty" and interval == EVERYWHERE):
        return own
    guide: torch.nn.Module | None = None
    if sampler.guide in OTHER_MODELS:
        # The same masks: an image's model lacks the same channels, as what guides it.
        guide = with_dropout(other, sampler.dropout, seeds, "dropout")
    if sampler.guide == "dropout":
        guide = with_dropout(denoiser, sampler.guide_dropout, seeds, "guide")
    return Guided(own, guide, interval, timesteps)
