"""Weights that are computed from what is trained.

The only module here that imports torch when it is imported, so import it inside functions.
"""

import torch
from torch import nn
from torch.nn.utils import parametrize


class NewRows(nn.Module):  # type: ignore[misc]
    """An embedding of which only the rows from ``first`` on are a parameter."""

    def __init__(self, weight: torch.Tensor, first: int) -> None:
        super().__init__()
        self.first = first
        self.register_buffer("old", weight[:first].detach().clone())

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """The new rows."""
        return weight[self.first :].detach().clone()

    def forward(self, new: torch.Tensor) -> torch.Tensor:
        """All rows."""
        return torch.cat([self.old, new])


class Projected(nn.Module):  # type: ignore[misc]
    """Weights ``V`` that read projected inputs: V (I + D), with D zero at first."""

    def __init__(self, width: int, device: torch.device) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros(width, width, device=device))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """V + V D."""
        return weight + weight @ self.change


def fold(part: nn.Module) -> None:
    """Replace every parametrized weight in a network by its value."""
    for module in list(part.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
