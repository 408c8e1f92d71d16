"""Files of artifacts: written without pickle, brought to disk; errors say what to do."""

import errno
import hashlib
import json
import logging
import math
import os
import re
import shutil
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.digest import canonical_json, plain_json
from tgap.core.errors import ContractError, DataError, StoreError
from tgap.core.foreign import formed, json_of

LEASE_SECONDS = 45.0
"""A lock whose holder on another host was not heard of for so long is taken over."""
RENEWED_SECONDS = 15.0
"""How often a holder lets itself be heard of."""
NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
"""What file systems without the system's own lock answer."""
BAD_HEAD = (TypeError, MemoryError, RecursionError, OverflowError, tokenize.TokenError)
"""What numpy raises beside ``ValueError`` at a head that is none."""
PART = ".part"
"""Ending of what is being written beside its place."""

log = logging.getLogger(__name__)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file.

    NaN and infinities are written as Python's ``json`` does (``NaN``): metrics may be undefined.

    Raises:
        ContractError: If something in it is not a JSON value.
        StoreError: If the file cannot be written.
    """
    text = json.dumps(plain_json(value, path.name, finite=False), indent=1)
    with writing(path.name, path.parent):
        path.write_text(text + "\n", "utf-8")


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a ``.npy`` file without pickle.

    Raises:
        ContractError: If the array holds Python objects.
        StoreError: If the file cannot be written.
    """
    _refuse_objects(path.name, array)
    with writing(path.name, path.parent), path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, *, mmap: bool = False) -> NDArray[Any]:
    """The array of a ``.npy`` file, read without pickle, which could run code.

    Args:
        path: The file.
        mmap: Whether it stays on disk; it is read-only then.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is none, or its head claims more or less than the file holds.
    """
    _require_claimed(path)
    array: NDArray[Any] = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    return array


