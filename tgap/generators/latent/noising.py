"""How latents are noised, by the schedule of a diffusers scheduler: diffusion and flow matching."""

from typing import TYPE_CHECKING, Any

from tgap.core import DataError
from tgap.generators.latent.base import Noising

if TYPE_CHECKING:
    import torch


class Diffusion(Noising):
    """z_t = a_t x + s_t e with a_t^2 + s_t^2 = 1 (Ho et al. 2020, arXiv 2006.11239).

    The target is the noise e, or the velocity a_t e - s_t x (Salimans & Ho 2022,
    arXiv 2202.00512), as the scheduler's ``prediction_type`` says.

    Args:
        scheduler: A diffusers ``DDPMScheduler``.

    Raises:
        DataError: If it predicts something else.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler, self.kind = scheduler, scheduler.config.prediction_type
        if self.kind not in ("epsilon", "v_prediction"):
            raise DataError(
                f"the generator's scheduler must predict epsilon or v_prediction, got '{self.kind}'"
            )

    def timesteps(self, count: int, device: "torch.device") -> "torch.Tensor":
        """Uniform."""
        import torch

        return torch.randint(0, self.scheduler.config.num_train_timesteps, (count,), device=device)

    def at(self, share: float, count: int, device: "torch.device") -> "torch.Tensor":
        """The same timestep for all."""
        import torch

        last = self.scheduler.config.num_train_timesteps - 1
        return torch.full((count,), round(share * last), dtype=torch.int64, device=device)

    def noised(
        self, latents: "torch.Tensor", noise: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """a_t x + s_t e."""
        return self.scheduler.add_noise(latents, noise, timesteps)

    def target(
        self, latents: "torch.Tensor", noise: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """The noise, or the velocity."""
        if self.kind == "epsilon":
            return noise
        return self.scheduler.get_velocity(latents, noise, timesteps)

    def denoised(
        self, noisy: "torch.Tensor", predicted: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """(z_t - s_t e) / a_t, or a_t z_t - s_t v."""
        signal = self._signal(timesteps)[:, None, None, None]
        root, rest = signal.sqrt(), (1 - signal).sqrt()
        if self.kind == "epsilon":
            return (noisy - rest * predicted) / root.clamp(min=1e-4)
        return root * noisy - rest * predicted

    def snr(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        """a_t^2 / s_t^2."""
        signal = self._signal(timesteps)
        return signal / (1 - signal)

    def error_of_x0(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        """s_t^2 / a_t^2 for the noise, s_t^2 for the velocity."""
        signal = self._signal(timesteps)
        if self.kind == "epsilon":
            return (1 - signal) / signal.clamp(min=1e-8)
        return 1 - signal

    def _signal(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        return self.scheduler.alphas_cumprod.to(timesteps.device)[timesteps]


class Flow(Noising):
    """z = (1 - s) x + s e, whose velocity e - x is the target (rectified flow).

    Esser et al. 2024 (arXiv 2403.03206), sections 2 and 3.1; a timestep is s times the scheduler's
    number of training timesteps. Timesteps are drawn as diffusers' own training script of Stable
    Diffusion 3 draws them: u is logit-normal, and s the scheduler's noise level at the share u of
    its levels from the highest to the lowest, its shift included.

    Args:
        scheduler: A diffusers ``FlowMatchEulerDiscreteScheduler``.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    def timesteps(self, count: int, device: "torch.device") -> "torch.Tensor":
        """Logit-normal with location 0 and scale 1 over the scheduler's levels."""
        import torch

        levels = self.scheduler.timesteps.to(device)
        share = torch.sigmoid(torch.randn(count, device=device))
        drawn: torch.Tensor = levels[(share * len(levels)).long().clamp(max=len(levels) - 1)]
        return drawn

    def at(self, share: float, count: int, device: "torch.device") -> "torch.Tensor":
        """The same timestep for all, s = ``share``."""
        import torch

        return torch.full((count,), share * self._count(), device=device)

    def noised(
        self, latents: "torch.Tensor", noise: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """(1 - s) x + s e."""
        level = self._level(timesteps)[:, None, None, None]
        return (1 - level) * latents + level * noise

    def target(
        self, latents: "torch.Tensor", noise: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """The velocity e - x."""
        return noise - latents

    def denoised(
        self, noisy: "torch.Tensor", predicted: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """The clean latents z - s v."""
        return noisy - self._level(timesteps)[:, None, None, None] * predicted

    def snr(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        """((1 - s) / s)^2."""
        level = self._level(timesteps)
        return ((1 - level) / level) ** 2

    def error_of_x0(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        """s^2."""
        return self._level(timesteps) ** 2

    def _level(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        return timesteps / self._count()

    def _count(self) -> int:
        return int(self.scheduler.config.num_train_timesteps)
