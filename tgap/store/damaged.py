"""Where damaged artifacts go: people may want to look at them, but not for ever."""

import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

DAMAGED = "damaged"
"""Their folder in the store."""
KEPT = 10
"""So many stay, the newest ones."""


def set_aside(root: Path, folder: Path) -> Path:
    """Move what lies at an artifact's place out of the way; the oldest of these are removed.

    Args:
        root: The store's folder.
        folder: The artifact's place: ``<root>/<stage>/<key>``.

    Returns:
        Where it lies now.

    Raises:
        OSError: If it cannot be moved.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{folder.parent.name}-{folder.name[:8]}"
    aside = root / DAMAGED / name
    aside.parent.mkdir(parents=True, exist_ok=True)
    os.rename(folder, aside)
    for old in sorted(aside.parent.iterdir())[:-KEPT]:  # names begin with the time
        with suppress(OSError):  # another process removes it too; what stays goes next time
            remove(old)
    return aside


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, a file, or a link itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
