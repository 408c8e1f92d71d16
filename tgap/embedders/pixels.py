"""Image vectors that are the pixels."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Floats, Images, option
from tgap.embedders.base import Embedder, Features


@dataclass(kw_only=True)
class Pixels(Embedder):
    """Pixels in [0, 1], row by row: the space of the thesis's experiment 3 (section 4.5).

    X-rays have three equal channels, which give the same neighbours as one of them at a third of
    the cost: so ``grey`` is the default (Pillow's weights .299, .587, .114 for colour images).

    Args:
        size: Longer side of a larger image after reduction (bicubic, as Pillow does it); the
            thesis does not give its own. Smaller images are left as they are.
        color: ``grey`` or ``rgb``.
    """

    size: int = option(64, "larger images are reduced to this longer side", low=1)
    color: str = option("grey", "channels that are kept", choices=("grey", "rgb"))

    def width(self, shape: tuple[int, ...]) -> int:
        """Pixels of a reduced image, times its channels."""
        scale = min(1.0, self.size / max(shape[:2]))
        channels = 3 if self.color == "rgb" else 1
        return round(shape[0] * scale) * round(shape[1] * scale) * channels

    def _embed(self, images: Images, features: Features | None) -> Floats:
        flat = [
            self._reduced(images[start : start + self.batch_size])
            for start in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(flat) if flat else np.zeros((0, 0), np.float32)

    def _reduced(self, images: Images) -> Floats:
        from PIL import Image

        mode, longest = {"grey": "L", "rgb": "RGB"}[self.color], max(images.shape[1:3])
        scale = min(1.0, self.size / longest)
        height, width = (max(1, round(side * scale)) for side in images.shape[1:3])
        vectors = []
        for image in images:
            picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert(mode)
            if scale < 1:
                picture = picture.resize((width, height), Image.Resampling.BICUBIC)
            vectors.append(np.asarray(picture, np.float32).ravel() / 255)
        return np.stack(vectors)
