"""Files of random weights as people have them of published networks: their names and shapes."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

FILES = tempfile.TemporaryDirectory()
"""Gone when Python ends."""


def seeded(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """A network whose arrays are all random, those of batch norm too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
                module.weight.data.uniform_(0.8, 2)
                module.bias.data.normal_(0, 0.3)
    return network.eval()


@cache
def fid_network() -> torch.nn.Module:
    """As ``pt_inception-2015-12-05-6726825d.pth`` names its arrays: 1008 labels, no aux."""
    from torchvision.models import Inception3

    return seeded(lambda: Inception3(num_classes=1008, aux_logits=False, init_weights=False))


@cache
def xrv_network() -> torch.nn.Module:
    """As torchxrayvision's ``DenseNet`` names its arrays: one channel, 18 findings."""
    from torchvision.models import densenet121

    def make() -> torch.nn.Module:
        network = densenet121(weights=None, num_classes=18)
        network.features.conv0 = torch.nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        return network

    network = seeded(make)
    network.features.norm0.running_var.mul_(1024**2)  # its pixels are up to 1024
    return network


@cache
def timm_network(model: str) -> torch.nn.Module:
    import timm

    def make() -> torch.nn.Module:
        network = timm.create_model(model)
        network.pos_embed.data.normal_(0, 0.5)
        return network

    return seeded(make)


def saved(network: torch.nn.Module, folder: Path) -> str:
    file = folder / "weights.pth"
    torch.save(network.state_dict(), file)
    return str(file)


@cache
def needed(embedder: str) -> dict[str, Any]:
    """What an embedder of tgap cannot do without: a file of weights, of a small model if it may."""
    networks: dict[str, Callable[[], torch.nn.Module]] = {
        "fid_inception": fid_network,
        "xrv_densenet": xrv_network,
        "timm": lambda: timm_network("test_vit"),
    }
    if embedder not in networks:
        return {}
    folder = Path(FILES.name) / embedder
    folder.mkdir()
    model = {"model": "test_vit", "image_size": 64} if embedder == "timm" else {}
    return {"weights": saved(networks[embedder](), folder), "device": "cpu", **model}
