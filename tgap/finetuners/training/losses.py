"""The losses of a training, read from the device now and then."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tgap.core import Log, TgapError

if TYPE_CHECKING:
    import torch

LOG_EVERY = 10  # steps between two readings of the losses, each of which waits for a GPU
LEFT_OUT = 30  # steps in a row whose gradients may be infinite while the loss scale is found


class LossRecord:
    """Hands losses and counts to the log, reading the device only now and then.

    Args:
        log: Told the values of each step.
        title: The finetuner's, for the error.
        with_prior: Whether there is a prior loss.
        scaled: With loss scaling a norm may be infinite: that step is left out, and the scale
            falls until it is not.
    """

    def __init__(self, log: Log, title: str, with_prior: bool, scaled: bool) -> None:
        self.log, self.title, self.scaled = log, title, scaled
        self.names = ["loss", "tuning_loss", *(["prior_loss"] if with_prior else []), "norm"]
        self.waiting: list[tuple[int, torch.Tensor, Mapping[str, float]]] = []
        self.left_out = 0  # steps in a row
        self.told: list[tuple[int, dict[str, float]]] = []

    def add(
        self, step: int, values: Sequence["torch.Tensor"], rate: float, counts: Mapping[str, float]
    ) -> None:
        """Note a step's losses and norm (on the device) and counts."""
        import torch

        numbers = {"learning_rate": rate, **counts}
        self.waiting.append((step, torch.stack(list(values)).detach(), numbers))
        if len(self.waiting) >= LOG_EVERY:
            self.flush()

    def flush(self) -> None:
        """Read what waits, and tell the log.

        Raises:
            TgapError: If a loss is not finite.
        """
        import torch

        if not self.waiting:
            return
        rows = torch.stack([values for _, values, _ in self.waiting]).tolist()
        for (step, _, numbers), row in zip(self.waiting, rows, strict=True):
            self.left_out = 0 if math.isfinite(row[-1]) else self.left_out + 1
            checked = row[:-1] if self.scaled and self.left_out <= LEFT_OUT else row
            if not all(math.isfinite(value) for value in checked):
                raise TgapError(
                    f"fine-tuning diverged: at step {step} of {self.title} loss and gradient norm "
                    f"are {row[0]:g} and {row[-1]:g}; lower budget.learning_rate (the learning "
                    f"rate was {numbers['learning_rate']:g})"
                )
            self._tell(step, {**dict(zip(self.names, row, strict=True)), **numbers})
        self.waiting.clear()

    def state(self) -> dict[str, Any]:
        """What was told so far, as JSON values; nothing may wait."""
        return {"left_out": self.left_out, "told": self.told}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state, and tell it again."""
        self.left_out = state["left_out"]
        for step, values in state["told"]:
            self._tell(step, values)

    def _tell(self, step: int, values: dict[str, float]) -> None:
        self.told.append((step, values))
        self.log(step, dict(values))
