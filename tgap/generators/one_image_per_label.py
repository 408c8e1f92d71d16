"""Control: collapsed to one image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.generators.controls.base import Control, Draw, Drawn, Examples


@dataclass(kw_only=True)
class OneImagePerLabel(Control):
    """A generator whose modes collapsed: of each label one tuning image, always the same.

    All of its images are real, so TRTS alone may call it perfect.
    """

    expected: ClassVar[tuple[str, ...]] = ("collapsed",)

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        tuning = examples.tuning
        chosen = [rng.choice(np.flatnonzero(has)) for has in tuning.labels.T]
        return lambda label, seeds: Drawn.of(tuning, np.repeat(chosen[label], len(seeds)))
