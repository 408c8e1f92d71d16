"""Cells that mean nothing, and names that are written in several ways and mean the same."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from tgap.core import DataError
from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)

FAILED = frozenset("#n/a #na #ref! #value! #name? #div/0! #null! #num!".split())
"""What a spreadsheet writes where a formula fails, in lower case."""
MISSING = FAILED.union(
    ["", "nan", "-nan", "na", "n/a", "<na>", "nat", "none", "null", "?", "-", "--"]
)
"""What tools and people write where there is no value, in lower case."""
MOST_CATEGORIES = 20
"""A column of more different texts than this is not one of categories."""
_NUMBER = re.compile(r"([+-]?)(\d+)(?:(?:\.|,(?!\d{3}$))(\d*))?", re.ASCII)
"""A comma is a decimal point, unless three digits behind it may be thousands."""
_SHORTENED = re.compile(r"\d([.,]\d+)?[eE]\+\d+", re.ASCII)
_BETWEEN = re.compile(r"(?<=[^\W_])[\s_-]+(?=[^\W_])")
_LOOSE = re.compile(r"(?<=[^\W_])[\s_./-]+(?=[^\W\d_])|(?<=[^\W\d_])[\s_./-]+(?=[^\W_])")
"""What may be left out between letters, or a letter and a digit; 1-12 is not 11-2."""
_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")
_BEHIND = re.compile(r"(?<=[^\W_])[\s?!.,;:]+$")
_YES = (
    "1 yes y ja j oui si sí sì sim tak ano igen da evet kyllä true wahr vrai positive positiv pos"
)
_NO = "0 no n nein non nao não nee nej nei nie ne nem nu false falsch faux negative negativ neg"
_TRUTH = dict.fromkeys(_YES.split(), "yes") | dict.fromkeys(_NO.split(), "no")
_UNDECIDED = frozenset("unknown unclear uncertain maybe equivocal borderline".split())


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

    >>> number("007"), number("7.0"), number("-1.50"), number("0,5"), number("p7")
    ('7', '7', '-1.50', '0.5', None)
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    whole, part = match[2].lstrip("0") or "0", match[3] or ""
    part = part if part.strip("0") else ""
    value = f"{whole}.{part}" if part else whole
    return f"-{value}" if match[1] == "-" and value != "0" else value


def meaning(name: str) -> str:
    """A name but for case, blanks, hyphens, marks at its end, forms of a number and of Unicode.

    >>> len({meaning(name) for name in ("No Finding", "no_finding ", "no-finding?")})
    1
    >>> [meaning(name) for name in ("01", "1.0", "-1", "A-")]
    ['1', '1', '-1', 'a-']
    """
    text = unicodedata.normalize("NFKC", name)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").strip().casefold()
    return number(text) or _BETWEEN.sub(" ", _BEHIND.sub("", text))


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names with the same meaning.

    Where all say yes or no, so do their words in other languages, and 1 and 0.

    >>> alike(["Yes", "ja", "no", "0"]), alike(["yes", "ja", "Kiswahili"])
    ([['Yes', 'ja'], ['no', '0']], [])
    """
    meant = {name: meaning(name) for name in names}
    said = {text for name, text in meant.items() if not is_missing(name)} - _UNDECIDED
    truth = _TRUTH if said <= _TRUTH.keys() else {}
    groups: dict[str, list[str]] = {}
    for name, text in meant.items():
        groups.setdefault(truth.get(text, text), []).append(name)
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
    told = {name: f"{name!r} ({many(count)})" for name, count in counts.items()}
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
    loose: dict[str, list[str]] = {}
    for cell in told:
        loose.setdefault(_ZEROS.sub("", _LOOSE.sub("", meaning(cell))), []).append(cell)
    if groups := [group for group in loose.values() if len(group) > 1]:
        log.warning(
            "'%s' holds patients that are written alike but for case, blanks, marks or leading "
            "zeros; they count as different ones: %s",
            column,
            first([" and ".join(told[cell] for cell in group) for group in groups]),
        )
