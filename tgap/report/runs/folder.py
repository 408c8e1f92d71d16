"""A report's folder: whole, or as it was before."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tgap.core import DataError
from tgap.report.tables import FORMATS

PAGE = "index.html"
MARK = '<meta name="generator" content="tgap report">'
"""By which a page is known to be ours."""
HEAD = 2000
"""Characters in which the mark stands."""


def check_folder(out: Path) -> None:
    """See that a folder may become a report, before anything is computed.

    Raises:
        DataError: If it is there, is not empty and is no report, or holds other files too.
    """
    try:
        if not out.exists():
            return
        names = sorted(path.name for path in out.iterdir()) if out.is_dir() else None
        foreign = [] if names is None else [name for name in names if not _is_ours(out / name)]
    except OSError as error:
        raise _unwritable(out, error) from error
    if names is None:
        raise DataError(f"--out must name a folder, and {out} is a file; give another name")
    if foreign:
        raise DataError(
            f"{out} holds what is no report of tgap ({', '.join(foreign[:3])}"
            f"{', ...' if len(foreign) > 3 else ''}), and a report replaces its folder; give the "
            "name of a new folder, or of an earlier report"
        )


def _is_ours(path: Path) -> bool:
    if path.name == PAGE:
        with path.open(encoding="utf-8", errors="replace") as file:
            return MARK in file.read(HEAD)
    named = path.suffix.removeprefix(".") in FORMATS
    return named and path.is_file() and (path.parent / PAGE).is_file()


def write_folder(out: Path, files: Mapping[str, str]) -> None:
    """Write a report's files into a folder beside, which takes the place of ``out`` at the end.

    Args:
        out: New, empty, or an earlier report.
        files: Texts by name.

    Raises:
        DataError: If ``out`` holds something else, or cannot be written.
    """
    check_folder(out)
    out = out.resolve()  # a link stays a link
    part, old = (out.parent / f".{out.name}.{os.getpid()}.{end}" for end in ("part", "old"))
    try:
        part.mkdir(parents=True)
        for name, text in files.items():
            (part / name).write_text(text, "utf-8", errors="replace")
        if out.exists():
            out.rename(old)
        try:
            part.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _unwritable(out: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write the report to {out}: {error.strerror or error}; free space there, change "
        "its permissions, or give another folder"
    )
