"""No fine-tuning: the untuned generator draws the synthetic set."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Budget, Checkpoint, Log
from tgap.finetuners.base import Finetuner, PromptedImages
from tgap.generators.base import Model


@dataclass(kw_only=True)
class NoFinetuner(Finetuner):
    """Passes the generator through; what fine-tuning gains is measured against this."""

    tunes: ClassVar[bool] = False

    @classmethod
    def stem(cls) -> str:
        """``none``, which Python does not allow as a class's name."""
        return "none"

    def _finetune(
        self,
        model: Model,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Model:
        return model
