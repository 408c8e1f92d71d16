"""A selector: images whose mean is the label's mean."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import ContractError, option
from tgap.embedders.base import Embedder
from tgap.selectors.base import Candidates, Picks, Selector


@dataclass(kw_only=True)
class Herding(Selector):
    """Greedy picks that keep the mean of the picked vectors close to the mean of all.

    Welling, Herding dynamical weights to learn, ICML 2009: with mean m and w = m at first, pick
    the unpicked x with the largest <w, x>, then w += m - x. O(n size d) time, no randomness.
    """

    nested: ClassVar[bool] = True

    embedder: Embedder | None = option(None, "makes the vectors")

    def problems(self) -> list[str]:
        """No embedder."""
        return [] if self.embedder else ["embedder must be set, because herding works on vectors"]

    def embedder_used(self) -> Embedder | None:
        """The embedder."""
        return self.embedder

    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        if candidates.vectors is None:
            raise ContractError("herding works on vectors: give the selector an embedder")
        vectors = candidates.vectors.astype(np.float64)
        mean = vectors.mean(axis=0)
        weight, left = mean.copy(), np.ones(len(vectors), dtype=bool)
        positions = np.empty(size, dtype=np.int64)
        for turn in range(size):
            positions[turn] = np.where(left, vectors @ weight, -np.inf).argmax()
            left[positions[turn]] = False
            weight += mean - vectors[positions[turn]]
        return Picks(positions)
