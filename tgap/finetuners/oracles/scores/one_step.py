"""How well the model restores a tuning image from its noised latent in one step."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Doubles, Indices, option
from tgap.finetuners.oracles.base import Tuning
from tgap.finetuners.oracles.parts.noise import prober
from tgap.finetuners.oracles.scores.base import Score, Scorer
from tgap.metrics.vectors import unit


@dataclass(kw_only=True)
class OneStep(Score):
    """Cosine similarity of a latent with the one that the model predicts from it, noised.

    x0 is predicted in one step from the latent noised to ``time``, with noise that is an image's
    own in all steps: one pass of the denoiser per image. Early in the noise the noisy latent itself
    tells the answer, whatever the model knows, so ``time`` should be .6 or more.

    The prediction could be had from the training's own forward pass for nothing. But that is at a
    random time, and scores at different times do not compare (some are far harder than others:
    Kim et al. 2024, arXiv 2403.10348). Nor is it always free: training on a batch and masking some
    of its images costs 3 passes per image seen, scoring first 1 per image seen and 3 per image
    kept, which is less where under 2/3 are kept.

    Args:
        time: Share of the way from image (0) to noise (1).
        center: Subtract the tuning set's mean latent from both first.
    """

    time: float = option(0.7, "share of the way from image to noise", above=0, high=1)
    center: bool = option(True, "subtract the tuning set's mean latent")

    def scorer(self, tuning: Tuning, rng: np.random.Generator) -> Scorer:
        """Fixes each image's noise."""
        probe = prober(tuning, rng)
        middle = tuning.moments[:, 0].mean(dim=0) if self.center else 0

        def score(rows: Indices) -> Doubles:
            probed = probe(rows, self.time)
            predicted = tuning.model.noising.denoised(
                probed.noisy, probed.predicted, probed.timesteps
            )
            clean, restored = (
                unit((latents - middle).flatten(1).cpu().numpy())
                for latents in (probed.clean, predicted)
            )
            cosines: Doubles = (clean * restored).sum(axis=1)
            return cosines

        return score
