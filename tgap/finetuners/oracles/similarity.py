"""Skips what resembles the model's own images more than a fixed threshold: the thesis's rule."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Doubles, option
from tgap.finetuners.oracles.base import Memory
from tgap.finetuners.oracles.parts.scoring import Rule, ScoringOracle


@dataclass(kw_only=True)
class Similarity(ScoringOracle):
    """Keeps what scores at most ``threshold`` (Zhang 2024, section 4.8, experiment 6).

    The thesis's reading is ``finetuner=active_dreambooth``: whole batches, from the first step on,
    by raw cosines. How many images a fixed threshold keeps follows from the space of the cosine
    more than from the model: the better it draws, the nearer the cosines come to those of two real
    images of a label, which in raw vectors lie above .3, so that all is skipped, and in centred
    ones near 0, so that nothing is (``docs/active_data_selection.md``).

    Args:
        threshold: The largest score that is kept.
    """

    threshold: float = option(0.3, "largest score that is kept")

    def advice(self, scores: Doubles | None) -> str:
        """Other spaces and rules, and a threshold that would have kept some."""
        ways = ["finetuner/oracle=quantile"]
        if getattr(self.score, "center", None) is False:
            ways.append("finetuner.oracle.score.center=true")
        if scores is not None:
            seen = float(np.mean(scores))
            ways.append(f"finetuner.oracle.threshold above {seen:.2f}, the mean of these scores")
        why = "a fixed threshold may lie below every score"
        if getattr(self.score, "center", None) is False:
            why = (
                "embeddings of one domain all point one way, so that as the model learns its "
                "images soon exceed a fixed threshold"
            )
        return f"{why}; use {', or '.join(ways)}"

    def _rule(self, memory: Memory) -> Rule:
        return lambda scores, labels: scores <= self.threshold
