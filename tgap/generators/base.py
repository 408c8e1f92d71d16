"""What makes the synthetic set: pretrained models, and controls whose truth is known."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from tgap.core.component import Component, option
from tgap.core.device import DEVICES
from tgap.core.settings import SCHEDULERS_OF_DIFFUSION, Sampler
from tgap.core.types import Images
from tgap.datasets.base import Dataset


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


@dataclass(kw_only=True)
class Generator(Component):
    """Where the synthetic set's images come from: a ``Pretrained`` model, a ``Control``, ..."""

    tunable: ClassVar[bool]
    """Whether finetuners can tune it."""

    def check(self) -> list[str]:
        """Problems with its files, as sentences, found without loading weights or torch."""
        return []

    def check_prompts(self, texts: Sequence[str]) -> list[str]:
        """Texts that it cannot be asked for, as sentences, found without weights or torch."""
        return []

    def image_shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of its images, found without loading weights or torch.

        ``None`` for those of the dataset's images, whatever they are.
        """
        return None

    def digest(self) -> str:
        """Hash of its files' content: the same weights elsewhere are the same generator."""
        return ""

    def ready_made(self) -> dict[str, Dataset]:
        """Datasets of a synthetic set that exists already, by role: ``images``, ``tuned_on``."""
        return {}


@dataclass(kw_only=True)
class Pretrained(Generator):
    """Names a pretrained text-to-image model; ``load`` makes it ready to draw.

    Args:
        path: Folder of the weights, or what else the generator can read; ``null`` is the packaged
            model, where there is one.
        adapters: LoRA weights or learned words that are put onto it, in order: folders or files.
    """

    tunable: ClassVar[bool] = True
    schedulers: ClassVar[tuple[str, ...]] = SCHEDULERS_OF_DIFFUSION
    """What ``sampler.scheduler`` may be for it."""

    path: str | None = option(
        None, "folder, file or hub id of the weights, null = the packaged ones", in_key=False
    )  # digest() stands for it
    adapters: list[str] = option([], "folders or files of adapters, in order", in_key=False)
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    @abstractmethod
    def at(self, folder: Path) -> Self:
        """The same kind of generator with what a tuned model was saved to: all of it, or an
        adapter that is put onto this one.
        """

    @abstractmethod
    def check(self) -> list[str]:
        """Problems with the files, as sentences, found without loading weights."""

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
