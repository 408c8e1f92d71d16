"""Modules that stand in a denoiser's place in a pipeline."""

from typing import Any

import torch


class StandIn(torch.nn.Module):  # type: ignore[misc]
    """All that a pipeline asks a denoiser for besides predicting is the denoiser's.

    Args:
        denoiser: Whose config, dtype and device these are.
    """

    def __init__(self, denoiser: torch.nn.Module) -> None:
        super().__init__()
        self.denoiser = denoiser

    def __getattr__(self, name: str) -> Any:
        """The denoiser's, where it is not its own."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("denoiser"), name)
