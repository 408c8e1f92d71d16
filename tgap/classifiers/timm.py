"""Any image model of the timm library."""

import difflib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tgap.classifiers.networks.pretrained import PretrainedNetwork, rgb_scaling
from tgap.classifiers.networks.weights import State
from tgap.core import DataError, Images, Weights, option
from tgap.core.network import hub_if_it_answers

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

    model: str = option("resnet18", "a model's name in timm")
    learning_rate: float = option(1e-3, "peak learning rate", above=0)
    weights: str | None = option(None, "null = from scratch, hub, or a file")

    def check(self) -> list[str]:
        """A model that timm does not know."""
        import timm

        try:
            timm.get_pretrained_cfg(self.model, allow_unregistered=False)
        except RuntimeError as error:
            names = difflib.get_close_matches(self.model, timm.list_models(), n=3, cutoff=0.5)
            hint = f"; did you mean {', '.join(names)}?" if names else ""
            return [f"model '{self.model}' is none of timm's: {error}{hint}"]
        return super().check()

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """Images too small for the model, tried without weights or arithmetic."""
        import torch

        if problems := super().check_images(shape):
            return problems
        height, width = (self.image_size or side for side in shape[:2])
        try:
            with torch.device("meta"):
                self._network(3, 2).eval()(torch.empty(2, 3, height, width))
        except NotImplementedError:
            return []  # some layer has no such trial; what it cannot take is told when it is fitted
        except (AssertionError, RuntimeError, ValueError) as error:
            return [
                f"timm's '{self.model}' cannot take images of {height} x {width}: "
                f"{str(error).strip()}; set classifier.image_size"
            ]
        return []

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

    def _scaling(self, images: Images) -> Weights:
        settings = self._settings()
        return rgb_scaling(settings.mean, settings.std)

    def _published_state(self) -> State:
        import timm

        try:
            # With its own last layer all weights must be there; without it timm is lenient.
            with hub_if_it_answers():
                model = timm.create_model(self.model, pretrained=True)
        except Exception as error:  # timm and the hub raise many kinds
            raise DataError(
                f"the published weights of timm's '{self.model}' cannot be loaded ({error}); set "
                "classifier.weights to a file of them, or train from scratch with "
                "classifier.weights=null"
            ) from error
        state: State = model.state_dict()
        return state

    def _backbone_state(self, state: State) -> State:
        last = self._settings().classifier or ()
        layers = (last,) if isinstance(last, str) else tuple(last)
        return {
            key: array
            for key, array in state.items()
            if not key.startswith(tuple(f"{layer}." for layer in layers))
        }

    def _settings(self) -> Any:
        """What timm knows of the model's published weights."""
        import timm

        return timm.get_pretrained_cfg(self.model)
