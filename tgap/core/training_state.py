"""What a training in torch consists of, as arrays: parameters, buffers, an optimizer's memory."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Arrays = dict[str, NDArray[Any]]


def array_of(tensor: "torch.Tensor") -> NDArray[Any]:
    """A tensor's numbers; on the CPU they stay the tensor's own."""
    return np.asarray(tensor.detach().cpu().numpy())


def arrays_of(tensors: Sequence["torch.Tensor"]) -> Arrays:
    """Tensors by their positions."""
    return {str(number): array_of(tensor) for number, tensor in enumerate(tensors)}


def put(arrays: Mapping[str, NDArray[Any]], tensors: Sequence["torch.Tensor"]) -> None:
    """Write arrays of ``arrays_of`` into as many tensors of their shapes."""
    import torch

    with torch.no_grad():
        for number, tensor in enumerate(tensors):
            tensor.copy_(torch.tensor(arrays[str(number)]))


def of_optimizer(optimizer: "torch.optim.Optimizer") -> tuple[Arrays, list[dict[str, Any]]]:
    """What an optimizer remembers of each parameter (Adam's moments), and its groups' settings."""
    state = optimizer.state_dict()
    arrays = {
        f"{parameter}.{name}": array_of(value)
        for parameter, values in state["state"].items()
        for name, value in values.items()
        if value is not None
    }
    return arrays, state["param_groups"]


def set_optimizer(
    optimizer: "torch.optim.Optimizer",
    arrays: Mapping[str, NDArray[Any]],
    groups: Sequence[Mapping[str, Any]],
) -> None:
    """Put an optimizer of the same parameters into a state of ``of_optimizer``."""
    import torch

    state: dict[int, dict[str, Any]] = {}
    for path, array in arrays.items():
        parameter, _, name = path.partition(".")
        state.setdefault(int(parameter), {})[name] = torch.tensor(array)
    optimizer.load_state_dict({"state": state, "param_groups": [dict(group) for group in groups]})


def below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The same arrays, named below a prefix."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def named_below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Those named below a prefix, without it; ``below`` undone."""
    start = f"{prefix}/"
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}
