"""Torch's random state, borrowed and given back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@contextmanager
def isolated_rng(rng: np.random.Generator, device: "torch.device") -> Iterator[None]:
    """Seed torch from ``rng`` inside the block; afterwards its state is as it was before.

    Args:
        rng: One number is drawn from it.
        device: Whose random state is borrowed, beside the CPU's.
    """
    import torch

    seed = int(rng.integers(2**63))
    if device.type == "cpu":
        fork = torch.random.fork_rng(devices=[])
    else:
        index = 0 if device.index is None else device.index
        fork = torch.random.fork_rng(devices=[index], device_type=device.type)
    with fork:
        # Not torch.manual_seed: it seeds every accelerator, also those that are not borrowed.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield
