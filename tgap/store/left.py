"""What processes that were killed left in a store, and when it goes."""

import logging
import time
from contextlib import suppress
from pathlib import Path

import filelock

from tgap.core import StoreError
from tgap.core.files import locked
from tgap.store.damaged import remove

DAYS = 14
"""What an interrupted process left is kept so long, for another to go on with."""
BESIDE = ".checkpoint"
"""Ending of the folder beside one that is being filled."""

log = logging.getLogger(__name__)


def beside(folder: Path) -> Path:
    """Where ``make`` keeps, beside the folder that it fills, what is gone when that stands."""
    return folder.with_name(folder.name + BESIDE)


def lock_path(root: Path, name: str) -> Path:
    """The lock of an artifact, ``<stage>-<key>``."""
    return root / "locks" / f"{name}.lock"


def sweep(root: Path, host: str) -> None:
    """Remove it.

    A free lock tells that nobody is making an artifact; unlike a process number, it cannot be
    taken over by a stranger. On shared disks locks may not reach other hosts, so what is theirs is
    removed only when it is old.

    Args:
        root: The store's folder.
        host: This one, as names of temporary folders have it.
    """
    try:
        for folder in sorted((root / "tmp").glob("*.*.*")):
            if f".{host}." in folder.name:
                _remove_if_free(root, folder)
            else:
                _remove_if_old(root, folder)
        for folder in sorted((root / "partial").glob("*.*")):
            if not folder.name.endswith(BESIDE):
                _remove_if_old(root, folder)
            elif folder.name.endswith(f".{host}{BESIDE}"):
                _remove_if_alone(root, folder)
    except (OSError, StoreError) as error:  # no reason not to work
        log.warning("cannot remove left-overs in %s: %s", root, error)


def _remove_if_free(root: Path, folder: Path) -> None:
    """Remove a temporary folder of this host, unless its artifact is being made right now."""
    name = _name(folder)
    with suppress(filelock.Timeout), locked(lock_path(root, name), name, wait=False):
        remove(folder)
        log.info("removed %s, left behind by a process that was killed", folder)


def _remove_if_old(root: Path, folder: Path) -> None:
    """Remove what was interrupted long ago, on whatever host, unless somebody goes on with it.

    By age, as its lock is free for as long as nobody does.
    """
    if not _is_old(folder):
        return
    name = _name(folder)
    with suppress(filelock.Timeout), locked(lock_path(root, name), name, wait=False):
        if _is_old(folder):  # still: somebody may have gone on with it
            for path in (folder, beside(folder)):
                remove(path)
            log.info("removed %s, interrupted long ago", folder)


def _remove_if_alone(root: Path, folder: Path) -> None:
    """Remove a checkpoint whose artifact stands, unless that is so just now."""
    name = _name(folder)
    with suppress(filelock.Timeout), locked(lock_path(root, name), name, wait=False):
        if not folder.with_name(folder.name.removesuffix(BESIDE)).exists():
            remove(folder)


def _is_old(folder: Path) -> bool:
    times = []
    for path in (folder, beside(folder)):
        with suppress(FileNotFoundError):  # finished, or removed, since it was listed
            times.append(path.stat().st_mtime)
    return bool(times) and time.time() - max(times) > DAYS * 86_400


def _name(folder: Path) -> str:
    return folder.name.partition(".")[0]  # no part of it has a dot
