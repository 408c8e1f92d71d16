"""Control: the tuning set itself."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.generators.controls.base import Control, Draw, Drawn, Examples
from tgap.generators.controls.dealing import cycled


@dataclass(kw_only=True)
class CopyTuningSet(Control):
    """A generator that learnt its tuning set by heart: its images verbatim, in random order.

    Useful to train on, and of no use as new data: only a search for copies tells it from a good
    generator. Where more images are asked for than were tuned on, they come again, so its test
    part repeats its train part and TSTS means nothing.
    """

    expected: ClassVar[tuple[str, ...]] = ("copies",)

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        tuning, dealt = examples.tuning, cycled(examples, rng)
        return lambda label, seeds: Drawn.of(tuning, dealt[label][: len(seeds)])
