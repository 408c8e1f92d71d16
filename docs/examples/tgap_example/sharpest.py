"""A drawing: of several trials of each image it keeps the sharpest."""

from dataclasses import dataclass

import numpy as np

from tgap.core import option
from tgap.drawings.base import Drawing, DrawnSet, Wanted


@dataclass(kw_only=True)
class Sharpest(Drawing):
    """Draws each image several times, and keeps the one whose grey levels change most.

    Args:
        trials: How often each is drawn.
    """

    trials: int = option(2, "how often each image is drawn", low=1, high=100)

    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        rows = np.arange(len(wanted), dtype=np.int64)
        seeds = np.array([[wanted.seed(row, n) for row in rows] for n in range(self.trials)])
        every = np.stack([wanted.draw(rows.tolist(), own.tolist()) for own in seeds])
        levels = every.astype(np.float64).mean(axis=-1)
        change = np.abs(np.diff(levels, axis=-1)).mean(axis=(-1, -2))
        best = change.argmax(axis=0)
        return DrawnSet(every[best, rows], rows, seeds[best, rows].tolist(), seeds.size)
