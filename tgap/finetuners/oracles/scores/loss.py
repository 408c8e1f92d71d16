"""How well the model denoises a tuning image."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Doubles, Indices, option
from tgap.finetuners.oracles.base import Tuning
from tgap.finetuners.oracles.parts.noise import prober
from tgap.finetuners.oracles.scores.base import Score, Scorer


@dataclass(kw_only=True)
class Loss(Score):
    """Minus the denoising loss, the mean over fixed times with noise that is an image's own.

    What Selective-Backprop (Jiang et al. 2019, arXiv 1910.00762) selects by; here one pass of the
    denoiser per image and time, because a diffusion model's training loss is at a random time and
    losses at different times do not compare. Scores are at most 0, so a fixed threshold for them
    is negative.

    Args:
        times: Shares of the way from image (0) to noise (1).
    """

    times: list[float] = option([0.3, 0.5, 0.7], "shares of the way from image to noise")

    def problems(self) -> list[str]:
        """Times that are none."""
        if not self.times or not all(0 < time <= 1 for time in self.times):
            return [f"times must be one or more numbers above 0, at most 1, got {self.times!r}"]
        return []

    def scorer(self, tuning: Tuning, rng: np.random.Generator) -> Scorer:
        """Fixes each image's noise."""
        probe = prober(tuning, rng)

        def score(rows: Indices) -> Doubles:
            losses = np.zeros(len(rows))
            for time in self.times:
                probed = probe(rows, time)
                target = tuning.model.noising.target(probed.clean, probed.noise, probed.timesteps)
                errors = (probed.predicted - target).square().flatten(1).mean(dim=1)
                losses += errors.cpu().numpy()
            return -losses / len(self.times)

        return score
