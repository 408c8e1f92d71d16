"""Image vectors of torchxrayvision's DenseNet-121 for chest X-rays."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tgap.embedders.networks.network import NetworkEmbedder

if TYPE_CHECKING:
    import torch

SIDE = 224


@dataclass(kw_only=True)
class XrvDensenet(NetworkEmbedder):
    """Pooled features (1024) of a DenseNet-121 trained on chest X-rays.

    Cohen et al., TorchXRayVision, MIDL 2022, arXiv 2111.00595: the mean of the channels, scaled to
    [-1024, 1024], cut to its middle square, resized to 224 x 224 bilinearly with antialiasing;
    ``features2`` of their ``DenseNet``.

    Args:
        weights: A file with its state dict. Their own files hold Python objects and are not read;
            ``docs/options.md`` has the two lines that write one.
    """

    def width(self, shape: tuple[int, ...]) -> int:
        """Of the last pooling."""
        return 1024

    def _wanted(self) -> str:
        return (
            "give a state dict of torchxrayvision's DenseNet, written once where that is "
            "installed: torch.save(torchxrayvision.models.DenseNet(weights="
            "'densenet121-res224-all').state_dict(), 'xrv.pt')"
        )

    def _left_out(self) -> tuple[str, ...]:
        return ("classifier.", "op_threshs")

    def _network(self) -> "torch.nn.Module":
        from torch import nn
        from torchvision.models import densenet121

        features = densenet121(weights=None).features
        features.conv0 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        return nn.Sequential(
            OrderedDict(
                features=features, relu=nn.ReLU(), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten()
            )
        )

    def _input(self, batch: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import interpolate
        from torchvision.transforms.functional import center_crop

        scaled = (2 * batch.float().mean(1, keepdim=True) / 255 - 1) * 1024
        square = center_crop(scaled, [min(batch.shape[2:])] * 2)
        if square.shape[2] == SIDE:
            return square
        return interpolate(square, size=(SIDE, SIDE), mode="bilinear", antialias=True)
