"""Any image model of the timm library."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tgap.classifiers.networks.pretrained import PretrainedNetwork, rgb_scaling
from tgap.core import Images, Weights, option, timm_models
from tgap.core.weights import State

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Timm(PretrainedNetwork):
    """A model of timm by its name, with one logit per label.

    AdamW with a one-cycle learning rate. Images are normalised as the model's published weights
    expect it.

    Args:
        model: A name that ``timm.list_models()`` knows; one with a tag (``resnet18.a1_in1k``)
            names one of several published weights.
        weights: null (from scratch), ``hub`` (timm's published weights, downloaded once), or a file
            with a state dict of the model.
    """

    published: ClassVar[str] = "hub"
    library: ClassVar[str] = "timm"
    library_names: ClassVar[Mapping[str, str]] = {"features.backbone.": "backbone."}

    model: str = option("resnet18", "a model's name in timm")
    learning_rate: float = option(1e-3, "peak learning rate", above=0, high=1.0)
    weights: str | None = option(None, "null = from scratch, hub, or a file")

    def check(self) -> list[str]:
        """A model that timm does not know."""
        return timm_models.problems(self.model) or super().check()

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """Images too small for the model, tried without weights or arithmetic."""
        if problems := super().check_images(shape):
            return problems
        height, width = (self.image_size or side for side in shape[:2])
        return timm_models.untakeable(
            self.model,
            lambda: self._network(3, 2),
            (2, 3, height, width),
            "set classifier.image_size",
        )

    def early_stages(self) -> Sequence[str]:
        """The first two stages that see a quarter of the image's side or less."""
        return [f"features.backbone.{name}" for name in timm_models.early_stages(self.model)]

    def _network(self, channels: int, labels: int) -> "torch.nn.Module":
        import timm
        from torch import nn

        backbone = timm.create_model(self.model, pretrained=False, num_classes=0)
        return nn.Sequential(
            OrderedDict(
                features=nn.Sequential(OrderedDict(backbone=backbone)),
                head=nn.Linear(backbone.head_hidden_size, labels),
            )
        )

    def _code(self, labels: int, width: int) -> str:
        return (
            "from collections import OrderedDict\n\n"
            "import timm\n\n"
            f"backbone = timm.create_model({self.model!r}, pretrained=False, num_classes=0)\n"
            f"head = torch.nn.Linear({width}, {labels})\n"
            "network = torch.nn.Sequential(OrderedDict(backbone=backbone, head=head))"
        )

    def _scaling(self, images: Images) -> Weights:
        import timm

        settings = timm.get_pretrained_cfg(self.model)
        return rgb_scaling(settings.mean, settings.std)

    def _published_state(self) -> State:
        return timm_models.published(
            self.model,
            "set classifier.weights to a file of them, or train from scratch with "
            "classifier.weights=null",
        )

    def _backbone_state(self, state: State) -> State:
        last = timm_models.last_layers(self.model)
        return {key: array for key, array in state.items() if not key.startswith(last)}
