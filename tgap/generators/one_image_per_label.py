"""Control: collapsed to one image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.generators.controls.base import Control, Draw, Examples


@dataclass(kw_only=True)
class OneImagePerLabel(Control):
    """A generator whose modes collapsed: of each label one tuning image, always the same.

    All of its images are real, so TRTS alone may call it perfect.
    """

    expected: ClassVar[tuple[str, ...]] = ("collapsed",)

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        images, labels = examples.tuning.images, examples.tuning.labels
        chosen = {
            label: rng.choice(np.flatnonzero(labels[:, label])) for label in examples.labels()
        }
        return lambda label, seeds: np.repeat(images[[chosen[label]]], len(seeds), axis=0)
