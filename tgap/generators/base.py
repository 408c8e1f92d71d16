"""Pretrained text-to-image generators, before or after tuning."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tgap.component import Component, option
from tgap.device import DEVICES
from tgap.settings import Sampler
from tgap.types import Images

if TYPE_CHECKING:
    import torch


class Model(ABC):
    """A generator that is loaded and can draw."""

    @abstractmethod
    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampler: Sampler,
        on_images: Callable[[int], None] = lambda done: None,
    ) -> Images:
        """Draw one image per prompt.

        Args:
            prompts: N texts.
            seeds: N noise seeds, one per image, so that an image does not depend on the batch
                that it was drawn in (beyond float tolerance).
            sampler: Scheduler, steps, guidance.
            on_images: Told how many images are done so far.

        Returns:
            ``(N, H, W, C)`` uint8.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into an empty folder, from which its generator can load it again."""


class LatentModel(Model):
    """A latent diffusion model, with the parts that finetuners work on."""

    unet: "torch.nn.Module"
    noise_scheduler: Any
    """The training noise schedule: ``add_noise``, ``get_velocity``, ``config``."""

    @abstractmethod
    def moments(self, images: Images) -> "torch.Tensor":
        """VAE posterior of images, ``(N, 2, c, h, w)`` float32: mean and standard deviation,
        scaled as the UNet sees latents.
        """

    @abstractmethod
    def text_embeddings(self, prompts: Sequence[str]) -> "torch.Tensor":
        """``(N, tokens, d)`` float32, the text encoder's last hidden states."""

    @abstractmethod
    def with_unet(self, unet: "torch.nn.Module") -> Self:
        """The same model around another UNet; this one is left as it is."""


@dataclass(kw_only=True)
class Generator(Component):
    """Names a generator; ``load`` makes it ready to draw.

    Args:
        path: Folder of the weights; ``null`` is the packaged one.
    """

    tunable: ClassVar[bool] = True

    path: str | None = option(None, "folder of the weights", in_key=False)  # digest() stands for it
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    def at(self, folder: Path) -> Self:
        """The same kind of generator with the weights of another folder."""
        return dataclasses.replace(self, path=str(folder))

    @abstractmethod
    def check(self) -> list[str]:
        """Problems with the files, as sentences, found without loading weights or torch."""

    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of its images, found without loading weights or torch."""

    @abstractmethod
    def digest(self) -> str:
        """Hash of the files' content: the same weights elsewhere are the same generator."""

    @abstractmethod
    def load(self) -> Model:
        """Load it; repeated calls in one process may share what they loaded.

        Raises:
            DataError: If a file is missing, truncated or does not fit.
        """
