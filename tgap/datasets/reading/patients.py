"""Which images are one patient's, by a table's column, by their names, or as they seem to be."""

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

import numpy as np

from tgap.core import DataError
from tgap.core.words import quoted, word
from tgap.datasets.reading.alike import MOST_CATEGORIES, is_missing, number
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.tables import Table

log = logging.getLogger(__name__)
SMALL = 10
"""Images of a value, on average: categories have more, unless there are few images at all."""
FEWEST = 3
"""Of fewer patients no three sides can be made, so that a column of fewer is another thing."""
_PERSONS = ("patient", "pat", "subject", "participant", "case")
_NAMES = [f"{who}{what}" for who in _PERSONS for what in ("id", "", "nr", "no", "number")]
_NAMES = [*(name for name in _NAMES if name != "pat"), "pid", "mrn"]
_BLOCK = r"(?:(?:[ _-]|(?<=\d))[a-z]\d{1,2})?"
"""Of tiles' names: which block of a case the slide is of (``S21-1034 A3``)."""
TAILS = (
    r"[ _-](?:left|right)",
    r"[ _-](?:l|r|od|os)",
    r"(?<=\d)(?:l|r|od|os)",
    r"[ _-](?:ch|[wctz])\d{1,3}",
    r"[ _-](?:frame|slice|view|crop|patch|tile|aug)[ _-]?\d+",
    r"[ _-]rot(?:ated)?[ _-]?\d*",
    r"[ _-](?:[hv][ _-]?)?(?:flip|flipped|mirror|mirrored)(?:[ _-]?(?:lr|tb|ud))?",
    r"[ _-](?:new[ _-]?)?\d+[ _-]?deg(?:rees)?(?:flip(?:lr|tb|ud))?",
    r"[_-]\d+x\d+",
    r" - Copy(?: \(\d+\))?",
    r"(?:_png|_jpe?g)?\.rf\.\w+",
    rf"{_BLOCK}_x?\d+_y?\d+",
    rf"{_BLOCK}[ _-]*\[[^\[\]/]*\d[^\[\]/]*\]",
)
"""What names of several images of one original, or of one patient, end with."""
SIDES = ({"l", "r"}, {"od", "os"}, {"left", "right"})
"""Names of two eyes, knees or breasts of one person."""
_MEASURES = r"(?i)(?:^|[^a-z])(?:age|years?|height|weight|bmi|size|score)(?:[^a-z]|$)"
"""Names of columns of numbers that measure something."""


def is_variant(ending: str) -> bool:
    """Whether the end of a name says that an image is another one of the same original."""
    return any(re.fullmatch(tail, ending, re.IGNORECASE) for tail in (*TAILS, r"[ _()-]*\d*\)?"))


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


def own_patients(images: int) -> str:
    """What is to be told where no patients are known."""
    return (
        f"Each of the {images:,} images counts as its own patient: if several show one person, "
        "slide, video or object, say which by dataset.patient_column (a table's) or "
        "dataset.patient_pattern, or tests flatter and intervals are too narrow, being of fewer "
        "patients than images (pixels tell of nearly equal images, not of one person's different "
        "films); if not, set dataset.patient_column= (empty)"
    )


def column_of_groups(columns: Mapping[str, Sequence[str]], labels: Sequence[Hashable]) -> str:
    """What is to be told of a column that may name what images have in common; empty if none.

    What images share (a patient, slide, video) mostly has one label. So do sub-classes, which are
    few, of many images each, and called by words.
    """
    found = {
        name: n
        for name, cells in columns.items()
        if not re.search(_MEASURES, name) and (n := _groups_in(cells, labels))
    }
    if not found:
        return ""
    name = min(found, key=lambda name: found[name])  # the coarsest keeps the others together too
    others = ", ".join(repr(other) for other in found if other != name)
    return (
        f"column '{name}' has {found[name]} values over {len(labels)} images, and (nearly) each "
        "value has images of one label only: if it names what images have in common (patient, "
        f'slide, video, ...), set "dataset.patient_column={quoted(name)}", so that they stay '
        f"together{f' (or one of {others})' if others else ''}"
    )


