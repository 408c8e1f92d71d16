"""Random images of a cluster."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Indices
from tgap.selectors.base import Candidates
from tgap.selectors.picks.base import Pick


@dataclass(kw_only=True)
class Random(Pick):
    """All images in random order, then the same again.

    The thesis's rule (section 4.5.1), but for its repeats: it draws them at random, so that by
    chance one image may come far more often than another.
    """

    version: ClassVar[int] = 2

    def _order(self, members: Candidates, count: int, rng: np.random.Generator) -> Indices:
        return rng.permutation(len(members)).astype(np.int64, copy=False)[:count]
