"""Guidance by another model, or in an interval of noise levels, without a loop of its own."""

from typing import Any

import torch

from tgap.generators.latent.drawing.standing_in import StandIn


class Guided(StandIn):
    """Stands in the place of a pipeline's denoiser where guidance is on.

    A pipeline hands over its batch twice, makes ``e_1 + w (e_2 - e_1)`` of the two halves of what
    it gets, and the second half is the prompt's. So guidance by another model
    (Karras et al. 2024, arXiv 2406.02507) is a first half from that model; and guidance in an
    interval of noise levels alone (Kynkäänniemi et al. 2024, arXiv 2404.07724) is, outside it, the
    prompt's half twice, of which the pipeline makes that half exactly, in one pass instead of two.

    All else that a pipeline asks a denoiser for (config, dtype, device) is the denoiser's.

    Args:
        denoiser: Draws.
        guide: What guidance leads away from, ``None`` for the denoiser itself.
        interval: Where guidance is on, as shares of the training timesteps.
        timesteps: How many of those there are.
    """

    def __init__(
        self,
        denoiser: torch.nn.Module,
        guide: torch.nn.Module | None = None,
        interval: tuple[float, float] = (0.0, 1.0),
        timesteps: int = 1000,
    ) -> None:
        super().__init__(denoiser)
        self.guide = guide
        self.interval, self.timesteps = interval, timesteps

    def forward(self, *arguments: Any, **named: Any) -> tuple[torch.Tensor]:
        """The prediction of a batch that comes twice, as a pipeline asks for it."""
        if not self._is_guided(named["timestep"] if "timestep" in named else arguments[1]):
            alone = self._half(self.denoiser, 1, arguments, named)
            return (torch.cat([alone, alone]),)
        if self.guide is None:
            both: tuple[torch.Tensor] = self.denoiser(*arguments, **named)
            return both
        halves = [
            self._half(network, half, arguments, named)
            for half, network in enumerate((self.guide, self.denoiser))
        ]
        return (torch.cat(halves),)

    def _is_guided(self, timestep: torch.Tensor) -> bool:
        low, high = self.interval
        return low <= float(timestep.reshape(-1)[0]) / self.timesteps <= high

    def _half(
        self, network: torch.nn.Module, half: int, arguments: Any, named: Any
    ) -> torch.Tensor:
        """What a network makes of one half of the batch."""
        predicted: torch.Tensor = network(*_half_of(arguments, half), **_half_of(named, half))[0]
        return predicted


def _half_of(value: Any, half: int) -> Any:
    """One half of every batch of tensors in a value; numbers and single timesteps are for both."""
    if isinstance(value, torch.Tensor):
        return value.chunk(2)[half] if value.dim() else value
    if isinstance(value, dict):
        return {name: _half_of(part, half) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_half_of(part, half) for part in value)
    return value
