"""The settings of a training by the denoising loss, which its loop reads."""

import math
from dataclasses import dataclass, field

from tgap.core import Budget, option
from tgap.finetuners.base import FLOAT32, Finetuner
from tgap.finetuners.oracles.base import Oracle
from tgap.finetuners.oracles.none import NoOracle
from tgap.generators.base import Networks

SCHEDULES = ("cosine", "linear", "constant")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(kw_only=True)
class Recipe(Finetuner):
    """What a training can be told; ``DenoisingFinetuner`` says what it minimises.

    Args:
        oracle: Which tuning images are worth a step: active data selection.
        rate: Learning rate as a multiple of ``budget.learning_rate``, which the sweep shares.
        prior_weight: Weight of the prior loss.
        prior_count: How many prior images are drawn.
        prior_share: Prior images per tuning image in a step.
        unconditional: Share of tuning prompts that is replaced by the empty prompt.
        schedule: The learning rate's way down after its rise.
        warmup: Share of the steps in which the learning rate rises.
        final_rate: Learning rate of the last step, as a share of the peak.
        weight_decay: AdamW's.
        max_norm: The gradient is scaled down to this norm.
        min_snr: gamma of the min-SNR weights; the authors use 5.
        ema: Decay of a moving average of the trained parameters, which is what is kept in the end;
            0 is off.
        precision: Of the passes (the trained parameters are float32): ``auto`` is bfloat16 on a
            CUDA device and float32 elsewhere.
        gradient_checkpointing: Less memory, a third more time, the same numbers.
        accumulation: Parts that each step's batch is computed in: less memory, the same numbers.
    """

    oracle: Oracle = field(
        default_factory=NoOracle, metadata={"help": "which tuning images are worth a step"}
    )
    rate: float = option(1.0, "learning rate over budget.learning_rate", above=0, high=1000)
    prior_weight: float = option(0.3, "weight of the prior loss, 0 = no prior images", low=0)
    prior_count: int = option(200, "prior images the untuned model draws", low=1, high=1_000_000)
    prior_share: float = option(0.25, "prior images per tuning image of a step", above=0, high=1)
    unconditional: float = option(0.1, "share of tuning prompts left empty", low=0, high=0.99)
    schedule: str = option("cosine", "how the learning rate falls", choices=SCHEDULES)
    warmup: float = option(0.05, "share of steps with rising learning rate", low=0, high=1)
    final_rate: float = option(0.1, "last learning rate over peak", low=0, high=1)
    weight_decay: float = option(0.01, "weight decay", low=0)
    max_norm: float = option(1.0, "largest gradient norm", above=0)
    min_snr: float | None = option(None, "gamma of min-SNR weights, null = none", above=0)
    ema: float = option(0.0, "decay of the parameters' moving average, 0 = off", low=0, high=1)
    precision: str = option("auto", "of the passes", choices=PRECISIONS)
    gradient_checkpointing: bool = option(False, "less memory, more time", in_key=False)
    accumulation: int = option(
        1, "parts that a batch is computed in", low=1, high=1_000_000, in_key=False
    )

    def title(self) -> str:
        """The preset's name, or the class's stem and the oracle's if it selects."""
        if self.name or not self.oracle.selects:
            return super().title()
        return f"{super().title()}+{self.oracle.title()}"

    def schedulers(self) -> dict[str, str]:
        """Those that the oracle draws with."""
        return {f"finetuner.oracle.{name}": s for name, s in self.oracle.schedulers().items()}

    def prior_images(self) -> int:
        """``prior_count``, or 0 if the prior loss has no weight."""
        return self.prior_count if self.prior_weight > 0 else 0

    def checkpoint_bytes(self, networks: Networks, labels: int) -> int:
        """With the moving average, if there is one."""
        average = FLOAT32 * self.trained_numbers(networks, labels) if self.ema else 0
        return super().checkpoint_bytes(networks, labels) + average

    def learning_rate(self, step: int, budget: Budget) -> float:
        """Learning rate of a step, counted from 0: a linear rise, then the way down.

        >>> from tgap.finetuners.dreambooth import Dreambooth
        >>> budget = Budget(steps=100, learning_rate=1.0)
        >>> [round(Dreambooth().learning_rate(step, budget), 2) for step in (0, 4, 52, 99)]
        [0.2, 1.0, 0.55, 0.1]
        """
        peak = self.rate * budget.learning_rate
        rise = round(self.warmup * budget.steps)
        if step < rise:
            return peak * (step + 1) / rise
        done = (step - rise) / max(1, budget.steps - rise - 1)
        left = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[
            self.schedule
        ]
        return peak * (self.final_rate + (1 - self.final_rate) * left)
