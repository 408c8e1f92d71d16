"""Skips at random: what an oracle must beat at the same rate."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Indices, option
from tgap.finetuners.oracles.base import Judge, Judgement, Oracle, Tuning


@dataclass(kw_only=True)
class RandomSkip(Oracle):
    """Keeps each sample (or batch) with one probability, whatever it shows.

    The control of every oracle that looks: with its rate, it skips as much for no reason. Where a
    rule's rate is not its ``keep``, it is images_kept / images_seen of that run.

    Args:
        keep: Probability that a sample is kept.
    """

    keep: float = option(0.7, "share of samples that are kept", above=0, high=1)

    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Throws a coin."""

        def judge(rows: Indices) -> Judgement:
            draws = rng.random(len(rows))
            if self.unit == "batch":
                draws[:] = draws[:1]
            return Judgement(draws < self.keep)

        return judge
