"""The image files below a folder, none outside it."""

import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tgap.core import DataError
from tgap.datasets.reading.alike import is_legible
from tgap.datasets.reading.decoding import SUFFIXES
from tgap.datasets.reading.dicom import is_dicom
from tgap.datasets.reading.notes import first

LITTER = "__MACOSX @eaDir $RECYCLE.BIN lost+found Thumbs.db ehthumbs.db desktop.ini Icon\r".split(
    " "
)
"""What systems leave in folders, beside hidden files: copies and thumbnails, no images of ours."""
_MAYBE_DICOM = re.compile(r"[^.]+|.*\.(\d+|ima|dc3|dic|acr)", re.IGNORECASE)
"""Names of DICOM files without the usual suffix: as scanners and archives write them (``IM000001``,
``1.2.840.113619.2.5``, ``x.IMA``). Such files alone are opened, to see what they are."""


@dataclass(frozen=True)
class Listing:
    """What lies below a folder, hidden files and folders and ``LITTER`` aside.

    Args:
        files: Size in bytes and time of change in ns of each image file, by its path relative to
            the folder, sorted.
        folders: Names of the folders directly below, sorted.
        others: Paths of the files that are no images, sorted.
    """

    files: dict[str, tuple[int, int]]
    folders: tuple[str, ...]
    others: tuple[str, ...]

    def digest(self) -> str:
        """SHA-256 over names, sizes and times of change; where the folder lies does not count.

        Not over contents: reading 40 GB at the start of every run would take minutes.
        """
        text = json.dumps([[name, *status] for name, status in self.files.items()])
        return hashlib.sha256(text.encode()).hexdigest()


def list_images(root: Path) -> Listing:
    """List the image files below a folder, which itself may be a link.

    Raises:
        DataError: If the folder is missing or unreadable, holds a link that leads out of it, to a
            folder or nowhere, or names that cannot be written down.
    """
    files: dict[str, tuple[int, int]] = {}
    folders: list[str] = []
    others: list[str] = []
    try:
        if not root.is_dir():
            raise DataError(f"folder {root} does not exist; give the path of a folder of images")
        for name, entry in _entries(root):
            if entry.is_dir():
                if "/" not in name:
                    folders.append(name)
            elif entry.is_file() and _is_image(entry):
                status = entry.stat()
                files[name] = (status.st_size, status.st_mtime_ns)
            else:
                others.append(name)
    except OSError as error:
        raise DataError(f"cannot read folder {root}: {error}") from error
    _refuse_illegible(root, [*folders, *files, *others])
    return Listing(dict(sorted(files.items())), tuple(sorted(folders)), tuple(sorted(others)))


def _refuse_illegible(root: Path, names: list[str]) -> None:
    """Refuse names that tables and pictures cannot show."""
    # joined, as 100,000 names are looked at each time a folder is listed
    wrong = [] if is_legible("".join(names)) else [name for name in names if not is_legible(name)]
    if wrong and (locale := _locale_told(wrong)):
        raise DataError(f"{root}: {locale}")
    if wrong:
        raise DataError(
            f"{root} holds {len(wrong)} names that are no UTF-8 text or have control characters: "
            f"{first(list(map(ascii, wrong)))}; rename them (names in Latin-1, say of an old "
            "archive, all at once: convmv -r -f latin1 -t utf8 --notest FOLDER)"
        )


def _locale_told(names: list[str]) -> str:
    """Whether names are UTF-8, but this process reads them otherwise; empty if not."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower() == "utf-8":
        return ""
    try:
        legible = all(is_legible(os.fsencode(name).decode("utf-8")) for name in names)
    except UnicodeDecodeError:
        return ""
    if not legible:
        return ""
    return (
        f"{len(names)} names are UTF-8 text, but by the locale (LC_ALL, LANG) names are read as "
        f"{encoding}; set LC_ALL=C.UTF-8, or PYTHONUTF8=1, in the shell"
    )


def _is_image(entry: "os.DirEntry[str]") -> bool:
    """By the end of its name; or a DICOM file by its content, a folder's index aside."""
    if entry.name.lower().endswith(SUFFIXES):
        return True
    if not _MAYBE_DICOM.fullmatch(entry.name) or entry.name == "DICOMDIR":
        return False
    status = entry.stat()
    return _holds_dicom(entry.path, status.st_size, status.st_mtime_ns)


@functools.cache
def _holds_dicom(path: str, size: int, mtime_ns: int) -> bool:
    """Whether a file is DICOM; opened once per process while it stays as it is."""
    with open(path, "rb") as file:
        return is_dicom(file)


def _entries(root: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """All entries below a folder, by their paths relative to it."""
    real = root.resolve()
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(f"{real}/{prefix}") as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in LITTER:
                    continue
                name = prefix + entry.name
                if entry.is_symlink():
                    check_link(name, Path(entry.path), real)
                yield name, entry
                if entry.is_dir():
                    waiting.append(f"{name}/")


def check_link(name: str, file: Path, root: Path) -> None:
    """Check that a file lies in a folder, links followed.

    Raises:
        DataError: If it is a link to elsewhere, to a folder or to nothing.
    """
    target = file.resolve()
    if not (target.is_relative_to(root.resolve()) and target.is_file()):
        raise DataError(
            f"{root}: {name} is a link to {target}; only links to files inside the folder are "
            "followed: copy it with its links resolved (cp -rL)"
        )
