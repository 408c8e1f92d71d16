"""Digest of a folder's content, so that a folder counts by what is in it, not by its path."""

import hashlib
from pathlib import Path

import numpy as np

from tgap.errors import DataError
from tgap.files import remembered_file_digest
from tgap.spec import canonical_json, text_digest
from tgap.types import Images


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
