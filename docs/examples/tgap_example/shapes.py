"""A dataset: drawn discs and squares."""

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tgap.core import DataError, Floats, ImageSet, NewImages, option
from tgap.datasets.base import Dataset

SIDE = 32


@dataclass(kw_only=True)
class Shapes(Dataset):
    """Grey discs and squares of random size, place and brightness on a dark, noisy ground.

    Label: the shape. Finding: whether it is large. Ten images for each "patient", who has a
    brightness of their own.
    """

    image_size: ClassVar[int | None] = SIDE

    domain: str = option("shape", "what the images show, in the words of a prompt")
    count: int = option(2000, "images", low=20)
    seed: int = option(0, "of the drawing", low=0)
    ground: str | None = option(None, ".npy of 32 x 32 grey values, null = dark", in_key=False)

    def identity(self) -> dict[str, Any]:
        """A ground counts by its content, wherever it lies."""
        return super().identity() | {"ground": hashlib.sha256(self._ground().tobytes()).hexdigest()}

    def check(self) -> list[str]:
        """A ground that cannot be read."""
        try:
            self._ground()
        except DataError as error:
            return [str(error)]
        return []

    def stored_bytes(self) -> int:
        """Of the array: by it room on the disk is foreseen."""
        return self.count * SIDE * SIDE

    def _ground(self) -> Floats:
        if self.ground is None:
            return np.full((SIDE, SIDE), 20, np.float32)
        try:
            ground = np.load(self.ground, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"dataset.ground: cannot read {self.ground}: {error}") from error
        if ground.shape != (SIDE, SIDE):
            raise DataError(f"dataset.ground must be {SIDE} x {SIDE}, got {ground.shape}")
        return ground.astype(np.float32)

    def _load(self, new_images: NewImages) -> ImageSet:
        rng, ground = np.random.default_rng(self.seed), self._ground()
        patients = np.arange(self.count) // 10
        bright = rng.uniform(120, 230, patients[-1] + 1)[patients]
        is_disc = rng.random(self.count) < 0.5
        radius = rng.uniform(4, 11, self.count)
        centres = rng.uniform(12, SIDE - 12, (self.count, 2))
        images = new_images((self.count, SIDE, SIDE, 1))
        for i in range(self.count):
            away = np.abs(np.indices((SIDE, SIDE)) - centres[i][:, None, None])
            distance = np.hypot(*away) if is_disc[i] else away.max(axis=0)
            picture = np.where(distance <= radius[i], bright[i], ground) + rng.normal(
                0, 6, (SIDE, SIDE)
            )
            images[i, :, :, 0] = np.clip(picture, 0, 255).astype(np.uint8)
        return ImageSet(
            images=images,
            labels=np.stack([is_disc, ~is_disc], axis=1),
            label_names=("disc", "square"),
            findings=(radius > 7.5)[:, None],
            finding_names=("large",),
            patients=patients.astype(np.int64),
        )
