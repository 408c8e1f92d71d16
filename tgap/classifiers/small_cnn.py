"""A small convolutional network, trained from scratch in seconds."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tgap.classifiers.networks.network import Network
from tgap.core import Images, Weights

if TYPE_CHECKING:
    import torch

WIDTHS = (16, 32, 64)


@dataclass(kw_only=True)
class SmallCnn(Network):
    """Three strided 3x3 convolutions with batch norm, pooling to 2x2, one linear layer.

    16, 32 and 64 channels; binary cross-entropy per label, AdamW with a one-cycle learning rate,
    random shifts; the epoch with the least validation loss is kept. Any image size from 16 pixels
    on; larger images are pooled to the same 256 features. Images are normalised by the training
    images' own mean and standard deviation.
    """

    version: ClassVar[int] = 2  # the arrays' names changed
    smallest: ClassVar[int] = 16  # three strided convolutions leave 2 x 2 of it
    scored_at_once: ClassVar[int] = 512

    def stored_bytes(self, shape: tuple[int, ...], labels: int) -> int:
        """Those of its convolutions."""
        return 100_000

    def early_stages(self) -> Sequence[str]:
        """Behind the first two convolutions."""
        return ["features.relu1", "features.relu2"]

    def _network(self, channels: int, labels: int) -> "torch.nn.Module":
        from torch import nn

        features = nn.Sequential()
        for number, (width_in, width) in enumerate(
            zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True), start=1
        ):
            features.add_module(f"conv{number}", nn.Conv2d(width_in, width, 3, 2, 1, bias=False))
            features.add_module(f"norm{number}", nn.BatchNorm2d(width))
            features.add_module(f"relu{number}", nn.ReLU())
        features.add_module("pool", nn.AdaptiveAvgPool2d(2))
        features.add_module("flat", nn.Flatten())
        head = nn.Linear(4 * WIDTHS[-1], labels)
        return nn.Sequential(OrderedDict(features=features, head=head))

    def _scaling(self, images: Images) -> Weights:
        mean, std = channel_moments(images)
        return {
            "input_mean": mean.astype(np.float32),
            "input_std": np.maximum(std, 1.0).astype(np.float32),  # blank images have none
        }


def channel_moments(images: Images) -> tuple["np.ndarray", "np.ndarray"]:
    """Mean and standard deviation of each channel's pixels, from their histogram.

    Args:
        images: ``(N, H, W, C)`` uint8; read one by one, so the memory taken does not grow.

    Returns:
        Two arrays ``(C,)`` float64.
    """
    values, channels = np.arange(256.0), images.shape[3]
    counts = np.zeros((channels, 256))
    for image in images:
        for channel in range(channels):
            counts[channel] += np.bincount(image[..., channel].ravel(), minlength=256)
    total = counts.sum(axis=1)
    mean = counts @ values / total
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / total
    return mean, np.sqrt(variance)
