"""Control: pixels without any image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.generators.controls.base import Control, Draw, Drawn, Examples


@dataclass(kw_only=True)
class Noise(Control):
    """A generator that learnt nothing: uniform grey levels, whatever the label.

    TSTR and TRTS must be at chance; FTER is then near 1 and means nothing.
    """

    expected: ClassVar[tuple[str, ...]] = ("no_better_than_chance", "unrealistic")

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        shape = examples.tuning.images.shape[1:]

        def draw(label: int, seeds: Sequence[int]) -> Drawn:
            images = np.empty((len(seeds), *shape), dtype=np.uint8)
            for image, seed in zip(images, seeds, strict=True):
                image[:] = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
            return Drawn(images)

        return draw
