"""What the oracles share that judge images by a score."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tgap.core import Bools, Doubles, Indices
from tgap.finetuners.oracles.base import Judge, Judgement, Memory, Oracle, Tuning
from tgap.finetuners.oracles.scores.base import Score
from tgap.finetuners.oracles.scores.generated import Generated

Rule = Callable[[Doubles, Indices], Bools]
"""Which of so many scores, of images with these labels, are to be kept."""


@dataclass(kw_only=True)
class ScoringOracle(Oracle):
    """Judges by how well the model can make an image already; with ``unit=batch``, by the mean.

    Args:
        score: How well the model can make an image already.
    """

    score: Score = field(
        default_factory=Generated, metadata={"help": "how well the model makes an image already"}
    )

    def schedulers(self) -> dict[str, str]:
        """Those of its score."""
        return {f"score.{name}": value for name, value in self.score.schedulers().items()}

    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Scores, then rules."""
        scorer, rule = self.score.scorer(tuning, rng), self._rule(tuning.new_memory())
        labels = tuning.images.labels

        def judge(rows: Indices) -> Judgement:
            scores = scorer(rows)
            if self.unit == "batch":
                (kept,) = rule(scores.mean(keepdims=True), np.zeros(1, np.int64))
                return Judgement(np.full(len(rows), kept), scores)
            return Judgement(rule(scores, labels[rows]), scores)

        return judge

    @abstractmethod
    def _rule(self, memory: Memory) -> Rule:
        """A fresh rule; with ``unit=batch`` it gets one score, the batch's mean, of label 0.

        Args:
            memory: Whatever it remembers of scores lies here.
        """
