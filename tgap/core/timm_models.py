"""What classifiers and embedders ask the timm library about its models."""

import difflib
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
