"""Image vectors of any model of the timm library; DINOv2 by default."""

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tgap.core import option, timm_models
from tgap.core.weights import State
from tgap.embedders.networks.network import NetworkEmbedder
from tgap.embedders.networks.resizing import as_pillow

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Timm(NetworkEmbedder):
    """What a model of timm hands to its last layer: of DINOv2 the class token, after its norm.

    The default, DINOv2's ViT-L/14 at 224 x 224, is that of Stein et al., Exposing flaws of
    generative model evaluation metrics, NeurIPS 2023, arXiv 2306.04675 (FD-DINOv2): whole images
    are resized as Pillow does it, and normalised as the model's published weights expect it.
    DINOv2's position embeddings are resized as its authors' code does it, which timm's does not.
    Grey images are repeated to three channels.

    Args:
        model: A name that ``timm.list_models()`` knows, perhaps with a tag.
        weights: ``hub`` (timm's published weights, downloaded once), or a file with a state dict of
            the model; of DINOv2 its authors' ``dinov2_vitl14_pretrain.pth`` too.
        image_size: Pixels a side that the model gets; null is what it was published for.
    """

    published: ClassVar[str | None] = "hub"

    model: str = option("vit_large_patch14_dinov2.lvd142m", "a model's name in timm")
    weights: str | None = option("hub", "hub, or a file of weights")
    image_size: int | None = option(224, "pixels a side; null = the model's own", low=32)

    def check(self) -> list[str]:
        """A model that timm does not know, or that takes no images of this size."""
        if problems := timm_models.problems(self.model) or super().check():
            return problems
        shape = (1, 3, self._side, self._side)
        return timm_models.untakeable(
            self.model, lambda: self._ready(self._network()), shape, "set image_size"
        )

    def width(self, shape: tuple[int, ...]) -> int:
        """As the model says."""
        import torch

        if timm_models.problems(self.model):
            return super().width(shape)
        with torch.device("meta"):
            return int(self._network().head_hidden_size)

    @property
    def _is_plain_dinov2(self) -> bool:
        """Whether position embeddings are its authors'; with registers timm's way is theirs."""
        return "dinov2" in self.model and "_reg" not in self.model

    @property
    def _side(self) -> int:
        import timm

        return self.image_size or int(timm.get_pretrained_cfg(self.model).input_size[-1])

    def _wanted(self) -> str:
        return f"give 'hub' (timm's published weights) or a file: {self._files()}"

    def _files(self) -> str:
        other = ", or its authors' own (dinov2_vitl14_pretrain.pth of ViT-L/14)"
        return (
            f"model.safetensors of timm/{self.model} on Hugging Face's hub"
            f"{other if self._is_plain_dinov2 else ''}"
        )

    def _left_out(self) -> tuple[str, ...]:
        return (*timm_models.last_layers(self.model), "mask_token")

    def _published_state(self) -> State:
        remedy = f"without a network, set its weights to a file: {self._files()}"
        return timm_models.published(self.model, remedy)

    def _network(self) -> "torch.nn.Module":
        import timm

        network: torch.nn.Module = timm.create_model(self.model, pretrained=False, num_classes=0)
        return network

    def _ready(self, network: "torch.nn.Module") -> "torch.nn.Module":
        from torch import nn

        # It would be told four times a run, and of DINOv2 it is not the last word.
        logging.getLogger("timm.layers.pos_embed").setLevel(logging.WARNING)
        published = getattr(network, "pos_embed", None)
        if self.image_size is not None and hasattr(network, "set_input_size"):
            network.set_input_size(img_size=(self.image_size, self.image_size))
            if self._is_plain_dinov2 and published is not None:
                network.pos_embed = nn.Parameter(
                    _dinov2_positions(published, network.patch_embed.grid_size[0])
                )
        return network

    def _input(self, batch: "torch.Tensor") -> "torch.Tensor":
        import timm
        import torch
        from torchvision.transforms import InterpolationMode

        settings = timm.get_pretrained_cfg(self.model)
        resized = as_pillow(batch, [self._side] * 2, InterpolationMode(settings.interpolation))
        mean, std = (
            torch.tensor(values)[:, None, None] for values in (settings.mean, settings.std)
        )
        return (resized.expand(-1, 3, -1, -1).float() / 255 - mean) / std


def _dinov2_positions(embeddings: "torch.Tensor", side: int) -> "torch.Tensor":
    """Position embeddings for ``side`` patches a side: bicubic, not smoothed, a tenth shifted."""
    import torch
    from torch.nn.functional import interpolate

    before = math.isqrt(embeddings.shape[1] - 1)
    if before == side:
        return embeddings
    grid = embeddings[:, 1:].reshape(1, before, before, -1).permute(0, 3, 1, 2)
    resized = interpolate(grid, scale_factor=[(side + 0.1) / before] * 2, mode="bicubic")
    return torch.cat([embeddings[:, :1], resized.flatten(2).transpose(1, 2)], 1)
