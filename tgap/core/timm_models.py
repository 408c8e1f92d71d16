"""What classifiers and embedders ask the timm library about its models."""

import difflib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from tgap.core.errors import DataError
from tgap.core.network import hub_if_it_answers
from tgap.core.weights import State

if TYPE_CHECKING:
    import torch


def problems(model: str) -> list[str]:
    """A model that timm does not know, with the nearest names."""
    import timm

    try:
        timm.get_pretrained_cfg(model, allow_unregistered=False)
    except RuntimeError as error:
        names = difflib.get_close_matches(model, timm.list_models(), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(names)}?" if names else ""
        return [f"model '{model}' is none of timm's: {error}{hint}"]
    return []


def published(model: str, remedy: str) -> State:
    """A model's published weights, with its own last layer, downloaded once.

    Args:
        model: Its name, perhaps with a tag.
        remedy: End of the message.

    Raises:
        DataError: If they cannot be had.
    """
    import timm

    try:
        # With its own last layer all weights must be there; without it timm is lenient.
        with hub_if_it_answers():
            state: State = timm.create_model(model, pretrained=True).state_dict()
    except Exception as error:  # timm and the hub raise many kinds
        raise DataError(
            f"the published weights of timm's '{model}' cannot be loaded ({error}); {remedy}"
        ) from error
    return state


def last_layers(model: str) -> tuple[str, ...]:
    """How the names of a model's last layer begin: ``("head.",)``."""
    import timm

    last = timm.get_pretrained_cfg(model).classifier or ()
    return tuple(f"{layer}." for layer in ((last,) if isinstance(last, str) else last))


@functools.cache
def early_stages(model: str) -> tuple[str, ...]:
    """Names of a model's first two stages that see a quarter of the image's side or less.

    None where their outputs are not ``(B, C, H, W)``, as those of transformers: tried without
    weights or arithmetic on images of the model's own size.

    Args:
        model: Its name.
    """
    import timm
    import torch

    size = timm.get_pretrained_cfg(model).input_size
    with torch.device("meta"):
        backbone = timm.create_model(model, pretrained=False, num_classes=0).eval()
    stages = [part for part in getattr(backbone, "feature_info", ()) if part["reduction"] >= 4][:2]
    shapes: list[tuple[int, ...]] = []
    for stage in stages:
        backbone.get_submodule(stage["module"]).register_forward_hook(
            lambda module, inputs, outputs: shapes.append(tuple(getattr(outputs, "shape", ())))
        )
    try:
        backbone(torch.empty((2, *size), device="meta"))
    except NotImplementedError:  # a layer without such a trial
        return ()
    expected = [(2, stage["num_chs"]) for stage in stages]
    if [shape[:2] for shape in shapes if len(shape) == 4] != expected:
        return ()
    return tuple(stage["module"] for stage in stages)


def untakeable(
    model: str, network: "Callable[[], torch.nn.Module]", shape: tuple[int, ...], remedy: str
) -> list[str]:
    """Why a model cannot take images, as a sentence, tried without weights or arithmetic.

    Nothing where some layer has no such trial: it is told when the model is run.

    Args:
        model: Its name.
        network: Makes it.
        shape: ``(B, C, H, W)``.
        remedy: What to do.
    """
    import torch

    try:
        with torch.device("meta"):
            network().eval()(torch.empty(shape))
    except NotImplementedError:
        return []
    except (AssertionError, RuntimeError, ValueError) as error:
        height, width = shape[2:]
        return [
            f"timm's '{model}' cannot take images of {height} x {width}: {str(error).strip()}; "
            f"{remedy}"
        ]
    return []
