"""Uniformly random tuning sets: the baseline that every selector has to beat."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.selectors.base import Candidates, Picks, Selector


@dataclass(kw_only=True)
class Random(Selector):
    """Picks the first ``size`` of a random permutation, so a smaller selection is its prefix.

    The thesis's baseline; random is a strong one at small budgets (Guo et al., DeepCore, DEXA
    2022, arXiv 2204.08499). O(n).
    """

    nested: ClassVar[bool] = True

    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        return Picks(rng.permutation(len(candidates))[:size].astype(np.int64, copy=False))