def _groups_in(cells: Sequence[str], labels: Sequence[Hashable]) -> int:
    """How many values a column has, if they seem to be of what images have in common; else 0.

    At least half of the images share a value, there are at least two values for each label, and
    95 % of those that repeat have one label, which labels dealt at random would give with less
    than one in ten thousand. Categories are of more images each than ``SMALL``: of so many, there
    are at least four values for each label, called as things are. Decimals measure.
    """
    seen: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for cell, label in zip(cells, labels, strict=True):
        seen[cell][label] += 1
    seen = {cell: counts for cell, counts in seen.items() if not is_missing(cell)}
    repeated = [counts for counts in seen.values() if counts.total() > 1]
    sizes = Counter(labels)
    if (
        len(seen) < max(FEWEST, 2 * len(sizes))
        or 2 * sum(counts.total() for counts in repeated) < len(cells)
        or sum(len(counts) == 1 for counts in repeated) < 0.95 * len(repeated)
        or any("." in (number(cell) or "") for cell in seen)
    ):
        return 0
    shares = np.array(list(sizes.values())) / len(labels)
    chance = sum(math.log10(max((shares ** c.total()).sum(), 1e-99)) for c in repeated)
    images = sum(counts.total() for counts in seen.values())
    few = images <= SMALL * len(seen)
    things = few or (len(seen) >= 4 * len(sizes) and _are_called_so(list(seen)))
    return len(seen) if chance < -4 and things else 0


def _are_called_so(values: Sequence[str]) -> bool:
    """Whether most values are called as things are, not categories.

    With digits, that is, but not as small numbers, which may be grades unless there are many.
    """
    grades = re.compile(r"\D*|\d\d?" if len(values) <= MOST_CATEGORIES else r"\D*")
    return 2 * sum(grades.fullmatch(value) is None for value in values) > len(values)


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
    found = groups_of(files, pattern)
    lacking = [file for file, patient in zip(files, found, strict=True) if not patient]
    if lacking:
        raise DataError(
            f"dataset.patient_pattern={quoted(pattern)} finds no patient in {len(lacking)} of "
            f"{len(files)} paths: {first(lacking)}; it is searched in the path below dataset.path, "
            "and its first group must be the patient"
        )
    return found


def groups_of(files: Sequence[str], pattern: str) -> list[str]:
    """What the first group of a pattern finds in each path; empty if nothing."""
    rule = re.compile(pattern)
    matches = map(rule.search, files)
    return [(match[1] or "") if match else "" for match in matches]


def repeated(names: Sequence[Set[str]]) -> set[str]:
    """What several sets of names have in common, if that is half of all; else nothing."""
    shared, whole = set.intersection(*map(set, names)), set().union(*names)
    many = len(names) > 1 and len(whole) > 1 and 2 * len(shared) >= len(whole)
    return shared if many else set()


def without_last_word(names: Iterable[str]) -> list[str]:
    """Names without the word that all end with, if there are several.

    >>> without_last_word(["cat_aug", "dog_aug"]), without_last_word(["cat_1", "dog_2"])
    (['cat', 'dog'], ['cat_1', 'dog_2'])
    """
    found = [re.fullmatch(r"(.*[^ _.-])[ _.-]+([^\W\d_]+)", name) for name in names]
    words = {match[2].casefold() if match else "" for match in found}
    if len(found) < 2 or len(words) > 1 or "" in words:
        return list(names)
    return [match[1] for match in found if match]


def parts_of(files: Sequence[str]) -> dict[str, str]:
    """Files called after one in the folder above them, as crops are, and the latter.

    >>> parts_of(["a/1.bmp", "a/CROPPED/1_01.bmp", "a/2_3.bmp"])
    {'a/CROPPED/1_01.bmp': 'a/1.bmp'}
    """
    whole = {file.rpartition(".")[0]: file for file in files}
    found = {}
    for file in files:
        above, _, name = file.rpartition("/")
        stem = re.match(r"(.*\d)[_-][^_-]*\.[^.]+$", name)
        over = "/".join([*above.split("/")[:-1], stem[1] if stem else ""])
        if above and stem and over in whole:
            found[file] = whole[over]
    return found


def tell_of_parts(files: Sequence[str]) -> None:
    """Warn of images that seem to be cut from others, which are images of the dataset too."""
    if len(found := parts_of(files)) >= FEWEST:
        part, whole = next(iter(found.items()))
        log.warning(
            "%d of %d images seem to be cut from others in the folder above, by their names (%s "
            "from %s), so that whole fields and crops are mixed: take one kind, such as by "
            '"dataset.exclude=%s"',
            len(found),
            len(files),
            part,
            whole,
            word(sorted({part.split("/")[-2] for part in found})),
        )
