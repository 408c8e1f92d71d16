"""Control: two tuning images, one over the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import DataError, Indices
from tgap.generators.controls.base import Control, Draw, Drawn, Examples
from tgap.metrics.copies import distinct


@dataclass(kw_only=True)
class Interpolate(Control):
    """A generator that blends what it was tuned on.

    Each image is the mean, pixel by pixel, of two different tuning images of the label, weighted w
    and 1 - w (mixup's images, Zhang et al. 2018, arXiv 1710.09412) with w uniform in [0.3, 0.7];
    pair and weight follow from the noise seed, and labels are those of the heavier image. Good to
    train on, but nothing in it is new: on digits, a search for copies recognises the heavier
    original in a third of the blends.
    """

    expected: ClassVar[tuple[str, ...]] = ("copies",)

    def check_counts(self, label: str, tuning: int, held_out: int, drawn: int) -> list[str]:
        """One tuning image, or none."""
        return self._too_few(label, tuning)

    def _too_few(self, label: str, count: int) -> list[str]:
        if count >= 2:
            return []
        return [
            f"generator '{self.title()}' needs two different tuning images of label '{label}', got "
            f"{count}; raise size"
        ]

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        tuning = examples.tuning
        rows = [self._different(examples, label) for label in range(len(tuning.label_names))]

        def draw(label: int, seeds: Sequence[int]) -> Drawn:
            blends = np.empty((len(seeds), *tuning.images.shape[1:]), dtype=np.uint8)
            heavier = np.empty(len(seeds), dtype=np.int64)
            for place, seed in enumerate(seeds):
                own = np.random.default_rng(seed)
                pair = own.choice(rows[label], 2, replace=False)
                first, second = tuning.images[pair].astype(np.float32)
                weight = own.uniform(0.3, 0.7)
                blends[place] = np.rint(second + weight * (first - second))
                heavier[place] = pair[0] if weight >= 0.5 else pair[1]
            return Drawn(blends, tuning.labels[heavier])

        return draw

    def _different(self, examples: Examples, label: int) -> Indices:
        """Positions of the label's tuning images, of equal ones the first."""
        tuning = examples.tuning
        rows = np.flatnonzero(tuning.labels[:, label])
        different = rows[distinct(tuning.images[rows])]
        if problems := self._too_few(tuning.label_names[label], len(different)):
            raise DataError(*problems)
        return different.astype(np.int64)
