"""CheXNet: a DenseNet-121 for chest X-rays."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tgap.classifiers.networks.pretrained import PretrainedNetwork, rgb_scaling
from tgap.classifiers.networks.schedules import Plateau, Schedule
from tgap.core import DataError, Images, Weights, option
from tgap.core.network import why_not
from tgap.core.weights import State

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PUBLISHED = "https://download.pytorch.org/models/densenet121-a639ec97.pth"
"""torchvision's ``IMAGENET1K_V1``: to load torchvision for it takes a second."""
OLD_KEY = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""torchvision's published file is older than its names: ``norm.1.weight`` is ``norm1.weight``."""


@dataclass(kw_only=True)
class Chexnet(PretrainedNetwork):
    """DenseNet-121 with one logit per label, binary or 14 findings.

    Rajpurkar et al., CheXNet: radiologist-level pneumonia detection on chest X-rays with deep
    learning, 2017, arXiv 1711.05225v3, sections 2.2 and 3: ImageNet initialisation and
    normalisation, Adam with learning rate 0.001, batches of 16, a tenth of the learning rate when
    the validation loss stops falling, random mirroring, the epoch with the least validation loss.

    Departures: any image size from 32 pixels on (``image_size=224`` resizes as published);
    unweighted cross-entropy for one label too; training stops after ``patience`` epochs without a
    new least validation loss.

    Args:
        weights: ``imagenet`` (torchvision's ``IMAGENET1K_V1``, downloaded once), null (from
            scratch), or a file with a state dict of torchvision's ``densenet121``.
        patience: Epochs without a new least validation loss after which training stops.
    """

    published: ClassVar[str] = "imagenet"
    library: ClassVar[str] = "torchvision"
    library_names: ClassVar[Mapping[str, str]] = {
        "features.backbone.": "features.",
        "head.": "classifier.",
    }

    epochs: int = option(30, "passes over the training images at most", low=1, high=1_000_000)
    batch_size: int = option(16, "images per optimizer step", low=2, high=1_000_000)
    learning_rate: float = option(1e-3, "initial learning rate", above=0, high=1.0)
    weight_decay: float = option(0.0, "weight decay", low=0)
    weights: str | None = option("imagenet", "imagenet, null = from scratch, or a file")
    patience: int = option(3, "epochs without improvement before it stops", low=1, high=1_000_000)

    def early_stages(self) -> Sequence[str]:
        """The first two dense blocks."""
        return ["features.backbone.denseblock1", "features.backbone.denseblock2"]

    def _network(self, channels: int, labels: int) -> "torch.nn.Module":
        from torch import nn
        from torchvision.models import densenet121

        model = densenet121(weights=None, num_classes=labels)
        features = nn.Sequential(
            OrderedDict(
                backbone=model.features,
                relu=nn.ReLU(),
                pool=nn.AdaptiveAvgPool2d(1),
                flat=nn.Flatten(),
            )
        )
        return nn.Sequential(OrderedDict(features=features, head=model.classifier))

    def _code(self, labels: int, width: int) -> str:
        return (
            "from torchvision.models import densenet121\n\n"
            f"network = densenet121(weights=None, num_classes={labels})"
        )

    def _scaling(self, images: Images) -> Weights:
        return rgb_scaling(IMAGENET_MEAN, IMAGENET_STD)

    def _optimizer(self, network: "torch.nn.Module") -> "torch.optim.Optimizer":
        import torch

        return torch.optim.Adam(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )

    def _schedule(self, optimizer: "torch.optim.Optimizer", steps: int) -> Schedule:
        return Plateau(optimizer, self.patience)

    def _published_state(self) -> State:
        from torch.hub import get_dir

        cached = Path(get_dir()) / "checkpoints" / Path(PUBLISHED).name
        try:
            if not cached.exists() and (reason := why_not(PUBLISHED)):
                raise OSError(reason)
            from torchvision.models import DenseNet121_Weights

            published = DenseNet121_Weights.IMAGENET1K_V1
            state: State = published.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"the ImageNet weights of chexnet cannot be downloaded ({error}); download "
                f"{PUBLISHED} elsewhere and set classifier.weights to the file, or train from "
                "scratch with classifier.weights=null"
            ) from error
        return state

    def _backbone_state(self, state: State) -> State:
        return {OLD_KEY.sub(r"\1\2", key): array for key, array in state.items()}
