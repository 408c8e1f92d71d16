"""Cells that mean nothing, and names that are written in several ways and mean the same."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from tgap.core import DataError
from tgap.datasets.reading.notes import first

log = logging.getLogger(__name__)

MISSING = frozenset(
    ["", "nan", "-nan", "na", "n/a", "#n/a", "#na", "<na>", "nat", "none", "null", "?", "-", "--"]
)
"""What tools and people write where there is no value, in lower case."""
MOST_CATEGORIES = 20
"""A column of more different texts than this is not one of categories."""
_NO_LABEL = re.compile(
    r"unknown|not (?:labell?ed|known|available|given)|unlabell?ed|n\.a\.?|tbd|\.|"
    r"#(?:name\?|value!|ref!|div/0!|num!|null!)|new folder(?: \(\d+\))?|rejected|discarded|"
    r"trash|junk|bad quality"
)
_SENTINELS = ("-1", "-9", "-99", "99", "-999", "999", "9999", "-9999")
_DATE = re.compile(
    r"\d{1,2}[-. ](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?:[-. ]\d+)?"
)
_JOINTS = (";", ",", "/", "+", "&", " and ", "|")
_NUMBER = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?", re.ASCII)
_SHORTENED = re.compile(r"\d([.,]\d+)?[eE]\+\d+", re.ASCII)
_BETWEEN = re.compile(r"(?<=[^\W_])[\s_-]+(?=[^\W_])")


def is_missing(cell: str) -> bool:
    """Whether a cell has no value.

    >>> [cell for cell in ("", "NaN", "n/a", "-", "nan cy", "0") if is_missing(cell)]
    ['', 'NaN', 'n/a', '-']
    """
    return cell.strip().casefold() in MISSING


def filled(cells: Iterable[str]) -> list[str]:
    """Cells without surrounding blanks, ``""`` where there is no value."""
    return ["" if is_missing(cell) else cell.strip() for cell in cells]


def number(text: str) -> str | None:
    """A number without what does not count in it; ``None`` if the text is none.

    Zeros behind other decimals do: 1.10 comes after 1.9 where sections or visits are counted.

    >>> number("007"), number("7.0"), number("-1.50"), number("p7")
    ('7', '7', '-1.50', None)
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    whole, part = match[2].lstrip("0") or "0", match[3] or ""
    part = part if part.strip("0") else ""
    value = f"{whole}.{part}" if part else whole
    return f"-{value}" if match[1] == "-" and value != "0" else value


def meaning(name: str) -> str:
    """A name but for case, blanks, hyphens, underscores, the form of a number and of Unicode.

    >>> len({meaning(name) for name in ("No Finding", "no_finding ", "no-finding")})
    1
    >>> [meaning(name) for name in ("01", "1.0", "-1", "A-")]
    ['1', '1', '-1', 'a-']
    """
    text = unicodedata.normalize("NFKC", name)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").strip().casefold()
    return number(text) or _BETWEEN.sub(" ", text)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names with the same meaning."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(meaning(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def other_spellings(names: Iterable[str], known: Sequence[str]) -> str:
    """The end of a sentence about names that are not known but for how they are written.

    >>> other_spellings(["Cat", "bird"], ["cat", "dog"])
    "; 'Cat' is 'cat' written in another way: rename one of them"
    """
    meant = {meaning(name): name for name in known}
    pairs = [
        f"{name!r} is {meant[meaning(name)]!r} written in another way"
        for name in names
        if name not in known and meaning(name) in meant
    ]
    return f"; {first(pairs)}: rename one of them" if pairs else ""


def is_legible(name: str) -> bool:
    r"""Whether a name has no control characters, line ends or bytes that are no UTF-8.

    >>> is_legible("größe"), is_legible("gr\udcf6ße"), is_legible("a\nb")
    (True, False, False)
    """
    return all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in name)


