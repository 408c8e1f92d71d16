"""No active data selection: every tuning image is trained on as it comes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.finetuners.oracles.base import Judge, Judgement, Oracle, Tuning


@dataclass(kw_only=True)
class NoOracle(Oracle):
    """Keeps everything; what active data selection gains is measured against this."""

    selects: ClassVar[bool] = False

    @classmethod
    def stem(cls) -> str:
        """``none``, which Python does not allow as a class's name."""
        return "none"

    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Keeps everything."""
        return lambda rows: Judgement(np.ones(len(rows), bool))
