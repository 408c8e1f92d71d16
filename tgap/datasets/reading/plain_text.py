"""Text files of rows and columns that are no CSV by their names, and how pandas makes one."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_LE, getincrementaldecoder
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tgap.datasets.reading.decoding import SUFFIXES

LOOKED_AT = 2**16
"""So many characters are looked at."""
_BETWEEN = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}
_SPREADSHEETS = (".xls", ".xlsx", ".xlsm", ".ods")


@dataclass(frozen=True)
class PlainText:
    r"""Rows of a text file.

    Args:
        path: Of the file.
        between: What stands between cells; ``\s+`` where it is several blanks.
        rows: The cells, of so much as was looked at.
        header: Whether the first row names the columns, as far as can be told.
        encoding: Python's name of it: what is no UTF-8 or UTF-16 is taken for Windows' ANSI.
    """

    path: Path
    between: str
    rows: Sequence[Sequence[str]]
    header: bool
    encoding: str = "utf-8"

    def names(self) -> list[str]:
        """Of the columns; ``file`` is the first one of image files where there is no header."""
        if self.header:
            return list(self.rows[0])
        names = [f"column{number}" for number, _ in enumerate(self.rows[0], 1)]
        files = [place for place, cell in enumerate(self.rows[0]) if _is_file(cell)]
        return [*names[: files[0]], "file", *names[files[0] + 1 :]] if files else names

    def columns(self) -> dict[str, list[str]]:
        """The cells by column."""
        cells = zip(*self.rows[self.header :], strict=True)
        return {name: list(its) for name, its in zip(self.names(), cells, strict=True)}

    def csv(self) -> str:
        """The name of a CSV beside it that is not there yet."""
        free = self.path.with_suffix(".csv")
        return f"{self.path.stem}_table.csv" if free.exists() else free.name

    def remedy(self, name: str) -> str:
        """What it is, and how pandas makes a CSV of it; ``name`` is what it is called there."""
        of_blanks = self.between.startswith((" ", "\\"))
        what = "blanks" if of_blanks else _BETWEEN[self.between]
        head = "" if self.header else f", header=None, names={self.names()}"
        encoding = "" if self.encoding == "utf-8" else f", encoding='{self.encoding}'"
        csv = PurePosixPath(name).with_name(self.csv())
        return (
            f"its columns are separated by {what}, {'with' if self.header else 'without'} a "
            f"header: make a CSV of it (pandas: read_csv('{name}', sep={self.between!r}{head}, "
            f"dtype=str{encoding}).to_csv('{csv}', index=False))"
        )


def _is_file(cell: str) -> bool:
    return cell.lower().endswith(SUFFIXES)


def plain_text(path: Path) -> PlainText | None:
    """Rows of a text file, or ``None`` if it has none of two cells or more, all of as many.

    Raises:
        OSError: If it cannot be read.
    """
    if path.suffix.lower() in _SPREADSHEETS:
        return None
    with path.open("rb") as file:
        content = file.read(LOOKED_AT + 1)
    encoding = _encoding(content)
    if encoding is None:
        return None
    # a character may be cut off at the end
    text = getincrementaldecoder(encoding)("replace").decode(content).removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()]
    lines = lines[:-1] if len(content) > LOOKED_AT else lines
    for between in (*_BETWEEN, r"\s+"):
        cells = [_cells(line, between) for line in lines]
        padded = between == " " and not all(all(row) for row in cells)  # to line columns up
        if len({len(row) for row in cells}) == 1 < len(cells[0]) and not padded:
            header = not any(map(_is_file, cells[0])) and not any(map(str.isdecimal, cells[0]))
            return PlainText(path, between, cells, header and len(cells) > 1, encoding)
    return None


def _encoding(content: bytes) -> str | None:
    """Python's name of a text's encoding; ``None`` if it is no text."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) and not content.startswith(BOM_UTF32_LE):
        return "utf-16"
    if b"\0" in content:
        return None
    try:
        getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _cells(line: str, between: str) -> list[str]:
    if between == r"\s+":
        return line.split()
    return [re.sub(r'^"(.*)"$', r"\1", cell.strip()) for cell in line.split(between)]
