"""Tuning latents, each noised by noise of its own that stays the same in every step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tgap.core import Indices
from tgap.finetuners.oracles.base import Tuning

if TYPE_CHECKING:
    import torch


@dataclass
class Probed:
    """Noised tuning latents and what the model made of them.

    Args:
        clean: ``(n, c, h, w)``, the latents' means.
        noise: ``(n, c, h, w)``.
        noisy: ``(n, c, h, w)``.
        timesteps: ``(n,)``.
        predicted: ``(n, c, h, w)``, the denoiser's answer.
    """

    clean: "torch.Tensor"
    noise: "torch.Tensor"
    noisy: "torch.Tensor"
    timesteps: "torch.Tensor"
    predicted: "torch.Tensor"


def prober(tuning: Tuning, rng: np.random.Generator) -> Callable[[Indices, float], Probed]:
    """Begin to noise tuning images, at one pass of the denoiser per image.

    An image's noise follows from a seed that is drawn here once, so that its scores of different
    steps compare; it is drawn on the CPU, so that it is the same on every device.
    """
    import torch

    seeds = rng.integers(2**63, size=len(tuning.images))

    def probe(rows: Indices, time: float) -> Probed:
        """Noise images at a share of the way from image (0) to noise (1)."""
        noising, clean = tuning.model.noising, tuning.latents(rows)
        noise = torch.stack([_noise(clean.shape[1:], int(seeds[row])) for row in rows])
        noise, timesteps = noise.to(clean.device), noising.at(time, len(rows), clean.device)
        noisy = noising.noised(clean, noise, timesteps)
        return Probed(clean, noise, noisy, timesteps, tuning.predict(rows, noisy, timesteps))

    return probe


def _noise(shape: "torch.Size", seed: int) -> "torch.Tensor":
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
