"""The whole pool as the tuning set."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.selectors.base import Candidates, Picks, Selector


@dataclass(kw_only=True)
class Whole(Selector):
    """All images of each label in the pool's order, whatever size is asked for.

    For a pool that somebody else has chosen already, as the thesis's textbook set is.
    """

    sized: ClassVar[bool] = False

    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        return Picks(np.arange(len(candidates), dtype=np.int64))
