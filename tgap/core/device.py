"""Where tensors live."""

import logging
import platform
from typing import TYPE_CHECKING

from tgap.core.errors import ConfigError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

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


def too_few_devices(name: str, wanted: int) -> list[str]:
    """A sentence if work cannot be shared by that many devices of that name on this machine.

    Of one device nothing is asked; on the CPU any number of processes share the work.
    """
    if wanted == 1 or name not in ("auto", "cuda"):
        return []
    import torch

    there = torch.cuda.device_count()
    if there >= wanted:
        return []
    return [
        f"devices={wanted} needs as many CUDA devices, and torch sees {there} on this machine; set "
        f"devices={max(there, 1)}, start it where there are {wanted}, or set generator.device=cpu "
        "to share the work among processes on the CPU (no faster: to try it out)"
    ]


def warn_of_slow_bfloat16(device: "torch.device", precision: "torch.dtype", setting: str) -> None:
    """Say that bfloat16 is computed in float32 piece by piece, where an x86 processor lacks it.

    Args:
        device: Where the passes are made.
        precision: Of the passes.
        setting: What asked for it.
    """
    import torch

    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if device.type != "cpu" or precision != torch.bfloat16 or not x86:
        return
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        log.warning(
            "this processor has neither AVX512-BF16 nor AMX, so %s=bfloat16 rounds without being "
            "faster; use %s=float32",
            setting,
            setting,
        )
