"""Chooses at each step among candidates, by the image that each stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Sampler, option
from tgap.core.randomised import choosing_steps, passes_of_step, passes_per_image, step_counts
from tgap.drawings.base import Alternatives, DrawnSet, Wanted
from tgap.drawings.choosing.rewarded import Rewarded


@dataclass(kw_only=True)
class ValueBased(Rewarded):
    """Soft value-based decoding (SVDD-PM, Li et al. 2024, arXiv 2408.08252).

    At each of the last steps ``candidates`` latents are drawn of what the step may lead to, and one
    is kept by the reward of the clean image that the model predicts from it: exp(v / alpha). A
    reward that is differentiable or not; no gradient is taken. Needs a scheduler that adds noise at
    each step, ``sampler.scheduler=ddpm``. Departures stand in
    ``tgap.generators.latent.drawing.choosing``.

    Work: ``candidates`` passes of the denoiser and decodes of images at each step that chooses.
    ``drawing=best_of`` with as many candidates takes as much work and more; ``choose=random`` is
    the twin of chance, which draws as ``plain`` does.

    Args:
        share: Of the schedule that chooses, from the image: what a clean image will be is not known
            at the first steps.
    """

    schedulers: ClassVar[Sequence[str]] = ("ddpm",)

    share: float = option(0.6, "share of the steps that choose, the last ones", above=0, high=1)

    def sampler_problems(self, sampler: Sampler) -> list[str]:
        """Another scheduler, or so few steps that none chooses."""
        problems, fewest = super().sampler_problems(sampler), min(step_counts(sampler))
        if self.candidates > 1 and not self._choosing(fewest):
            problems.append(
                f"of sampler.steps={fewest} none chooses with drawing.share={self.share:g}; raise "
                "one of them, or choose drawing=best_of"
            )
        return problems

    def passes(self, sampler: Sampler) -> float:
        """Of all candidates: the steps that choose are those of the least noise."""
        further = [
            self._choosing(steps) * passes_of_step(sampler, self._choosing(steps) / steps)
            for steps in step_counts(sampler)
        ]
        return passes_per_image(sampler) + (self.candidates - 1) * float(np.mean(further))

    def looks(self, sampler: Sampler) -> float:
        """All candidates, where there is something to choose, and by a value."""
        if self.candidates == 1 or self.reward_used() is None:
            return 0.0
        return self.candidates * float(np.mean([*map(self._choosing, step_counts(sampler))]))

    def at_each_step(self) -> Alternatives:
        """The candidates."""
        return Alternatives(self.candidates, self.alpha, self.share)

    def _choosing(self, steps: int) -> int:
        return choosing_steps(steps, self.share)

    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        rows = np.arange(len(wanted), dtype=np.int64)
        seeds = [wanted.seed(row, 0) for row in range(len(wanted))]
        images = wanted.draw(rows.tolist(), seeds)
        return DrawnSet(images, rows, seeds, len(wanted))