def _require_claimed(path: Path) -> None:
    """See that a file is as large as its head says: numpy makes room for whatever that claims."""
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            elif version == (2, 0):
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
            else:
                raise ValueError(f"it is of version {version[0]}.{version[1]}, not 1.0 or 2.0")
        except BAD_HEAD as error:
            raise ValueError(f"its head is none ({type(error).__name__})") from error
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not loaded: allow_pickle=False")
        there = os.fstat(file.fileno()).st_size - file.tell()
        claimed = math.prod(shape) * max(dtype.itemsize, 1)
        if there != claimed:
            raise ValueError(f"its head claims {claimed} bytes, and it holds {there}")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays into a safetensors file.

    Raises:
        ContractError: If an array holds Python objects.
        StoreError: If the file cannot be written.
    """
    from safetensors.numpy import save

    for name, array in arrays.items():
        _refuse_objects(f"{path.name}: {name}", array)
    # safetensors writes an array's memory as it lies
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with writing(path.name, path.parent):
        path.write_bytes(save(contiguous))


def write_sealed(path: Path, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a safetensors file with JSON values as its head, and a digest over all of it.

    It is written beside, brought to disk and renamed; what is at the path stays until then.

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
        number = error_number(error)
        raise OSError(number, os.strerror(number) if number else str(error)) from error
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
        head = formed(dict[str, Any], json_of(metadata["head"]), "its head")
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


def _refuse_objects(where: str, array: NDArray[Any]) -> None:
    if array.dtype.hasobject:
        raise ContractError(f"{where} must hold numbers or text of fixed width, got {array.dtype}")


def sync(path: Path) -> None:
    """Wait until a file's content or a folder's list of names is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_empty(out: Path) -> None:
    """See that a folder is empty or not there yet.

    Raises:
        DataError: If it is not.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is not an empty folder; give the name of a new one")


@contextmanager
def whole_folder(out: Path, what: str) -> Iterator[Path]:
    """A folder to fill, which becomes ``out`` at the end, so that ``out`` is complete or absent.

    Args:
        out: A folder that is empty or not there yet.
        what: What errors call the content.

    Raises:
        DataError: If ``out`` holds something, or cannot be written.
    """
    try:
        require_empty(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = out.parent / f".{out.name}.{os.getpid()}.part"
        beside.mkdir()
        try:
            yield beside
            if out.exists():
                out.rmdir()
            beside.rename(out)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"cannot write {what} to {out}: {error.strerror or error}; free space there, or "
            "give another folder"
        ) from error


def write_whole(path: Path, text: str, what: str) -> None:
    """Write a text file beside its place and move it there, so that it is whole or as it was.

    Args:
        path: The file; one that is there is replaced.
        text: Names of files in it may hold bytes that are no UTF-8: they become ``?``.
        what: What errors call it.

    Raises:
        DataError: If it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, "utf-8", errors="replace")
        beside.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {what} {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, what: str, *, wait: bool | float = True) -> Iterator[None]:
    """Let one process at a time inside, on this host and on others that share the folder.

    The system's own lock (``flock``) is exact but may not reach other hosts, as on many network
    disks. So a lease lies beside it, ``<path>.held``: its holder renews it every
    ``RENEWED_SECONDS``, and whoever sees it unchanged for ``LEASE_SECONDS`` takes it over. That of
    a dead process of this host is taken over at once. Where ``flock`` reaches other hosts, that of
    one that died is held until the file server gives it up: an old lease beside it does not let
    another one in, as its holder may only be cut off, and two would write.

    Args:
        path: The lock's file. It is never removed: a process that waits holds on to this one.
        what: What is locked, e.g. ``run 1a2b``.
        wait: For a process that holds the lock: however long, not at all, or so many seconds.

    Raises:
        StoreError: If the file cannot be written.
        filelock.Timeout: If another process holds the lock for longer than that.
    """
    import filelock

    limit = -1.0 if wait is True else float(wait)

    # Without a fallback of its own, which would never be taken over from another host.
    flock = filelock.FileLock(path, poll_interval=0.1, fallback_to_soft=False)
    lease = filelock.SoftFileLease(
        path.with_name(f"{path.name}.held"),
        lease_duration=LEASE_SECONDS,
        heartbeat_interval=RENEWED_SECONDS,
        poll_interval=0.1,
        on_compromise=lambda lost: log.warning("the lock of %s was lost (%s)", what, lost.reason),
    )
    with ExitStack() as held:
        for lock in (flock, lease):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=0)
            except filelock.Timeout:
                if not wait:
                    raise
                log.info("another process is at work on %s; waiting for it", what)
                lock.acquire(timeout=limit)
            except OSError as error:
                if lock is flock and error.errno in NO_FLOCK:
                    continue  # the lease alone holds
                raise StoreError(cannot_write(f"the lock of {what}", path, error)) from error
            held.callback(lock.release)
        yield


@contextmanager
def writing(what: str, where: Path) -> Iterator[None]:
    """Turn the system's errors inside into a ``StoreError`` that names what, where and remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(cannot_write(what, where, error)) from error


def cannot_write(what: str, where: Path, error: OSError) -> str:
    """The text of such an error."""
    reason = error.strerror or str(error)
    return f"cannot write {what} in {where}: {reason}; {remedy(error.errno)}"


def error_number(error: Exception) -> int | None:
    """The system's number of an error; safetensors has it in its text only."""
    told = re.search(r"os error (\d+)", str(error))
    number: int | None = getattr(error, "errno", None)
    return int(told[1]) if number is None and told else number


def remedy(number: int | None) -> str:
    """What to do about an error number of the system."""
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "change the folder's permissions, or set TGAP_HOME to a folder you may write to"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, or set TGAP_HOME to a folder on another disk"
    return "set TGAP_HOME to another folder"


def home_folder() -> Path:
    """``TGAP_HOME``, or ``.tgap`` in the current folder, as an absolute path.

    Raises:
        StoreError: If it begins with the home folder of a user whom nobody knows.
    """
    home = expanded(os.environ.get("TGAP_HOME") or ".tgap")
    if home.parts[0].startswith("~"):
        raise StoreError(f"TGAP_HOME={home}: there is no user of that name; write a whole path")
    return home.absolute()


def expanded(path: str) -> Path:
    """A path that a person gave; ``~`` and ``~ada`` are home folders, as in a shell.

    A shell itself leaves them in ``dataset.path=~/images``.
    """
    return Path(os.path.expanduser(path))  # unlike Path's own, it leaves unknown users as they are
