"""Safetensors files with a head of JSON values and a digest over all of it, whole or not there."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.digest import canonical_json
from tgap.core.errors import DataError
from tgap.core.files import sync

PART = ".part"
"""Ending of what is being written."""


def write_sealed(path: Path, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write beside, bring to disk, rename; what is at the path stays until then.

    Raises:
        OSError: If it cannot be written; nothing is left beside.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # safetensors writes an array's memory as it lies
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = canonical_json(head)
    metadata = {"head": text, "digest": _digest(text, contiguous)}
    beside = path.with_name(path.name + PART)
    try:
        save_file(contiguous, beside, metadata)
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        beside.unlink(missing_ok=True)


def read_sealed(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What ``write_sealed`` wrote.

    Raises:
        DataError: If it is truncated, changed, or of another kind.
        OSError: If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load_file

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        arrays = load_file(path)
        if metadata.get("digest") != _digest(metadata.get("head", ""), arrays):
            raise DataError("its content has changed")
        head: dict[str, Any] = json.loads(metadata["head"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"it cannot be read ({error})") from error
    return head, arrays


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
