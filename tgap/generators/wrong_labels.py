"""Control: real images, some of them under another label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import DataError, ImageSet, Indices, option
from tgap.generators.controls.base import Control, Draw, Drawn, Examples
from tgap.generators.controls.dealing import by_patient, too_few


@dataclass(kw_only=True)
class WrongLabels(Control):
    """A generator whose images look real, and often do not show what the prompt asked for.

    The images of ``held_out_real``, where exactly a share of each label's are exchanged for the
    next label's (of two labels: for the other's), at random places. So no image comes twice, and
    none of those exchanged carries the label that it is given.

    Args:
        rate: Share of wrong images, rounded to whole ones.
    """

    version: ClassVar[int] = 2
    expected: ClassVar[tuple[str, ...]] = ("wrong_labels",)
    draws_from: ClassVar[str] = "held_out"

    rate: float = option(0.3, "share of each label's images that show another label", low=0, high=1)

    def check_counts(self, label: str, tuning: int, held_out: int, drawn: int) -> list[str]:
        """Too few held-out images."""
        return too_few(self.title(), label, held_out, drawn)

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        held_out, dealt = examples.held_out, by_patient(examples, self.title(), rng)
        labels = list(dealt)
        lent = {
            label: self._lent(held_out, dealt[label], label, to, rng)
            for label, to in zip(labels, [labels[-1], *labels[:-1]], strict=True)
        }
        shown = {label: rows.copy() for label, rows in dealt.items()}
        for label, lender in zip(labels, [*labels[1:], labels[0]], strict=True):
            shown[label][lent[label]] = dealt[lender][lent[lender]]

        def draw(label: int, seeds: Sequence[int]) -> Drawn:
            pictures, given = (rows[label][: len(seeds)] for rows in (shown, dealt))
            return Drawn(held_out.images[pictures], held_out.labels[given])

        return draw

    def _lent(
        self, held_out: ImageSet, rows: Indices, label: int, to: int, rng: np.random.Generator
    ) -> Indices:
        """Places in a label's sequence whose images are shown as another label's."""
        count = round(self.rate * len(rows))
        possible = np.flatnonzero(~held_out.labels[rows, to])
        if len(possible) < count:
            own, other = held_out.label_names[label], held_out.label_names[to]
            raise DataError(
                f"generator '{self.title()}' has to show {count} images of '{own}' as '{other}', "
                f"but of {len(rows)} only {len(possible)} are not '{other}' too; lower "
                "generator.rate or choose a dataset with another label"
            )
        return np.sort(rng.choice(possible, count, replace=False))
