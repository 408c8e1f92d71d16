"""What lies in a store: its artifacts by stage and key, without knowing the runs that made them."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tgap.core import ConfigError, StoreError, nearest
from tgap.core.files import remedy
from tgap.store.manifest import MALFORMED, MANIFEST, file_problems, form_problem, read_manifest
from tgap.store.spec import RESERVED, content_of, key_of

LEAST_LETTERS = 4
"""Of a key, so that it names one artifact."""
SHORT = 8
"""Letters of a key that are shown."""
LONGEST_NUMBER = 8
"""Digits of numbers that tell people something: seeds of stages have more."""


@dataclass(frozen=True)
class Entry:
    """What lies at the place of an artifact, whole or not.

    Args:
        folder: ``<root>/<stage>/<key>``.
        files: Bytes by device and inode: hard links of one file are one.
        made: Seconds since 1970.
        content: Its specification as the manifest has it; empty if that cannot be read.
    """

    folder: Path
    files: Mapping[tuple[int, int], int]
    made: float
    content: Mapping[str, Any]

    @property
    def stage(self) -> str:
        """The stage."""
        return self.folder.parent.name

    @property
    def key(self) -> str:
        """The key."""
        return self.folder.name

    @property
    def upstream(self) -> Mapping[str, str]:
        """Keys of what it was made from, by role."""
        upstream: Mapping[str, str] = self.content.get("upstream", {})
        return upstream

    def __str__(self) -> str:
        return f"{self.stage} {self.key[:SHORT]}"


def entries(root: Path) -> list[Entry]:
    """All artifacts of a store, by stage and then by age, the newest last.

    Raises:
        StoreError: If the store may not be read.
    """
    try:
        found = [_entry(folder) for folder in _places(root)]
    except OSError as error:
        raise StoreError(f"cannot read the store {root}: {error}; {remedy(error.errno)}") from error
    return sorted(found, key=lambda one: (one.stage, one.made, one.key))


def _places(root: Path) -> Iterator[Path]:
    for stage in sorted(root.iterdir()) if root.exists() else ():
        if re.fullmatch("[a-z][a-z0-9_]*", stage.name) and stage.name not in RESERVED:
            keys = stage.iterdir() if stage.is_dir() else iter(())
            yield from (key for key in keys if re.fullmatch("[0-9a-f]{20}", key.name))


def _entry(folder: Path) -> Entry:
    files = dict(_files(folder))
    try:
        content = content_of(read_manifest(folder)["spec"])
    except (OSError, *MALFORMED):
        content = {}
    return Entry(folder, files, folder.lstat().st_mtime, content)


def _files(folder: Path) -> Iterator[tuple[tuple[int, int], int]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(parent, name))
            if stat.S_ISREG(status.st_mode):
                yield (status.st_dev, status.st_ino), status.st_size


def room_of(several: Iterable[Entry]) -> int:
    """Bytes that artifacts take together: a file that several have as hard links counts once."""
    files: dict[tuple[int, int], int] = {}
    for entry in several:
        files |= entry.files
    return sum(files.values())


def named(keys: Iterable[str], word: str) -> str:
    """The key that a word begins.

    Raises:
        ConfigError: If there is none, the word is too short, or it begins several keys.
    """
    keys = sorted(set(keys))
    if not keys:
        raise ConfigError("the store is empty: there is no artifact yet; tgap run makes some")
    if len(word) < LEAST_LETTERS:
        raise ConfigError(
            f"a key needs at least {LEAST_LETTERS} letters, got '{word}'; tgap store list shows all"
        )
    found = [key for key in keys if key.startswith(word)]
    if not found:
        near = nearest(word, [key[:SHORT] for key in keys]).partition(" (one of")[0]
        raise ConfigError(
            f"no artifact has the key '{word}'{near}; tgap store list shows all (those of runs, as "
            "tgap runs shows them, are other keys)"
        )
    if len(found) > 1:
        raise ConfigError(f"'{word}' begins {len(found)} keys: {', '.join(found)}")
    return found[0]


def problems_of(entry: Entry) -> Sequence[str]:
    """What is wrong with an artifact, a sentence each; every byte is read."""
    folder = entry.folder
    try:
        manifest = read_manifest(folder)
        content = manifest["spec"]
        if {key_of(content), manifest["key"]} != {entry.key} or content["stage"] != entry.stage:
            return [f"its {MANIFEST} belongs to another specification"]
        problem = form_problem(manifest)
        return [problem] if problem else list(file_problems(folder, manifest))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return [f"it has no {MANIFEST}"]
    except OSError as error:
        return [f"it cannot be read ({error.strerror or error})"]
    except MALFORMED as error:
        return [f"its {MANIFEST} cannot be read ({error})"]


def in_words(content: Mapping[str, Any]) -> str:
    """What an artifact is, in short: its components and first settings.

    >>> selector = {"class": "tgap.selectors.random.Random", "version": 1}
    >>> in_words({"identity": {"selector": selector, "seed": 2946228273150320836, "size": 50}})
    'random, size 50'
    """
    return ", ".join(_said(content.get("identity", {}))) or "-"


def _said(identity: Mapping[str, Any]) -> Iterator[str]:
    for name, value in identity.items():
        if isinstance(value, Mapping) and "class" in value:
            yield stem_of(value)
        elif isinstance(value, Mapping):
            yield from list(_said(value))[:1]
        elif isinstance(value, str):
            if name not in ("domain", "unit"):
                yield value if name == "side" else f"{name.replace('_', ' ')} {value}"
        elif isinstance(value, int | float) and len(str(value)) <= LONGEST_NUMBER:
            yield f"{name.replace('_', ' ')} {value}"


def stem_of(component: Mapping[str, Any]) -> str:
    """The name by which a component is chosen, as its identity has it."""
    cls = component["class"]  # of a generator its identity, beside the digest of its files
    return stem_of(cls) if isinstance(cls, Mapping) else str(cls).split(".")[-2:][0]
