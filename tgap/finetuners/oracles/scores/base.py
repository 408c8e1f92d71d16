"""How well a model in training can make a tuning image already."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tgap.core import Component, Doubles, Indices
from tgap.finetuners.oracles.base import Tuning

Scorer = Callable[[Indices], Doubles]
"""Scores of tuning images by their positions in the tuning set: ``(n,)`` float64."""


@dataclass(kw_only=True)
class Score(Component):
    """Scores tuning images: the higher, the better the model can make such an image already."""

    def schedulers(self) -> dict[str, str]:
        """Schedulers that it draws with, by the names of its settings."""
        return {}

    @abstractmethod
    def scorer(self, tuning: Tuning, rng: np.random.Generator) -> Scorer:
        """Begin with a tuning run.

        Args:
            tuning: Its ``step`` and its model change while the scorer is in use. What the scorer
                remembers from batch to batch lies in its ``new_memory()``.
            rng: The only source of randomness, itself and no stream spawned from it; torch's
                global state is left alone, so that the training's noise is the same with every
                oracle.
        """
