"""The header of a safetensors file, read without torch and without the weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tgap.core.errors import DataError

Shapes = Mapping[str, tuple[int, ...]]
"""Of tensors, by name."""
PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".pkl")
"""Files that people publish instead of safetensors, and that can run code when they are read."""


def shapes_in(path: Path, remedy: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a file's tensors by name, once its length is what its header says.

    The format: 8 bytes with the header's length n (little-endian), n bytes of JSON in which each
    tensor has ``shape`` and ``data_offsets`` [begin, end), then the data.

    Args:
        path: An existing file.
        remedy: What to do if it is broken.

    Raises:
        DataError: If it is truncated or of another format.
    """
    got = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if got < 8 or length > got - 8:
            least = 8 + length if got >= 8 else 8
            raise DataError(_wrong_length(path, f"at least {least}", got, remedy))
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            header.pop("__metadata__", None)
            ends = [entry["data_offsets"][1] for entry in header.values()]
            shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
            expected = 8 + length + max(ends, default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise DataError(f"'{path}' is no safetensors file; {remedy}") from error
    if got != expected:
        raise DataError(_wrong_length(path, str(expected), got, remedy))
    return shapes


def _wrong_length(path: Path, expected: str, got: int, remedy: str) -> str:
    return f"'{path}' should have {expected} bytes by its header but has {got}; {remedy}"
