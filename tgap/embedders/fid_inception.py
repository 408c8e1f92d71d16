"""Image vectors of the Inception network that FID is defined by."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tgap.embedders.networks.network import NetworkEmbedder
from tgap.embedders.networks.resizing import as_tensorflow

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class FidInception(NetworkEmbedder):
    """Pool features (2048) of TensorFlow's Inception-v3 of 2015: Frechet distances are FIDs.

    Heusel et al., NeurIPS 2017, arXiv 1706.08500. Images are resized to 299 x 299 as TensorFlow 1
    does it, bilinearly without smoothing, and ``(x - 128) / 128``: as torch-fidelity and
    torchmetrics do. pytorch-fid places new pixels half a pixel elsewhere: its FIDs differ
    a little. Grey images are repeated to three channels.

    Args:
        weights: ``pt_inception-2015-12-05-6726825d.pth`` (pytorch-fid), or
            ``weights-inception-2015-12-05-6726825d.pth`` (torch-fidelity): the same arrays.
    """

    def width(self, shape: tuple[int, ...]) -> int:
        """Of the last pooling."""
        return 2048

    def _wanted(self) -> str:
        return (
            "give the FID network's file: pt_inception-2015-12-05-6726825d.pth, of the releases of "
            "pytorch-fid (fid_weights), or weights-inception-2015-12-05-6726825d.pth, of "
            "torch-fidelity's"
        )

    def _left_out(self) -> tuple[str, ...]:
        return ("fc.",)

    def _network(self) -> "torch.nn.Module":
        from torch import nn
        from torchvision.models import Inception3

        network = Inception3(aux_logits=False, init_weights=False)
        network.fc = nn.Identity()
        for block in network.children():
            if hasattr(block, "branch_pool"):
                block.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
                block.register_forward_hook(_pooled_as_in_fid)
        network.Mixed_7c.pool = nn.MaxPool2d(3, stride=1, padding=1)
        return network

    def _input(self, batch: "torch.Tensor") -> "torch.Tensor":
        return (as_tensorflow(batch.expand(-1, 3, -1, -1).float(), 299) - 128) / 128


def _pooled_as_in_fid(block: Any, given: tuple[Any, ...], output: "torch.Tensor") -> "torch.Tensor":
    """A block's output, its last channels pooled without the padding's zeros, or by the maximum."""
    import torch

    pooled = block.branch_pool(block.pool(given[0]))
    return torch.cat([output[:, : -pooled.shape[1]], pooled], 1)
