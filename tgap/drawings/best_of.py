"""Draws each image several times, and keeps one by a reward."""

from dataclasses import dataclass

import numpy as np

from tgap.core import ContractError, Doubles, Images
from tgap.drawings.base import DrawnSet, Wanted
from tgap.drawings.choosing.rewarded import Rewarded


@dataclass(kw_only=True)
class BestOf(Rewarded):
    """Of ``candidates`` images for each place, one with chance in proportion to exp(v / alpha).

    As alpha goes to 0 that is best-of-N. What ``value_based`` decides at each step is decided once,
    at the end, after at least as many passes of the denoiser; it works with every sampler.
    """

    def drawn_each(self) -> tuple[int, int]:
        """The candidates."""
        return self.candidates, self.candidates

    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        rows = np.arange(len(wanted), dtype=np.int64)
        best = np.full(len(wanted), -np.inf)
        seeds = np.zeros(len(wanted), np.int64)
        images: Images = np.empty((0, 1, 1, 1), np.uint8)
        first, kept = np.empty(0), np.empty(0)
        for trial in range(self.candidates):
            own = [wanted.seed(row, trial) for row in range(len(wanted))]
            drawn = wanted.draw(rows.tolist(), own)
            values = self._valued(wanted, drawn)
            chances = values / self.alpha + rng.gumbel(size=len(wanted))
            better = chances > best
            images = drawn if trial == 0 else np.where(better[:, None, None, None], drawn, images)
            best, seeds = np.where(better, chances, best), np.where(better, own, seeds)
            kept = np.where(better, values, kept) if trial else values
            first = values if trial == 0 else first
        trials = self.candidates * len(wanted)
        judged = trials if self.reward_used() is not None else 0
        metrics = {"draw/value_first": float(first.mean()), "draw/value_kept": float(kept.mean())}
        return DrawnSet(images, rows, seeds.tolist(), trials, judged, metrics if judged else {})

    def _valued(self, wanted: Wanted, images: Images) -> Doubles:
        if self.reward_used() is None:
            return np.zeros(len(images))
        if wanted.value is None:
            raise ContractError("drawing=best_of needs values")
        return wanted.value(images, np.arange(len(images), dtype=np.int64))
