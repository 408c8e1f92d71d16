"""An oracle: tunes on the images whose latents are most like the others'."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Indices, option
from tgap.finetuners.oracles.base import Judge, Judgement, Oracle, Tuning


@dataclass(kw_only=True)
class Typical(Oracle):
    """Keeps a share of the tuning images: those nearest to the mean of all latents.

    It looks at the tuning set once, and asks for no pass of the denoiser.

    Args:
        keep: Share of the tuning set that is kept.
    """

    units: ClassVar[tuple[str, ...]] = ("sample",)

    keep: float = option(0.7, "share of the tuning set that is kept", above=0, high=1)

    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Rank all tuning images before the first step."""
        latents = tuning.latents(np.arange(len(tuning.images.images))).flatten(1).double()
        scores = -(latents - latents.mean(0)).norm(dim=1).cpu().numpy()
        least = np.quantile(scores, 1 - self.keep)

        def judge(rows: Indices) -> Judgement:
            return Judgement(scores[rows] >= least, scores[rows])

        return judge
