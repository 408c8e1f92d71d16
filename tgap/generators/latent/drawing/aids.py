"""What images are drawn with besides a model and a sampler."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tgap.core import Doubles, Images
from tgap.generators.latent.base import Conditioning, Noising

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class Start:
    """Images that are begun with instead of noise.

    Args:
        images: ``(M, H, W, C)`` uint8 of the model's size and channels.
        of: The position of the image that a noise seed begins with.
        strength: In (0, 1]: 1 makes all steps, and little is left of the image.
    """

    images: Images
    of: Mapping[int, int]
    strength: float


@dataclass(frozen=True)
class StepChoice:
    """Among how many candidates each step of an image chooses, and by what.

    Args:
        count: Of candidates, at least 1.
        alpha: Above 0: a candidate of value v is kept with chance in proportion to exp(v / alpha).
        share: Of the steps that choose, the last ones; earlier ones are taken as they come.
        value: ``(N,)`` of the clean images ``(N, H, W, C)`` that N noisy ones stand for, by their
            noise seeds; ``None`` where one is taken at random, so that none need be looked at.
    """

    count: int
    alpha: float
    share: float
    value: Callable[[Images, Sequence[int]], Doubles] | None


@dataclass(frozen=True)
class Aids:
    """All of it; nothing unless said.

    Args:
        guide: The model that ``sampler.guide`` leads away from, where it is another one.
        start: What images begin with.
        choice: What is chosen at each step.
    """

    guide: "Drawable | None" = None
    start: Start | None = None
    choice: StepChoice | None = None


class Drawable(Protocol):
    """What drawing asks of a model around a diffusers pipeline."""

    pipeline: "DiffusionPipeline"
    denoiser: "torch.nn.Module"
    denoiser_name: ClassVar[str]
    pipeline_names: ClassVar[Mapping[str, str]]
    precision: "torch.dtype"
    noising: Noising
    height: int
    width: int
    aids: Aids

    @property
    def device(self) -> "torch.device":
        """Where it runs."""

    def pipeline_with(self, **replaced: Any) -> "DiffusionPipeline":
        """A pipeline of its own, some of its modules replaced."""

    def scheduler_named(self, name: str) -> Any:
        """A fresh scheduler."""

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """What text encoders make of prompts."""

    def moments(self, images: Images) -> "torch.Tensor":
        """Latents of images, as mean and deviation."""

    def decode(self, latents: "torch.Tensor") -> Images:
        """Images of latents."""
