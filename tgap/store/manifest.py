"""The manifest of an artifact: what it is, and the size and SHA-256 of each of its files."""

import functools
import importlib.metadata
import json
import os
import platform
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tgap.core import ContractError
from tgap.core.digest import file_digest, text_digest
from tgap.core.files import sync, write_json
from tgap.core.foreign import json_in, json_of
from tgap.store.spec import Spec, key_of
from tgap.store.vouched import Vouched

MANIFEST = "manifest.json"

LITTER = ("Thumbs.db", "desktop.ini", "Icon\r")
"""What systems leave in folders that people look at, besides hidden files."""

UNSIGNED = {"key", "spec", "files", "seconds", "times", "created", "versions"}
"""What a manifest of a version before its digest may have."""


def seal(folder: Path, spec: Spec, seconds: float, times: Mapping[str, float]) -> dict[str, Any]:
    """Bring every file to disk, and then the manifest.

    Args:
        folder: What ``make`` has filled.
        spec: What it is.
        seconds: What making it took.
        times: Of parts of it, by name.

    Returns:
        The manifest.

    Raises:
        ContractError: If nothing was written, or a link, or a file named as the manifest.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # A link's target may change or vanish without the store's knowledge.
        if path.is_symlink() or name == MANIFEST or not _is_plain(name):
            raise ContractError(
                f"{spec} may hold plain files and folders only, none named {MANIFEST} or with a "
                f"backslash; got {name}"
            )
        if path.is_file():
            files[name] = {"size": path.stat().st_size, "sha256": file_digest(path)}
        sync(path)  # a folder too: its list of names
    if not files:
        raise ContractError(f"{spec}: nothing was written into the folder to be filled")
    manifest = {
        "key": spec.key,
        "spec": spec.content(),
        "files": files,
        "seconds": seconds,
        "times": dict(times),
        # For people who wonder where a number came from; no part of the key.
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": dict(_versions()),
    }
    manifest["digest"] = _digest(manifest)
    write_json(folder / MANIFEST, manifest)  # last: a folder without it is not whole
    sync(folder / MANIFEST)
    sync(folder)
    return manifest


MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, ContractError)
"""What is raised of what has not the form of a manifest."""


def read_manifest(folder: Path) -> Any:
    """What an artifact's manifest holds, of whatever form."""
    return json_in(folder / MANIFEST)


def understood(text: str, spec: Spec) -> tuple[Mapping[str, Any], str | None]:
    """A manifest, and what is wrong with it, if anything; its files are not looked at.

    Args:
        text: Of the manifest.
        spec: What the artifact should be.

    Raises:
        MALFORMED: If the text does not have the form of a manifest.
    """
    manifest, key, problem = _understood(text)
    if {key, manifest["key"]} != {spec.key}:
        problem = f"its {MANIFEST} belongs to another specification"
    return manifest, problem


@functools.lru_cache(maxsize=4096)
def _understood(text: str) -> tuple[Mapping[str, Any], str, str | None]:
    """A manifest, the key of its specification, and what is wrong with it.

    Remembered, because a command asks for an artifact about ten times for each run that it plans.
    """
    manifest = json_of(text)
    return manifest, key_of(manifest["spec"]), form_problem(manifest)


def form_problem(manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with a manifest itself, whatever it is of; raises ``MALFORMED``."""
    signed = not set(manifest) <= UNSIGNED  # manifests of earlier versions have no digest
    if signed and manifest.get("digest") != _digest(manifest):
        return f"its {MANIFEST} has changed since it was made"
    if not manifest["files"]:
        return f"its {MANIFEST} lists no files"
    for name, recorded in manifest["files"].items():
        if name == MANIFEST or not _is_plain(name):
            return f"its {MANIFEST} lists {name!r}, which is no name of a file in a folder"
        size, sha256 = recorded["size"], recorded["sha256"]
        if type(size) is not int or not re.fullmatch("[0-9a-f]{64}", sha256):
            return f"its {MANIFEST} lists {name} without size and SHA-256"
    if not isinstance(manifest["seconds"], float):
        return f"its {MANIFEST} has no seconds"
    return None


def file_problems(
    folder: Path, manifest: Mapping[str, Any], vouched: Vouched | None = None
) -> Iterator[str]:
    """What is wrong with the files of an artifact, a sentence each.

    A file that the manifest does not list is wrong as well: it was not there when the artifact was
    made, and whoever reads the folder would read it. What systems leave in folders (hidden files,
    ``Thumbs.db``, ``desktop.ini``) does not count.

    Args:
        folder: The artifact's folder.
        manifest: One in which ``form_problem`` finds nothing.
        vouched: Which large files need not be read. Without it every byte is.

    Raises:
        OSError: If something cannot be read.
    """
    there, files = dict(_below(folder, "")), manifest["files"]
    for name in sorted(there.keys() - files.keys()):
        if not _is_litter(name):
            yield f"{name} is none of its files"
    for name, recorded in files.items():
        if name not in there:
            yield f"{name} is missing"
        elif problem := file_problem(folder / name, there[name], name, recorded, vouched):
            yield problem


def file_problem(
    path: Path,
    status: os.stat_result,
    name: str,
    recorded: Mapping[str, Any],
    vouched: Vouched | None = None,
) -> str | None:
    """What is wrong with a file, if anything.

    Args:
        path: The file.
        status: What ``lstat`` says of it.
        name: Its name in the manifest.
        recorded: What the manifest says of it.
        vouched: See ``file_problems``.
    """
    if not stat.S_ISREG(status.st_mode):
        return f"{name} is no file any more, but a link, a folder or a device"
    if status.st_size != recorded["size"]:  # the cheap test first
        return f"{name} has {status.st_size} bytes instead of {recorded['size']}"
    if vouched is None:
        same = file_digest(path) == recorded["sha256"]
    else:
        same = vouched.is_same(name, status, recorded["sha256"])
    return None if same else f"{name} has changed since it was made"


def _below(folder: Path | str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Names of all that lies in a folder and is no folder, and what it is; no link is followed."""
    with os.scandir(folder) as several:
        for entry in several:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, f"{prefix}{entry.name}/")
            else:
                yield f"{prefix}{entry.name}", entry.stat(follow_symlinks=False)


def _is_litter(name: str) -> bool:
    return name in (MANIFEST, *LITTER) or any(
        part.startswith(".") or part in LITTER for part in name.split("/")
    )


def _is_plain(name: str) -> bool:
    """Whether a name leads to a file below a folder, on any system."""
    return all(part not in ("", ".", "..") for part in name.split("/")) and not set(name) & {
        "\\",
        "\0",
    }


def _digest(manifest: Mapping[str, Any]) -> str:
    """Of all that a manifest says."""
    said = {name: value for name, value in manifest.items() if name != "digest"}
    return text_digest(json.dumps(said, sort_keys=True))


@functools.cache
def _versions() -> Mapping[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("tgap", "torch", "diffusers", "numpy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
