"""Dropout while drawing: each image is drawn by a model that lacks channels of its own."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tgap.core import DataError, rng_for


def with_dropout(
    network: torch.nn.Module, rate: float, seeds: Sequence[int], name: str
) -> torch.nn.Module:
    """A network that leaves out channels, the same ones of an image at every pass.

    As in "Dropout's Dream Land" (Wellmer & Kwok 2021, arXiv 2109.08342), where one mask is one
    world, kept for as long as it is lived in: behind each of the network's dropout layers a
    channel of an image is zero with probability ``rate``, else it is divided by ``1 - rate``. All
    places of a feature map, and all tokens, have one mask.

    Args:
        network: Left as it is: others may be drawing from it. The copy shares its weights.
        rate: In [0, 1); at 0 the network itself is returned.
        seeds: Noise seeds of the images in a batch, from which their masks follow.
        name: Of the masks: those of another name are others.

    Raises:
        DataError: If the network has no dropout layers.
    """
    if rate == 0:
        return network
    weights = (*network.parameters(), *network.buffers())
    copied = copy.deepcopy(network, {id(tensor): tensor for tensor in weights})
    layers = [module for module in copied.modules() if isinstance(module, torch.nn.Dropout)]
    if not layers:
        raise DataError(
            f"sampler.dropout and sampler.guide=dropout need a generator with dropout layers, and "
            f"its {type(network).__name__} has none; set sampler.dropout=0 and another guide"
        )
    for number, layer in enumerate(layers):
        layer.register_forward_hook(_Mask(rate, seeds, name, number))
    return copied


class _Mask:
    """A hook that leaves out channels of what a layer returns."""

    def __init__(self, rate: float, seeds: Sequence[int], name: str, number: int) -> None:
        self._rate, self._seeds, self._name, self._number = rate, seeds, name, number
        self._kept: torch.Tensor | None = None

    def __call__(self, _: torch.nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
        is_map = output.dim() == 4  # (N, C, H, W), else (N, tokens, C)
        if self._kept is None:
            self._kept = self._drawn(output.shape[1 if is_map else -1]).to(output)
        # Pipelines draw a batch twice at once for guidance: both halves are of the same images.
        kept = self._kept.repeat(len(output) // len(self._kept), 1)
        return output * (kept[:, :, None, None] if is_map else kept[:, None])

    def _drawn(self, channels: int) -> torch.Tensor:
        rows = [
            rng_for("sampler", seed, self._name, self._number).random(channels) >= self._rate
            for seed in self._seeds
        ]
        return torch.from_numpy(np.stack(rows) / (1 - self._rate)).float()
