"""Every image is drawn once, and kept."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.drawings.base import Drawing, DrawnSet, Wanted


@dataclass(kw_only=True)
class Plain(Drawing):
    """Draws each image once, by its own noise seed, and keeps it whatever it shows.

    What other drawings are compared with. It is no part of a synthetic set's key: sets that were
    drawn before there was a choice are these.
    """

    as_asked: ClassVar[bool] = True

    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        rows = np.arange(len(wanted), dtype=np.int64)
        seeds = [wanted.seed(row, 0) for row in range(len(wanted))]
        return DrawnSet(wanted.draw(rows.tolist(), seeds), rows, seeds, len(wanted))
