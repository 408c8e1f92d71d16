"""Batches of images resized as the libraries do that published numbers were made with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torchvision.transforms import InterpolationMode


def as_pillow(
    batch: "torch.Tensor", size: Sequence[int], interpolation: "InterpolationMode"
) -> "torch.Tensor":
    """``(B, C, H, W)`` uint8 resized to ``(height, width)``: off by at most two grey levels."""
    from torchvision.transforms.functional import resize

    # Pillow first resizes the rows, and cuts what overshoots black and white, before it resizes
    # the columns. In one step, enlarged pixels would be off by up to 20 grey levels.
    for step in ([batch.shape[2], size[1]], list(size)):
        batch = resize(batch, step, interpolation)
    return batch


def as_tensorflow(batch: "torch.Tensor", side: int) -> "torch.Tensor":
    """``(B, C, H, W)`` floats resized to squares, bilinearly as TensorFlow 1 does it.

    The corner of a new pixel, not its middle, lies where it lay; nothing is smoothed before.
    """
    import torch

    for axis in (2, 3):
        pixels = batch.shape[axis]
        at = torch.arange(side, dtype=batch.dtype, device=batch.device) * (pixels / side)
        before = at.long().clamp(max=pixels - 1)
        after = (before + 1).clamp(max=pixels - 1)
        weight = (at - before).reshape(-1, *[1] * (3 - axis))
        start, end = (batch.index_select(axis, where) for where in (before, after))
        batch = start + (end - start) * weight
    return batch
