"""What makes the synthetic set: pretrained models, and controls whose truth is known."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from tgap.core import Component, Doubles, Images, Sampler, option
from tgap.core.device import DEVICES, device_problems
from tgap.core.origin import Origin
from tgap.core.settings import SCHEDULERS_OF_DIFFUSION
from tgap.core.words import other_words
from tgap.datasets.base import Dataset

UNKNOWN = "<unknown>"
"""Token of what a tokenizer does not know."""
TRAIN_SHARE = 2 / 3
"""At most so many images of each label of a ready-made set are trained on, others are tested on."""


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


Shapes = Mapping[str, tuple[int, ...]]
"""Of the tensors of a network, by name."""


@dataclass(frozen=True)
class Networks:
    """Shapes of a model's tensors, known without loading any; none where nobody knows them.

    Args:
        denoiser: The UNet or transformer, which tuning changes.
        others: Text encoders, autoencoder, by the names of their folders.
        as_loaded: Whether tensors have the names that they have in the loaded model.
    """

    denoiser: Shapes = field(default_factory=dict)
    others: Mapping[str, Shapes] = field(default_factory=dict)
    as_loaded: bool = True

    def layers(self) -> list[str]:
        """Names of the denoiser's layers that have weights; none where nobody knows them."""
        if not self.as_loaded:
            return []
        return [n.removesuffix(".weight") for n in self.denoiser if n.endswith(".weight")]

    def text_encoders(self) -> dict[str, Shapes]:
        """Those of the others that read prompts."""
        return {n: shapes for n, shapes in self.others.items() if n.startswith("text_encoder")}

    def denoiser_numbers(self) -> int:
        """How many parameters the denoiser has."""
        return count_numbers(self.denoiser)

    def other_numbers(self) -> int:
        """How many the other networks have together."""
        return sum(map(count_numbers, self.others.values()))


def count_numbers(shapes: Shapes) -> int:
    """How many numbers tensors of these shapes hold."""
    return sum(map(math.prod, shapes.values()))


@dataclass(kw_only=True)
class Generator(Component):
    """Where the synthetic set's images come from: a ``Pretrained`` model, a ``Control``, ..."""

    tunable: ClassVar[bool]
    """Whether finetuners can tune it."""

    def ready_made(self) -> dict[str, Dataset]:
        """Datasets of a synthetic set that exists already; none if images are drawn.

        Returns:
            ``images``, and what they were ``tuned_on`` if that is known.
        """
        return {}

    def part(self) -> tuple[int, int]:
        """Which of how many disjoint parts of its ready-made images is taken."""
        return 0, 1

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """The same, with ready-made images read as of that shape, where their size is open."""
        return self

    def check_weights(self) -> list[str]:
        """Problems that only building its networks shows; asked last, when all else is in order."""
        return []

    def check_prompts(self, texts: Sequence[str]) -> list[str]:
        """Texts that it cannot be asked for, as sentences, found without weights or torch."""
        return []

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """What stands in the way of drawing beside real images of that shape, as sentences.

        Args:
            shape: Height, width and channels of the dataset's images.
        """
        return []

    def check_labels(self, texts: Mapping[str, str]) -> list[str]:
        """Labels whose texts differ and are read alike, as sentences: it draws the same for both.

        Args:
            texts: Of labels or findings, by name.

        Raises:
            DataError: If a file is missing or broken.
        """
        problems = []
        known: dict[tuple[str, ...], str] = {}
        for name, tokens in zip(texts, self.prompt_tokens([*texts.values()]) or (), strict=False):
            other = known.setdefault(tuple(tokens), name)
            if texts[other] != texts[name]:
                problems.append(
                    f"generator '{self.title()}' reads '{other}' and '{name}' alike: both "
                    f"'{texts[other]}' and '{texts[name]}' are {' '.join(tokens)} to it; make "
                    "them one, or give one of them other words, e.g. "
                    f"{other_words(name)}"
                )
        return problems

    def unknown_words(self, texts: Mapping[str, str]) -> list[str]:
        """Labels in whose texts there is something that its tokenizer does not know, as sentences.

        Args:
            texts: Of labels or findings, by name.

        Raises:
            DataError: If a file is missing or broken.
        """
        tokens = self.prompt_tokens([*texts.values()]) or ()
        return [
            f"generator '{self.title()}' cannot read all of the prompt of '{name}': "
            f"'{texts[name]}' is {' '.join(read)} to it; give it words that it knows, e.g. "
            f"{other_words(name)}"
            for name, read in zip(texts, tokens, strict=False)
            if UNKNOWN in read
        ]

    def prompt_tokens(self, texts: Sequence[str]) -> list[list[str]] | None:
        """What its tokenizers make of each text; ``None`` where it reads none.

        Needs neither weights nor torch. What is not known is ``UNKNOWN``; texts with equal tokens
        are read alike.

        Raises:
            DataError: If a file is missing or broken.
        """
        return None

    def prompt_distances(self, texts: Sequence[str]) -> Doubles | None:
        """Cosine distances of T texts as its text encoder reads them.

        Returns:
            ``(T, T)``, 0 = read alike; ``None`` where it reads none.

        Raises:
            DataError: If a file is missing or broken.
        """
        return None

    def image_shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of its images, found without loading weights or torch.

        ``None`` for those of the dataset's images, whatever they are.
        """
        return None

    def digest(self) -> str:
        """Hash of its files' content: the same weights elsewhere are the same generator."""
        return ""


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
    begins_with_images: ClassVar[bool] = False
    """Whether its model can begin with noised images (``drawing=variation``)."""

    path: str | None = option(
        None, "folder, file or hub id of the weights, null = the packaged ones", in_key=False
    )  # digest() stands for it
    adapters: list[str] = option([], "folders or files of adapters, in order", in_key=False)
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    def sampler_problems(self, path: str, sampler: Sampler) -> list[str]:
        """What of a sampler its models do not heed, as sentences.

        Scheduler, steps and guidance they do, one value for all images. A generator that draws
        with more says here what is left.

        Args:
            path: Of the sampler's settings, such as ``sampler``.
            sampler: As asked for.
        """
        return [
            f"{path}.{name} has no effect with generator '{self.title()}', which heeds scheduler, "
            f"steps and guidance alone; leave {path}.{name}={value} out"
            for name, value in sampler.further().items()
        ]

    @abstractmethod
    def at(self, folder: Path) -> Self:
        """The same kind of generator with what a tuned model was saved to: all of it, or an
        adapter that is put onto this one.
        """

    def check(self) -> list[str]:
        """A device that is not there, or files that are missing, broken or do not fit."""
        return [*super().check(), *device_problems(self.device)]

    def networks(self) -> Networks:
        """Shapes of its weights, by which disk and time are foreseen.

        Raises:
            DataError: If a file is missing or broken.
        """
        return Networks()

    def origin(self) -> Origin:
        """Where its weights come from, and their licence, as far as that is known."""
        return Origin()

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