def refuse_names(counts: Mapping[str, int], what: str, remedy: str) -> None:
    """Check names that nobody has confirmed.

    Args:
        counts: Images by name.
        what: Of labels or findings.
        remedy: What else can be done than to mend them, with its verb; may be empty.

    Raises:
        DataError: If one reads as a missing value or has control characters, or several mean the
            same.
    """
    told = {name: f"{name!r} ({count} images)" for name, count in counts.items()}
    for wrong, sentence in (
        ([name for name in counts if is_missing(name)], "read as missing values"),
        ([name for name in counts if not is_legible(name)], "hold control characters"),
    ):
        if wrong:
            raise DataError(
                f"{what} that {sentence}: {first([told[name] for name in wrong])}; rename them, or "
                f"leave their images out{remedy}"
            )
    groups = [" and ".join(told[name] for name in group) for group in alike(counts)]
    if groups:
        raise DataError(
            f"{what} that are written in several ways and seem to be the same: {first(groups)}; "
            f"write each in one way{remedy}"
        )


def warn_of_no_labels(counts: Mapping[str, int]) -> None:
    """Tell of labels that often mean that nobody knows, or that a spreadsheet has made.

    Args:
        counts: Images by label.
    """
    numbers = {name: number(name) for name in counts}
    values = sorted(float(value) for value in numbers.values() if value is not None)
    for name, value in numbers.items():
        told = "%r of %d images"
        if value in _SENTINELS and None not in numbers.values() and _apart(float(value), values):
            told += " stands beside numbers only, where it often means that nobody knows"
        elif _NO_LABEL.fullmatch(meaning(name)):
            told += " often means that nobody knows, or that images are no good"
        elif _DATE.fullmatch(name.casefold()):
            told += " is a date that a spreadsheet may have made of a range or a fraction (3-4)"
        else:
            continue
        log.warning(
            f"label {told}: if so, leave these images out, or correct them", name, counts[name]
        )


def _apart(value: float, values: Sequence[float]) -> bool:
    """Whether a number is negative, or far above the others."""
    others = [other for other in values if other != value]
    return value < 0 or not others or value > 2 * max(others) + 1


def warn_of_joined(counts: Mapping[str, int], what: str, separator: str) -> None:
    """Tell of names that seem to be several in a cell, or parts of one.

    Args:
        counts: Images by name.
        what: Labels or findings.
        separator: What stands between names in a cell.
    """
    for joint in _JOINTS:
        joined = [
            name
            for name in counts
            if joint in name and all(part.strip() in counts for part in name.split(joint))
        ]
        if joined and joint != separator:
            log.warning(
                "%s %s seem to be several, each of which is one by itself: if so, set "
                "\"dataset.separator='%s'\"",
                what,
                first([f"{name!r} ({counts[name]} images)" for name in joined]),
                joint,
            )


def warn_of_categories(column: str, cells: Sequence[str]) -> None:
    """Tell of categories in a column of metadata that are written in several ways."""
    different = dict.fromkeys(cells)
    groups = alike(different) if len(different) <= MOST_CATEGORIES else []
    if groups:
        log.warning(
            "column '%s' holds values that are written in several ways and seem to be the same; "
            "they count as different ones: %s",
            column,
            first([", ".join(map(repr, group)) for group in groups]),
        )


def check_patients(column: str, cells: Sequence[str], places: Sequence[str]) -> None:
    """Check that a patient is written in one way.

    Names are text as they are written, unless they show that a tool has made numbers of some.

    Args:
        column: Its name.
        cells: N names.
        places: Where each stands, such as ``line 7``.

    Raises:
        DataError: If one number is written in several ways, or a spreadsheet has rounded numbers.
    """
    told: dict[str, str] = {}
    for cell, place in zip(cells, places, strict=True):
        told.setdefault(cell, f"{cell!r} on {place}")
    rounded = [told[cell] for cell in told if _SHORTENED.fullmatch(cell)]
    if rounded:
        raise DataError(
            f"'{column}' holds numbers that a spreadsheet has rounded, so that different patients "
            f"may be written alike: {first(rounded)}; take the column from its source again, as "
            "text"
        )
    groups = alike(told)
    numbers = [group for group in groups if number(group[0]) is not None]
    if numbers:
        spellings = [" and ".join(told[cell] for cell in group) for group in numbers]
        raise DataError(
            f"'{column}' writes the same patient in several ways: {first(spellings)}; a tool has "
            f"made numbers of names: write each in one way (pandas: read_csv(..., "
            f"dtype={{'{column}': str}}))"
        )
    if groups:
        log.warning(
            "'%s' holds patients that are written alike but for case, blanks or hyphens; they "
            "count as different ones: %s",
            column,
            first([" and ".join(told[cell] for cell in group) for group in groups]),
        )
