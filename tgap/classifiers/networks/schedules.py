"""How the learning rate moves while a network trains, and when training stops."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Schedule(Protocol):
    """Changes an optimizer's learning rate."""

    def after_batch(self) -> None:
        """Told after each optimizer step."""

    def after_epoch(self, validation_loss: float) -> bool:
        """Told after each epoch; returns whether training should go on."""

    def state(self) -> dict[str, float]:
        """What decides how it goes on, besides what the optimizer knows."""

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from such a state, with an optimizer that does too."""


class OneCycle:
    """Up to a peak and down to almost nothing, over all steps.

    Smith & Topin, Super-convergence, arXiv 1708.07120, as torch's ``OneCycleLR`` has it.

    Args:
        optimizer: Whose learning rate moves.
        peak: The largest learning rate.
        steps: Number of optimizer steps.
    """

    def __init__(self, optimizer: "torch.optim.Optimizer", peak: float, steps: int) -> None:
        import torch

        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps)

    def after_batch(self) -> None:
        """Move on by one step."""
        self.scheduler.step()

    def after_epoch(self, validation_loss: float) -> bool:
        """Go on: the cycle's length is fixed."""
        return True

    def state(self) -> dict[str, float]:
        """Steps that are done."""
        return {"steps": self.scheduler.last_epoch}

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on after so many steps."""
        done = int(state["steps"])
        self.scheduler.last_epoch, self.scheduler._step_count = done, done + 1


class Plateau:
    """A tenth of the learning rate after each epoch that does not lower the validation loss.

    Args:
        optimizer: Whose learning rate falls.
        patience: Training stops after so many epochs in a row without a new least loss.
    """

    def __init__(self, optimizer: "torch.optim.Optimizer", patience: int) -> None:
        self.optimizer, self.patience = optimizer, patience
        self.best, self.waited = math.inf, 0

    def after_batch(self) -> None:
        """Nothing: the learning rate holds for an epoch."""

    def after_epoch(self, validation_loss: float) -> bool:
        """Lower the learning rate if the loss did not fall; stop when patience is at its end."""
        if validation_loss < self.best:
            self.best, self.waited = validation_loss, 0
            return True
        self.waited += 1
        for group in self.optimizer.param_groups:
            group["lr"] /= 10
        return self.waited < self.patience

    def state(self) -> dict[str, float]:
        """The best loss, and how long it is ago."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from such a state."""
        self.best, self.waited = state["best"], int(state["waited"])
