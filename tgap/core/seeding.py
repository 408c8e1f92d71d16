"""Scoped seeds: every draw names what it is for, so that no draw disturbs another."""

import hashlib
import json
import operator
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tgap.core.errors import ContractError


def seed_for(scope: str, run_seed: int, *names: str | int) -> int:
    """Hash a scope, the run's seed and further names to a seed.

    The first 63 bits of SHA-256 over the JSON list ``[scope, run_seed, *names]``. JSON quotes
    text and separates items, so ``("a", 1, "b")``, ``("a", 1, "b", 2)`` and ``("a", 1, "b2")``
    never share an encoding, and neither do ``1`` and ``"1"``.

    Args:
        scope: What the seed is for, e.g. ``finetune``.
        run_seed: The run's seed.
        names: Further names within the scope, e.g. a label's index.

    Returns:
        A seed in ``[0, 2**63)``, the same on every machine and in every version.

    Raises:
        ContractError: If a name is neither text nor an integer.

    >>> seed_for("generate", 0)
    6327576038869036801
    """
    try:
        parts = [_plain(part) for part in (scope, run_seed, *names)]
    except TypeError:
        raise ContractError(
            f"names of a seed must be text or integers, got {(scope, run_seed, *names)!r}"
        ) from None
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _plain(part: str | int) -> str | int:
    # index() takes numpy's integers, and refuses floats
    return part if isinstance(part, str) else int(operator.index(part))


def rng_for(scope: str, run_seed: int, *names: str | int) -> np.random.Generator:
    """A fresh generator on ``seed_for`` the same names."""
    return np.random.default_rng(seed_for(scope, run_seed, *names))


def noise_seeds(seed: int, label: int, count: int) -> list[int]:
    """One noise seed per synthetic image of a label.

    Each follows from ``(seed, label, index)`` alone: more images, another batch size or a resumed
    run leave the images that were there as they are.

    Args:
        seed: Seed of the scope that draws the images.
        label: Index of the label.
        count: How many images.

    Returns:
        ``count`` seeds in ``[0, 2**63)``.
    """
    return [seed_for("noise", seed, label, index) for index in range(count)]


def trial_seed(seed: int, label: int, index: int, trial: int) -> int:
    """The noise seed of a further trial at an image, whose trial 0 is that of ``noise_seeds``.

    Args:
        seed: Seed of the scope that draws the images.
        label: Index of the label.
        index: Of the image among the label's.
        trial: Its number, at least 1.
    """
    return seed_for("noise", seed, label, index, trial)


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed the global random states inside, and put them back as they were afterwards.

    For code of others that draws from global state: Python's ``random``, NumPy's legacy functions
    and torch on the CPU and on every CUDA device.

    Args:
        seed: In ``[0, 2**63)``, e.g. from ``seed_for``.

    Raises:
        ContractError: If the seed is out of range.
    """
    if not 0 <= seed < 2**63:
        raise ContractError(f"seed must be in [0, 2**63), got {seed}")
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            # the legacy seed has 32 bits: give it both halves
            np.random.seed([seed & 0xFFFFFFFF, seed >> 32])
            random.seed(seed)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
