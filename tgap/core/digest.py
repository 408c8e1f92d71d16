"""Digests: of folders, files and images, which count by their content; of JSON values."""

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core.errors import ContractError, DataError
from tgap.core.types import Images

FileState = tuple[int, int, int, int]
FRESH_NS = 50_000_000
"""Longer than a tick of any file system in use, shorter than hashing 100 MB."""

_remembered: dict[tuple[int, ...], str] = {}
"""SHA-256 by device and state of the file."""


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, sub-folders included.

    The same files elsewhere have the same digest, so a folder counts by what is in it. Hidden
    files and folders (``.git``, ``.cache``, ``.DS_Store``) do not count. A file is read once per
    process as long as its size and time of change stay the same.

    Args:
        folder: A folder with at least one file.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: If the folder is missing, empty or unreadable, or holds a link that leads out
            of it or to a folder.
    """
    try:
        if not folder.is_dir():
            raise DataError(f"folder {folder} does not exist; give the path of a folder")
        root = folder.resolve()
        digests = {
            path.relative_to(root).as_posix(): remembered_file_digest(path)
            for path in root.rglob("*")
            if _counts(path, root)
        }
    except OSError as error:
        raise DataError(f"cannot read folder {folder}: {error}") from error
    if not digests:
        raise DataError(f"folder {folder} holds no files")
    return text_digest(canonical_json(digests))


def _counts(path: Path, root: Path) -> bool:
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return False
    if path.is_symlink():
        target = path.resolve()
        if not (target.is_relative_to(root) and target.is_file()):
            raise DataError(
                f"{path} is a link to {target}; only links to files inside {root} are followed: "
                "copy the folder with its links resolved (cp -rL)"
            )
    return path.is_file()


def image_digests(images: Images) -> list[bytes]:
    """SHA-256 of each image's pixels: equal images have equal ones.

    Args:
        images: ``(N, H, W, C)`` uint8; read one by one.
    """
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_file_digest(path: Path, status: os.stat_result | None = None) -> str:
    """``file_digest``, read once per process as long as the file's state stays the same.

    Its hard links count as the same file.

    Args:
        path: The file.
        status: What ``stat`` says of it, where that is known.
    """
    status = path.stat() if status is None else status
    state = file_state(status)
    if state is None:
        return file_digest(path)
    place = (status.st_dev, *state)
    if place not in _remembered:
        _remembered[place] = file_digest(path)
    return _remembered[place]


def remember_digest(status: os.stat_result, digest: str) -> None:
    """Let ``remembered_file_digest`` know what a file was found to be by an earlier process."""
    if state := file_state(status):
        _remembered.setdefault((status.st_dev, *state), digest)


def file_state(status: os.stat_result) -> FileState | None:
    """What changes whenever a file does: size, times of change in nanoseconds, inode.

    Returns:
        ``None`` if it was changed just now: a further change might leave all of these as they are,
        because file systems' clocks tick every few milliseconds.
    """
    changes, now = (status.st_mtime_ns, status.st_ctime_ns), time.time_ns()
    if any(abs(now - changed) < FRESH_NS for changed in changes):
        return None
    return status.st_size, *changes, status.st_ino


def digest_of(value: object) -> str:
    """A short hash of JSON types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def plain_json(value: Any, where: str = "value", *, finite: bool = True) -> Any:
    """Copy a value to plain JSON types: dict, list, str, int, float, bool, None.

    Args:
        value: Mappings with text keys, lists, tuples, text, numbers, booleans, None.
        where: Name of the value in the error text.
        finite: Refuse NaN and infinities.

    Raises:
        ContractError: If anything else is in it, naming the place.

    >>> plain_json({"sizes": (1, 2)})
    {'sizes': [1, 2]}
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if finite and not math.isfinite(value):
            raise ContractError(f"{where} must be a finite number, got {value!r}")
        return float(value)
    if isinstance(value, list | tuple):
        return [plain_json(v, f"{where}[{i}]", finite=finite) for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ContractError(f"{where} must have text as keys, got {key!r}")
        return {key: plain_json(v, f"{where}.{key}", finite=finite) for key, v in value.items()}
    raise ContractError(
        f"{where} must be a JSON value (text, number, true, false, null, list or mapping), "
        f"got {type(value).__name__}: {value!r}; NumPy values need int(), float() or .tolist()"
    )


def canonical_json(value: Any, where: str = "value") -> str:
    """The one JSON text of a value: keys sorted, no spaces, ASCII, floats by ``repr``.

    ``1`` and ``1.0`` differ, a tuple and a list do not, and the order of a mapping does not count.

    Args:
        value: See ``plain_json``; NaN and infinities are refused.
        where: Name of the value in the error text.

    Raises:
        ContractError: If the value is not JSON.

    >>> canonical_json({"b": (1, 2.5), "a": None})
    '{"a":null,"b":[1,2.5]}'
    """
    return json.dumps(plain_json(value, where), sort_keys=True, separators=(",", ":"))


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
