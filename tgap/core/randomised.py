"""Samplers that draw each image with settings of its own, from the image's noise seed."""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from tgap.core.seeding import rng_for
from tgap.core.settings import Sampler
from tgap.core.types import Indices

T = TypeVar("T")

LEVELS = 8
"""Values that a range is drawn as: images of one value are drawn together."""


def guidances(sampler: Sampler) -> tuple[float, ...]:
    """The scales that images are drawn with, all equally often.

    The middles of 8 equal parts of the range: their mean is that of a uniform draw, and their
    variance 63/64 of its. A range without width is its one value, exactly.

    >>> guidances(Sampler(guidance=1, guidance_high=3))
    (1.125, 1.375, 1.625, 1.875, 2.125, 2.375, 2.625, 2.875)
    """
    low, high = sampler.guidance, sampler.guidance_high
    if high is None or high == low:
        return (low,)
    return tuple(low + (high - low) * (level + 0.5) / LEVELS for level in range(LEVELS))


def step_counts(sampler: Sampler) -> tuple[int, ...]:
    """The numbers of steps that images are drawn in, all equally often.

    All of the range, or 8 of them, evenly spaced from the first to the last.

    >>> step_counts(Sampler(steps=4, steps_high=6)), step_counts(Sampler(steps=5, steps_high=20))
    ((4, 5, 6), (5, 7, 9, 11, 14, 16, 18, 20))
    """
    low, high = sampler.steps, sampler.steps_high or sampler.steps
    last = LEVELS - 1
    if high - low <= last:
        return tuple(range(low, high + 1))
    return tuple(round(low + (high - low) * level / last) for level in range(LEVELS))


def mean_steps(sampler: Sampler) -> float:
    """Steps of an image, on average."""
    return float(np.mean(step_counts(sampler)))


def passes_per_image(sampler: Sampler) -> float:
    """Denoiser passes of an image, on average: one a step, and with guidance two.

    Steps outside the levels that are guided count as one, as if the sampler's steps were spread
    evenly over them.
    """
    return mean_steps(sampler) * passes_of_step(sampler)


def passes_of_step(sampler: Sampler, up_to: float = 1.0) -> float:
    """Denoiser passes of a step on average, of those with at most the share ``up_to`` of noise.

    >>> passes_of_step(Sampler(guidance=3, guided_to=0.5)), passes_of_step(Sampler(guidance=1))
    (1.5, 1.0)
    >>> passes_of_step(Sampler(guidance=3, guided_from=0.5), up_to=0.5)
    1.0
    """
    scales = guidances(sampler)
    guided = sum(scale > 1 for scale in scales) / len(scales)
    inside = max(0.0, min(sampler.guided_to, up_to) - sampler.guided_from)
    return 1 + guided * (inside / up_to if up_to else 0.0)


def choosing_steps(steps: int, share: float) -> int:
    """How many of an image's steps choose among candidates: the last ones, but for the very last.

    >>> choosing_steps(20, 0.6), choosing_steps(1, 0.6)
    (11, 0)
    """
    return round(share * (steps - 1))


def setting_of(sampler: Sampler, seed: int) -> Sampler:
    """What one image is drawn with: a sampler without ranges.

    Scheduler, steps and guidance are drawn apart from each other and from the noise, so that an
    image is the same whatever is drawn beside it, and keeps its guidance when steps get a range.

    Args:
        sampler: With ranges, or without: then it is returned as it is.
        seed: The image's noise seed.
    """
    if not sampler.is_randomised:
        return sampler
    return dataclasses.replace(
        sampler,
        scheduler=_one_of(sampler.every_scheduler(), seed, "scheduler"),
        steps=_one_of(step_counts(sampler), seed, "steps"),
        guidance=_one_of(guidances(sampler), seed, "guidance"),
        guidance_high=None,
        steps_high=None,
        schedulers=[],
    )


def alike(sampler: Sampler, seeds: Sequence[int]) -> list[tuple[Sampler, Indices]]:
    """Images by what they are drawn with.

    Args:
        sampler: With ranges, or without.
        seeds: Noise seeds.

    Returns:
        Samplers without ranges, each with the positions of its images, in their order.
    """
    if not sampler.is_randomised:
        return [(sampler, np.arange(len(seeds), dtype=np.int64))]
    rows: dict[tuple[str, int, float], list[int]] = {}
    settings: dict[tuple[str, int, float], Sampler] = {}
    for row, seed in enumerate(seeds):
        own = setting_of(sampler, seed)
        name = (own.scheduler, own.steps, own.guidance)
        settings[name] = own
        rows.setdefault(name, []).append(row)
    return [(settings[name], np.array(rows[name], dtype=np.int64)) for name in sorted(rows)]


def drawing_order(sampler: Sampler, seeds: Sequence[int]) -> Indices:
    """Positions of images in the order in which few batches hold images of two settings."""
    return np.concatenate([np.empty(0, np.int64), *(rows for _, rows in alike(sampler, seeds))])


def _one_of(choices: Sequence[T], seed: int, name: str) -> T:
    return choices[int(rng_for("sampler", seed, name).integers(len(choices)))]
