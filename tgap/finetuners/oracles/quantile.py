"""Keeps a share of the images: those that the model can make least."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Doubles, Indices, option
from tgap.finetuners.oracles.base import Memory
from tgap.finetuners.oracles.parts.scoring import Rule, ScoringOracle


@dataclass(kw_only=True)
class Quantile(ScoringOracle):
    """Keeps what scores at most the ``keep``-quantile of the last ``window`` scores.

    The threshold of experiment 6 made relative: it follows the scores as the model learns, in any
    space, and skips a known share. Judging by the empirical distribution of recent scores is
    Selective-Backprop's (Jiang et al. 2019, arXiv 1910.00762), which keeps at random with a
    probability that grows with the loss; here the rule is hard, and the score need not be a loss.

    The scores being judged are the newest of the window, so that while it fills they are judged
    among themselves and what came before; a first batch, judged as a whole, is kept. If there are
    more of them than ``window``, all of them are the window. Equal scores are treated alike, so
    that with many of them more than the share may be kept. Where scores rise steadily, the newest
    are above most of the window and less than the share is kept: the shorter the window, the less
    so.

    Args:
        keep: Share of samples (or batches) that is kept.
        window: How many of the last scores (with ``unit=batch``: batch means) are compared with.
        per_label: A window for each label, so that each keeps the same share; with ``unit=batch``
            there is one window.
    """

    sign: ClassVar[int] = 1
    """-1 keeps the highest scores instead."""

    keep: float = option(0.7, "share that is kept", above=0, high=1)
    window: int = option(128, "last scores that are compared with", low=1, high=1_000_000)
    per_label: bool = option(True, "a window for each label")

    def _rule(self, memory: Memory) -> Rule:
        def rule(scores: Doubles, labels: Indices) -> Bools:
            if not self.per_label:
                labels = np.zeros_like(labels)
            keep = np.empty(len(scores), bool)
            for label in np.unique(labels).tolist():
                own = labels == label
                new = self.sign * scores[own]
                seen = np.concatenate([memory.get(f"scores of {label}", np.empty(0)), new])
                window = memory[f"scores of {label}"] = seen[-max(self.window, len(new)) :]
                keep[own] = new <= np.quantile(window, self.keep)
            return keep

        return rule
