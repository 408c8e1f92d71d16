"""What classifiers and embedders ask the timm library about its models."""

import difflib

from tgap.core.errors import DataError
from tgap.core.network import hub_if_it_answers
from tgap.core.weights import State


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
