"""Training batches of the run's classifier -> the same in other styles."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tgap.core import Component, ContractError

if TYPE_CHECKING:
    import torch

EPS = 1e-6
"""Added to variances, as the authors of MixStyle and DSU do: a constant map has none."""


@dataclass(kw_only=True)
class Augment(Component):
    """Changes the style of a network's training batches, and not what they show.

    Only while ``fit`` trains: nothing is changed where the network validates, scores, or adapts to
    images of another domain, whose own style is to be learnt there.
    """

    changes: ClassVar[bool] = True
    """False if it leaves everything as it is."""

    on_maps: ClassVar[bool] = False
    """True if it changes feature maps, behind a network's early stages."""

    def images(self, batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        """A batch of images, changed at random.

        Args:
            batch: ``(B, H, W, C)`` uint8; it stays as it is.
            rng: The only source of randomness.
        """
        return _like(self.stem(), batch, self._images(batch, rng))

    def maps(self, maps: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        """Feature maps of a batch, changed at random.

        Args:
            maps: ``(B, C, H, W)``; they stay as they are.
            rng: The only source of randomness.
        """
        return _like(self.stem(), maps, self._maps(maps, rng))

    @contextmanager
    def behind(
        self, network: "torch.nn.Module", stages: Sequence[str], rng: np.random.Generator
    ) -> Iterator[None]:
        """While it lasts, what stages of a network hand on is changed by ``maps``.

        Args:
            network: Has the stages.
            stages: Names of modules with outputs ``(B, C, H, W)``.
            rng: The only source of randomness.
        """
        hooks = [
            network.get_submodule(name).register_forward_hook(
                lambda stage, inputs, maps: self.maps(maps, rng)
            )
            for name in stages
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _images(self, batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        return batch

    def _maps(self, maps: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        return maps


def moments(maps: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Mean and standard deviation of each channel of each image, ``(B, C, 1, 1)`` each.

    The variance is divided by H W, so that maps of one pixel have one too.

    Args:
        maps: ``(B, C, H, W)``.
    """
    variance = maps.var(dim=(2, 3), correction=0, keepdim=True)
    return maps.mean(dim=(2, 3), keepdim=True), (variance + EPS).sqrt()


def drawn(array: "np.ndarray", like: "torch.Tensor") -> "torch.Tensor":
    """Numbers that a generator drew, on the device and of the type of a tensor."""
    import torch

    return torch.from_numpy(array).to(like.device, like.dtype)


def _like(name: str, before: "torch.Tensor", after: "torch.Tensor") -> "torch.Tensor":
    if (after.shape, after.dtype) != (before.shape, before.dtype):
        raise ContractError(
            f"augment {name} must return {before.dtype} of shape {tuple(before.shape)}, got "
            f"{after.dtype} of shape {tuple(after.shape)}"
        )
    return after
