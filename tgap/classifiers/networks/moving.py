"""Images moved a little before they are learnt from."""

from typing import TYPE_CHECKING

import numpy as np

from tgap.classifiers.networks.fitting import to_device

if TYPE_CHECKING:
    import torch


def shifted(images: "torch.Tensor", most: int, rng: np.random.Generator) -> "torch.Tensor":
    """Move each image by up to ``most`` pixels in both directions; its edge is repeated.

    Args:
        images: ``(N, H, W, C)``.
        most: Largest shift in pixels.
        rng: Draws two shifts per image, uniform on the integers.
    """
    n, height, width, _ = images.shape
    down, right = rng.integers(-most, most + 1, size=(2, n, 1))
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    index = (np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :])
    return images[tuple(to_device(part, images.device) for part in index)]
