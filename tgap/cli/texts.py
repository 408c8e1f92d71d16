"""Texts that a command writes into files, or prints alone where the file is ``-``."""

from collections.abc import Mapping
from pathlib import Path

from tgap.core import ConfigError
from tgap.core.files import write_whole


def printed(asked_for: Mapping[str, Path], markdown: bool) -> list[str]:
    """Flags of texts that are printed, and so stand in place of the table: at most one.

    Args:
        asked_for: Files by flag.
        markdown: Whether Markdown is printed.

    Raises:
        ConfigError: If several are.
    """
    names = sorted(flag for flag, path in asked_for.items() if str(path) == "-")
    if len(names) + markdown > 1:
        flags = [f"--{name}" for name in names] + ["--markdown"] * markdown
        raise ConfigError(f"{' and '.join(flags)} both print; give one of them a file")
    return names


def put(text: str, path: Path) -> None:
    """Print a text, or write it."""
    if str(path) == "-":
        print(text, end="")
    else:
        write_whole(path, text, "the table")
