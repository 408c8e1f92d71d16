"""A dataset: drawn discs and squares."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import ImageSet, NewImages, option
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

    def _load(self, new_images: NewImages) -> ImageSet:
        rng = np.random.default_rng(self.seed)
        patients = np.arange(self.count) // 10
        bright = rng.uniform(120, 230, patients[-1] + 1)[patients]
        is_disc = rng.random(self.count) < 0.5
        radius = rng.uniform(4, 11, self.count)
        centres = rng.uniform(12, SIDE - 12, (self.count, 2))
        images = new_images((self.count, SIDE, SIDE, 1))
        for i in range(self.count):
            away = np.abs(np.indices((SIDE, SIDE)) - centres[i][:, None, None])
            distance = np.hypot(*away) if is_disc[i] else away.max(axis=0)
            picture = np.where(distance <= radius[i], bright[i], 20) + rng.normal(
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
