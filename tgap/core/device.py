"""Where tensors live."""

from typing import TYPE_CHECKING

from tgap.core.errors import ConfigError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def torch_device(name: str) -> "torch.device":
    """The torch device of that name; ``auto`` takes CUDA where there is one, else the CPU.

    Raises:
        ConfigError: If the device was asked for by name and is not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if (name == "cuda" and not torch.cuda.is_available()) or (
        name == "mps" and not torch.backends.mps.is_available()
    ):
        raise ConfigError(f"device '{name}' is not available on this machine; use 'auto' or 'cpu'")
    return torch.device(name)


def device_problems(name: str) -> list[str]:
    """A sentence if a device was asked for by name and is not there; else no torch is imported."""
    if name in ("auto", "cpu"):
        return []
    try:
        torch_device(name)
    except ConfigError as error:
        return list(error.problems)
    return []
