"""Control: real images that nothing was tuned on."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.generators.controls.base import Control, Draw, Drawn, Examples
from tgap.generators.controls.dealing import by_patient, too_few


@dataclass(kw_only=True)
class HeldOutReal(Control):
    """The perfect generator: different real images of other patients than the tuning set's.

    TSTR must be as good as TRTR, TRTS as good as both, nothing copied. What it falls short of that
    is the evaluation's own error.
    """

    version: ClassVar[int] = 2
    expected: ClassVar[tuple[str, ...]] = ("as_useful_as_real",)
    draws_from: ClassVar[str] = "held_out"

    def check_counts(self, label: str, tuning: int, held_out: int, drawn: int) -> list[str]:
        """Too few held-out images."""
        return too_few(self.title(), label, held_out, drawn)

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        held_out, dealt = examples.held_out, by_patient(examples, self.title(), rng)
        return lambda label, seeds: Drawn.of(held_out, dealt[label][: len(seeds)])
