"""The manifest of an artifact: what it is, and the size and SHA-256 of each of its files."""

import functools
import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tgap.core import ContractError
from tgap.core.digest import file_digest, remembered_file_digest
from tgap.core.files import sync, write_json
from tgap.store.spec import Spec

MANIFEST = "manifest.json"

SMALL_BYTES = 64 * 2**20
"""Files up to this size are hashed before they are reused."""


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
        if path.is_symlink() or name == MANIFEST:
            raise ContractError(
                f"{spec} may hold plain files and folders only, none named {MANIFEST}; got {name}"
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
    write_json(folder / MANIFEST, manifest)  # last: a folder without it is not whole
    sync(folder / MANIFEST)
    sync(folder)
    return manifest


def problem_of(folder: Path, manifest: Any, spec: Spec) -> str | None:
    """What is wrong with an artifact, if anything; files above ``SMALL_BYTES`` are not read.

    Args:
        folder: The artifact's folder.
        manifest: What its manifest holds, of whatever form.
        spec: What the artifact should be.

    Raises:
        KeyError, TypeError, AttributeError: If the manifest does not have the form of one.
        OSError: If a file cannot be read.
    """
    if manifest["spec"] != spec.content() or not isinstance(manifest["seconds"], float):
        return f"its {MANIFEST} belongs to another specification"
    for name, recorded in manifest["files"].items():
        path = folder / name
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return f"{name} is missing"
        if size != recorded["size"]:  # the cheap test first
            return f"{name} has {size} bytes instead of {recorded['size']}"
        if size <= SMALL_BYTES and remembered_file_digest(path) != recorded["sha256"]:
            return f"{name} has changed since it was made"
    return None


@functools.cache
def _versions() -> Mapping[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("tgap", "torch", "diffusers", "numpy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
