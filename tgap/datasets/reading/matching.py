"""Names in a table, and the files that they mean."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from posixpath import splitext
from urllib.parse import unquote

Key = Callable[[str], str]
MOSTLY, NEARLY_ALL = 0.5, 0.9
"""Shares of a column's names, and of the files, at which they seem to be the same."""


def same_files(names: Iterable[str], files: Collection[str]) -> dict[str, str]:
    r"""Names that are surely those of files, by what they are called in the table.

    Unicode can compose an accent in two ways, which systems exchange, and Windows writes ``\``.

    >>> same_files(["cat\\1.png", "dog/2.png"], ["cat/1.png"])
    {'cat\\1.png': 'cat/1.png'}
    """
    absent = [name for name in names if name not in files]
    if not absent:
        return {}
    found = _unique(files, _plain)
    return {name: found[_plain(name)] for name in absent if found.get(_plain(name))}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).as_posix())


def _unique(files: Iterable[str], key: Key) -> dict[str, str]:
    """Files by key; ``""`` where several have the same."""
    found: dict[str, str] = {}
    for file in files:
        found[key(file)] = "" if key(file) in found else file
    return found


def _stem(name: str) -> str:
    return splitext(name)[0]


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _cased_suffix(name: str) -> str:
    stem, suffix = splitext(name)
    return stem + suffix.lower()


def _loose(name: str) -> str:
    return _stem(_last(name)).casefold()


def _same(name: str) -> str:
    return name


def _unzeroed(name: str) -> str:
    """The last part, without suffix, of a number without leading zeros."""
    stem = re.sub(r"\.0*", "", _stem(_last(name))) if _FLOAT.fullmatch(name) else _stem(_last(name))
    return re.sub(r"(?<!\d)0+(?=\d)", "", stem).casefold()


def _unzeroed_below(name: str) -> str:
    """The same, below the folders."""
    return f"{name.rpartition('/')[0]}/{_unzeroed(_last(name))}"


def _of_url(name: str) -> str:
    """The last part of a web address, decoded."""
    return unquote(_last(name.partition("?")[0]))


def _without_first(count: int) -> Key:
    return lambda name: "/".join(name.split("/")[count:])


_ZEROS_CUT = "by the number, whose leading zeros a tool has cut off"
_FLOAT = re.compile(r"\d+\.0*")
RULES: tuple[tuple[str, Key, Key], ...] = (
    ("with the suffix in other case", _cased_suffix, _cased_suffix),
    ("in other case", str.casefold, str.casefold),
    ("with the file's suffix behind it", _same, _stem),
    ("with the file's suffix in place of another", _stem, _stem),
    *((f"without the first {n} folders", _without_first(n), _same) for n in range(1, 9)),
    ("in the folder that holds a file of that name", _last, _last),
    ("by the name alone, whatever folder, case and suffix", _loose, _loose),
    ("with %20 and the like decoded", unquote, _same),
    ("by the last part of the web address", _of_url, _last),
    (_ZEROS_CUT, _unzeroed, _unzeroed),
    (_ZEROS_CUT, _unzeroed_below, _unzeroed_below),
)
"""What a rule does, and what must be equal: of a table's name, and of a file's."""


def rule_in_words(absent: Sequence[str], files: Mapping[str, object] | Sequence[str]) -> str:
    """The one rule by which most names that no file has would be those of files.

    Args:
        absent: The names, with ``/`` between folders.
        files: The files that no name means.

    Returns:
        How many would be found, how, and an example; empty if less than half would.

    >>> rule_in_words(["A.png", "b.png"], ["a.png", "c.png"])
    "1 of 2 would be found in other case, such as 'A.png' -> 'a.png': mend the table's names so"
    """
    best: tuple[int, str] = (0, "")
    for words, of_name, of_file in RULES:
        by_key = _unique(files, of_file)
        found = [name for name in absent if by_key.get(of_name(name))]
        if len(found) > best[0]:
            example = f"{found[0]!r} -> {by_key[of_name(found[0])]!r}"
            text = f"{len(found)} of {len(absent)} would be found {words}, such as {example}"
            best = len(found), f"{text}: mend the table's names so"
    return best[1] if 2 * best[0] >= len(absent) else ""


def loosely_named(cells: Iterable[str], files: Collection[str]) -> int:
    """How many files a column may mean by their last part alone, whatever case and suffix.

    Most of the column must be such names. Numbers alone are names if nearly all files have one, as
    other columns hold small numbers too.

    >>> files = ["a/IMG_1.jpg", "a/IMG_2.jpg", "b/3.jpg"]
    >>> loosely_named(["img_1", "img_2"], files), loosely_named(["3", "4"], files)
    (2, 0)
    """
    found = _unique(files, _loose)
    wanted = {_loose(cell) for cell in cells if cell}
    named = {key for key in wanted if found.get(key)}
    if len(named) < MOSTLY * len(wanted):
        return 0
    words = sum(not key.isdecimal() for key in named)
    enough = 2 * words >= len(named) or len(named) >= NEARLY_ALL * len(files)
    return len(named) if enough else 0


def shared_names(
    names: Sequence[str], files: Iterable[str], columns: Mapping[str, Sequence[str]]
) -> str:
    """What is to be told where most names lack a folder, and files of several have that name.

    Args:
        names: What the table calls each row's file.
        files: All there are.
        columns: The table's others, one of which may name the folder.

    Returns:
        A sentence's end with the remedy; empty if it is not so.
    """
    files = list(files)
    cut = ", but for leading zeros, which a tool has cut off"
    return _shared(names, files, columns, _same) or _shared(names, files, columns, _unzeroed, cut)


def _shared(
    names: Sequence[str],
    files: Iterable[str],
    columns: Mapping[str, Sequence[str]],
    key: Key,
    but: str = "",
) -> str:
    found: dict[str, dict[str, str]] = {}
    for file in files:
        above, _, name = file.rpartition("/")
        found.setdefault(key(name), {})[above] = file
    keys = [name if "/" in name else key(name) for name in names]
    several = [row for row, each in enumerate(keys) if len(found.get(each, {})) > 1]
    if not several or 2 * len(several) < len(names):
        return ""
    its = found[keys[several[0]]]
    where = " and ".join(list(its.values())[:2])
    told = f"files of {len(its)} folders are called {names[several[0]]} ({where}){but}"
    for column, cells in columns.items():
        if all(cells[row] in found[keys[row]] for row in several):
            return (
                f"{told}, and column '{column}' says which: write it and a slash before each name"
            )
    return f"{told}: write the folder before each name in the table"
