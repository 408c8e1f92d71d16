"""Begins with noised tuning images instead of noise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Sampler, option
from tgap.core.randomised import passes_per_image
from tgap.drawings.base import Drawing, DrawnSet, Wanted


@dataclass(kw_only=True)
class Variation(Drawing):
    """Image-to-image from the tuning set (SDEdit, Meng et al. 2021, arXiv 2108.01073).

    Each image begins with a tuning image of its label, noised to the share ``strength`` of the
    schedule by the image's own noise seed, and takes the steps from there: ``strength`` x
    ``sampler.steps``. A label's tuning images are taken in turn, in random order; those with the
    findings that the prompt names come first where there are such.

    What is drawn resembles what it begins with: the lower the strength, the more it is a copy of a
    patient's image, which ``memorization/copied_fraction`` tells. Near 1 it is a plain set but for
    the rest of the image that the schedule's last step leaves.

    Args:
        strength: Share of the schedule that is noised and denoised again.
    """

    from_tuning: ClassVar[bool] = True

    strength: float = option(0.6, "share of the schedule that is drawn anew", above=0, high=1)

    def starting_share(self) -> float:
        """The strength."""
        return self.strength

    def sampler_problems(self, sampler: Sampler) -> list[str]:
        """Settings beside scheduler, steps and guidance, or no step at all."""
        problems = super().sampler_problems(sampler)
        if asked := sampler.further():
            problems.append(
                f"drawing '{self.title()}' draws with scheduler, steps and guidance alone, got "
                f"{', '.join(f'sampler.{name}' for name in asked)}; leave them out, or choose "
                "drawing=plain"
            )
        if int(sampler.steps * self.strength) < 1:
            problems.append(
                f"drawing.strength={self.strength:g} of sampler.steps={sampler.steps} is less than "
                "one step; raise one of them"
            )
        return problems

    def passes(self, sampler: Sampler) -> float:
        """Of the steps that are made."""
        steps = min(int(sampler.steps * self.strength), sampler.steps)
        return steps * passes_per_image(sampler) / sampler.steps

    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        rows = np.arange(len(wanted), dtype=np.int64)
        seeds = [wanted.seed(row, 0) for row in range(len(wanted))]
        return DrawnSet(wanted.draw(rows.tolist(), seeds), rows, seeds, len(wanted))
