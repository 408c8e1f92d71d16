"""What finetuners need of a loaded latent diffusion model, whatever its architecture."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from tgap.core import Images
from tgap.generators.base import Model

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

Conditioning = dict[str, "torch.Tensor"]
"""What a denoiser is told of each image besides its noisy latent: ``(N, ...)`` tensors by name."""


class Noising(ABC):
    """How latents are noised in training, and what the denoiser is to predict.

    Latents are ``(N, c, h, w)`` as the denoiser sees them, timesteps ``(N,)`` as it is told them.
    """

    @abstractmethod
    def timesteps(self, count: int, device: "torch.device") -> "torch.Tensor":
        """Draw timesteps from torch's global random state, as the model was trained with."""

    @abstractmethod
    def at(self, share: float, count: int, device: "torch.device") -> "torch.Tensor":
        """The timestep at a share of the way from image (0) to noise (1), ``count`` times."""

    @abstractmethod
    def noised(
        self, latents: "torch.Tensor", noise: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """Latents mixed with noise."""

    @abstractmethod
    def target(
        self, latents: "torch.Tensor", noise: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """What the denoiser should predict: the noise, a velocity, ..."""

    @abstractmethod
    def denoised(
        self, noisy: "torch.Tensor", predicted: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """The clean latents that a prediction stands for: x0 in one step."""

    @abstractmethod
    def snr(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        """Signal-to-noise ratio ``(N,)``: the squared shares of latent over noise."""

    @abstractmethod
    def error_of_x0(self, timesteps: "torch.Tensor") -> "torch.Tensor":
        """``(N,)``, by which a squared error of the target becomes one of the clean latents."""


class Adapter(ABC):
    """What a model learned beside its base model: LoRA weights, words."""

    @abstractmethod
    def save(self, pipeline: "DiffusionPipeline", folder: Path) -> None:
        """Write it into an empty folder, in diffusers' format, as safetensors."""


class LatentModel(Model):
    """A latent diffusion model, with the parts that finetuners work on."""

    usual_scheduler: ClassVar[str] = "dpm_solver"
    """What it is drawn from with unless told otherwise."""

    denoiser: "torch.nn.Module"
    """The UNet or transformer that predicts."""
    text_encoders: tuple["torch.nn.Module", ...]
    noising: Noising
    adapter: Adapter | None = None
    """What it learned beside its base model, if it differs in nothing else: that is what is saved.
    """

    @property
    @abstractmethod
    def device(self) -> "torch.device":
        """Where it runs."""

    @abstractmethod
    def moments(self, images: Images) -> "torch.Tensor":
        """VAE posterior of images, ``(N, 2, c, h, w)`` float32: mean and standard deviation,
        scaled as the denoiser sees latents.
        """

    @abstractmethod
    def decode(self, latents: "torch.Tensor") -> Images:
        """Images of ``(N, c, h, w)`` latents, scaled as the denoiser sees them."""

    @abstractmethod
    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """What the text encoders make of N prompts; each distinct one is encoded once.

        Gradients reach the text encoders where their parameters require them.

        Raises:
            DataError: If a prompt has more tokens than a text encoder reads.
        """

    @abstractmethod
    def predict(
        self, noisy: "torch.Tensor", timesteps: "torch.Tensor", conditioning: Conditioning
    ) -> "torch.Tensor":
        """One pass of the denoiser."""

    @abstractmethod
    def with_parts(
        self,
        denoiser: "torch.nn.Module | None" = None,
        text_encoders: "tuple[torch.nn.Module, ...] | None" = None,
    ) -> Self:
        """The same model around other parts; this one is left as it is."""

    def with_adapter(self, adapter: Adapter) -> Self:
        """The same model, which is saved as an adapter."""
        made = self.with_parts()
        made.adapter = adapter
        return made
