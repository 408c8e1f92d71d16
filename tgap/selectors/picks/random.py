"""Random images of a cluster."""

from dataclasses import dataclass

import numpy as np

from tgap.selectors.base import Candidates
from tgap.selectors.picks.base import Pick
from tgap.types import Indices


@dataclass(kw_only=True)
class Random(Pick):
    """All images in random order, then random repeats: the thesis's rule (section 4.5.1).

    The repeats are drawn with replacement, so at a quota far above the cluster's size some images
    come more often than others.
    """

    def _pick(self, members: Candidates, quota: int, rng: np.random.Generator) -> Indices:
        order = rng.permutation(len(members)).astype(np.int64, copy=False)[:quota]
        repeats = rng.integers(len(members), size=quota - len(order), dtype=np.int64)
        return np.concatenate([order, repeats])
