"""Which images are one patient's, by a table's column, by their names, or as they seem to be."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tgap.core import DataError
from tgap.core.words import quoted
from tgap.datasets.reading.alike import is_missing
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.tables import Table

log = logging.getLogger(__name__)
FEWEST = 3
"""Of fewer patients no three sides can be made, so that a column of fewer is another thing."""
_PERSONS = ("patient", "pat", "subject", "participant", "case")
_NAMES = [f"{who}{what}" for who in _PERSONS for what in ("id", "", "nr", "no", "number")]
_NAMES = [*(name for name in _NAMES if name != "pat"), "pid", "mrn"]
_TAILS = (
    r"[ _-](?:left|right)",
    r"[ _-](?:l|r|od|os)",
    r"[ _-](?:frame|slice|view|crop|patch|tile|aug)[ _-]?\d+",
    r"[ _-]rot(?:ated)?[ _-]?\d*",
    r"[ _-](?:[hv][ _-]?)?(?:flip|flipped|mirror|mirrored)",
    r"[_-]\d+x\d+",
    r" - Copy(?: \(\d+\))?",
    r"(?:_png|_jpe?g)?\.rf\.\w+",
    r"_x?\d+_y?\d+",
)
"""What names of several images of one original, or of one patient, end with."""
_BEGINNINGS = (r"(?:^|/)([A-Za-z_-]*\d+(?=[_-][^/]*$)|[^/]+$)", r"([^/]*\d[^/]*?)[_-]\d+\.[^/.]+$")
_DAY = re.compile(r"[A-Za-z_-]*(?:19|20)\d{6}", re.ASCII)


def is_variant(ending: str) -> bool:
    """Whether the end of a name says that an image is another one of the same original."""
    return any(re.fullmatch(tail, ending, re.IGNORECASE) for tail in (*_TAILS, r"[ _()-]*\d*\)?"))


def column_by_name(table: Table, used: Sequence[str]) -> str | None:
    """The column that is called as patients' columns are, in any case and with any separators.

    Args:
        table: The table; a column of fewer than ``FEWEST`` different cells is none of patients.
        used: Columns that are something else.
    """
    for name in called_so(name for name in table.columns if name not in used):
        if len({cell for cell in table.columns[name] if not is_missing(cell)}) >= FEWEST:
            return name
    return None


def called_so(columns: Iterable[str]) -> list[str]:
    """The columns that are called as patients' columns are, the likeliest first.

    >>> called_so(["age", "case", "Patient ID", "patient_age"])
    ['Patient ID', 'case']
    """
    found: dict[str, str] = {}
    for name in columns:
        found.setdefault(re.sub(r"[^a-z0-9]", "", name.casefold()), name)
    return [found[name] for name in _NAMES if name in found]


def tell_of_column(columns: Iterable[str]) -> None:
    """Tell of a column that may name patients and is not used, if there is one."""
    for name in called_so(columns)[:1]:
        log.warning(
            "each image counts as its own patient; if column '%s' names patients, set "
            "dataset.patient_column='%s', so that a patient's images stay together",
            name,
            name,
        )


def wrong_pattern(pattern: str) -> str:
    """What is wrong with a pattern of patients; empty if nothing is."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        return f"patient_pattern must be a regular expression: {error}; got {pattern!r}"
    if groups:
        return ""
    return (
        "patient_pattern must have a group in parentheses, which is the patient, such as "
        rf"'(person\d+)_' or '[^/]+/([^/]+)/'; got {pattern!r}"
    )


def by_pattern(files: Sequence[str], pattern: str) -> list[str]:
    """The patient of each file: the first group of a regular expression, found in its path.

    Raises:
        DataError: If it is not found in some path.
    """
    found = _groups(files, pattern)
    lacking = [file for file, patient in zip(files, found, strict=True) if not patient]
    if lacking:
        raise DataError(
            f"dataset.patient_pattern={quoted(pattern)} finds no patient in {len(lacking)} of "
            f"{len(files)} paths: {first(lacking)}; it is searched in the path below dataset.path, "
            "and its first group must be the patient"
        )
    return found


def _groups(files: Sequence[str], pattern: str) -> list[str]:
    rule = re.compile(pattern)
    matches = map(rule.search, files)
    return [(match[1] or "") if match else "" for match in matches]


@dataclass(frozen=True)
class Guess:
    """Images that seem to be of one patient or original each.

    Args:
        pattern: Of ``dataset.patient_pattern``.
        patients: The patient of each image.
    """

    pattern: str
    patients: Sequence[str]

    def __str__(self) -> str:
        counts = Counter(self.patients)
        name = max(counts, key=lambda patient: counts[patient])
        return (
            f"{len(self.patients)} images seem to be of {len(counts)} patients or originals, by "
            f"their paths ({name!r} has {counts[name]}), but each counts as its own patient, so "
            "that those of one may be both trained and tested on, and tests flatter: if so, set "
            f'"dataset.patient_pattern={quoted(self.pattern)}"; if not, set '
            "dataset.patient_column= (empty)"
        )


def guessed(files: Sequence[str], labels: Sequence[Hashable], level: int) -> Guess | None:
    """Whether images seem to be of fewer patients, by their folders or names.

    Args:
        files: Their paths.
        labels: What each shows: where half of a label would be one patient, names are just names.
        level: So many folders of a path are understood already.
    """
    for pattern in _patterns(files, level):
        groups = _groups(files, pattern)
        if all(groups) and _seem_patients(files, labels, groups):
            return Guess(pattern, groups)
    return None


def _patterns(files: Sequence[str], level: int) -> Iterator[str]:
    deepest = max((file.count("/") for file in files), default=0)
    for above in range(level, deepest):
        end = "/" if all(file.count("/") > above for file in files) else ""
        yield "[^/]+/" * above + "([^/]+)" + end
    tails = [tail for tail in _TAILS if any(map(re.compile(f"(?i){tail}\\.[^/.]+$").search, files))]
    names = [file.rpartition("/")[2] for file in files]
    base = "[^/]+" if len(set(names)) == len(names) else ".+"  # numbers begin anew in each folder
    yield rf"(?i)({base}?)(?:{'|'.join(tails)})*\.[^/.]+$" if tails else rf"({base})\.[^/.]+$"
    yield from _BEGINNINGS


def _seem_patients(files: Sequence[str], labels: Sequence[Hashable], groups: Sequence[str]) -> bool:
    counts = Counter(zip(labels, groups, strict=True))
    stems = defaultdict(set)
    for file, group in zip(files, groups, strict=True):
        stems[group].add(file.rpartition("/")[2].rpartition(".")[0])
    several = [
        group
        for label, group in zip(labels, groups, strict=True)
        if counts[label, group] > 1 or len(stems[group]) > 1
    ]
    sizes = Counter(labels)
    large = any(2 * n > sizes[label] for (label, _), n in counts.items() if n > 1)
    days = sum(_DAY.fullmatch(group) is not None for group in groups)
    enough = len(set(several)) >= FEWEST and 5 * len(several) >= len(files)
    return enough and not large and 2 * days < len(groups)
