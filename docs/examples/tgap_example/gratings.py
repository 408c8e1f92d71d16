"""A generator: gratings whose direction follows from the prompt."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from tgap.core import DataError, Images, Sampler
from tgap.generators.base import Model, Networks, Pretrained
from tgap.generators.latent.schedulers import no_such_scheduler

SIDE, FILE = 32, "waves.npy"


@dataclass(frozen=True)
class GratingModel(Model):
    """Draws by ``(K, 2)`` waves, each so many periods across and down an image."""

    waves: np.ndarray
    schedulers: tuple[str, ...]

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampler: Sampler,
        on_images: Callable[[int], None] = lambda done: None,
    ) -> Images:
        """One grating per prompt: the prompt chooses the wave, the seed its phase and noise."""
        if sampler.scheduler not in self.schedulers:
            raise no_such_scheduler(sampler.scheduler, self.schedulers)
        images = np.empty((len(prompts), SIDE, SIDE, 1), np.uint8)
        for row, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            rng = np.random.default_rng(seed)
            place = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4]) % len(self.waves)
            angle = np.tensordot(self.waves[place], np.indices((SIDE, SIDE)) / SIDE, 1)
            wave = np.sin(2 * np.pi * (angle + rng.random()))
            grey = 128 + 90 * wave + rng.normal(0, 8, (SIDE, SIDE))
            images[row, :, :, 0] = np.clip(grey, 0, 255)
            on_images(row + 1)
        return images

    def save(self, folder: Path) -> None:
        """Write the waves."""
        np.save(folder / FILE, self.waves, allow_pickle=False)


@dataclass(kw_only=True)
class Gratings(Pretrained):
    """Grey gratings. ``path`` is a folder with ``waves.npy``; null is a built-in set of them."""

    tunable: ClassVar[bool] = False
    implies: ClassVar[Mapping[str, str]] = {"finetuner": "none"}

    def at(self, folder: Path) -> Self:
        """The same with what a model was saved to."""
        return replace(self, path=str(folder))

    def check(self) -> list[str]:
        """A file that is missing or holds something else."""
        problems = super().check()
        try:
            self._waves()
        except DataError as error:
            problems.append(str(error))
        return problems

    def image_shape(self) -> tuple[int, int, int]:
        """Always the same."""
        return (SIDE, SIDE, 1)

    def networks(self) -> Networks:
        """By which time and disk are foreseen: all its numbers are the waves."""
        return Networks({"waves": self._waves().shape})

    def digest(self) -> str:
        """Of the waves, wherever they lie."""
        return hashlib.sha256(self._waves().tobytes()).hexdigest()

    def load(self) -> GratingModel:
        """Read the waves."""
        return GratingModel(self._waves(), self.schedulers)

    def _waves(self) -> np.ndarray:
        if self.path is None:
            turns = np.linspace(0, np.pi, 64, endpoint=False)
            return 3 * np.stack([np.sin(turns), np.cos(turns)], axis=1)
        file = Path(self.path) / FILE
        try:
            waves: np.ndarray = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"generator.path: cannot read waves from {file}: {error}") from error
        if waves.ndim != 2 or waves.shape[1] != 2:
            raise DataError(f"generator.path: {file} must hold (K, 2) numbers, got {waves.shape}")
        return waves
