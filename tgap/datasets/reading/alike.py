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
_LOOKS = str.maketrans(
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423"
    "\u0425"
    "\u0430\u0435\u0455\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u0501\u04bb"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03b9\u03ba\u03bd\u03bf\u03c1\u03c5\u03c7",
    "ABESIJKMHOPCTYXaesijopcyxdhABEZHIKMNOPTYXikvopux",
)
"""Cyrillic and Greek letters that look like Latin ones (Unicode's list of confusables, UTS 39)."""
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


def look(name: str) -> str:
    """What a name seems to say where letters of other alphabets look like Latin ones.

    >>> look("\u0421OVID"), look("\uff23OVID"), look("\u0434\u0430")
    ('covid', 'covid', '\u0434a')
    """
    return meaning(unicodedata.normalize("NFKC", name).translate(_LOOKS))


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names with the same meaning, or that look alike in Latin letters.

    Where all say yes or no, so do their words in other languages, and 1 and 0.

    >>> alike(["Yes", "ja", "no", "0"]), alike(["yes", "ja", "Kiswahili"])
    ([['Yes', 'ja'], ['no', '0']], [])
    >>> len(alike(["COVID", "\u0421OVID", "\u0421ov\u0456d"]))
    1
    """
    meant = {name: meaning(name) for name in names}
    said = {text for name, text in meant.items() if not is_missing(name)} - _UNDECIDED
    truth = _TRUTH if said <= _TRUTH.keys() else {}
    groups: dict[str, list[str]] = {}
    first_of: dict[str, str] = {}
    for name, text in meant.items():
        seen = [key for key in (truth.get(text, text), look(name)) if key.isascii() or key == text]
        root = next((first_of[key] for key in seen if key in first_of), seen[0])
        first_of |= dict.fromkeys(seen, root)
        groups.setdefault(root, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def letters_beside(name: str, group: Sequence[str]) -> str:
    """The letters beyond ASCII that not all names of a group have, by their code points.

    >>> print(letters_beside("caf\u00e9", ["cafe", "caf\u00e9"]))
    'caf\u00e9' with U+00E9 LATIN SMALL LETTER E WITH ACUTE
    """
    odd = [c for c in name if not c.isascii() and not all(c in other for other in group)]
    told = [f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in dict.fromkeys(odd)]
    return f"{name!r} with {first(told, most=3)}" if told else ""


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
    if same := alike(counts):
        groups = [" and ".join(told[name] for name in group) for group in same]
        odd = [text for group in same for name in group if (text := letters_beside(name, group))]
        raise DataError(
            f"{what} that are written in several ways and seem to be the same: {first(groups)}; "
            + (f"their letters differ: {first(odd)}; " if odd else "")
            + f"write each in one way{remedy}"
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
