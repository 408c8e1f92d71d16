"""Which images are one patient's, by a table's column, by their names, or as they seem to be."""

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

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
_TAILS = (
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
    r"_x?\d+_y?\d+",
)
"""What names of several images of one original, or of one patient, end with."""
SIDES = ({"l", "r"}, {"od", "os"}, {"left", "right"})
"""Names of two eyes, knees or breasts of one person."""
_MEASURES = r"(?i)(?:^|[^a-z])(?:age|years?|height|weight|bmi|size|score)(?:[^a-z]|$)"
"""Names of columns of numbers that measure something."""
_STEM = r"([^/]+)\.[^/.]+$"
_BEGINNINGS = (r"(?:^|/)([A-Za-z_-]*\d+(?=[_-][^/]*$)|[^/]+$)", r"([^/]*\d[^/]*?)[_-]\d+\.[^/.]+$")
_SLIDE = r"(?:^|/)(?:[A-Za-z_-]*[_-])?(\d+[_-][^/_-]*\d[^/_-]*)[_-][^/]*$"
_SLIDE_PARTS = re.compile(r"(?:^|/)((?:[A-Za-z_-]*[_-])?)(\d+)[_-]([^/_-]*\d[^/_-]*)[_-][^/]*$")
_WITHOUT_LABEL = r"(?:^|/)[A-Za-z_-]*?(\d+)[_-][^/]*$"
_BARCODE = r"(TCGA-\w\w-\w{4})"
_FIELD = r"([^/]*?\d+)(?:[_-][^/]*)?\.[^/.]+$"
_EDITED = r"(?:^|/)IMG_E?(\d+)[^/]*$"
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


def own_patients(images: int) -> str:
    """What is to be told where no patients are known."""
    return (
        f"Each of the {images:,} images counts as its own patient: if several show one person, "
        "slide, video or object, say which by dataset.patient_column (a table's) or "
        "dataset.patient_pattern, or tests flatter; if not, set dataset.patient_column= (empty)"
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


def _are_labels(groups: Sequence[str], labels: Sequence[Hashable]) -> bool:
    """Whether folders of many images repeat below all labels, so that they are labels too."""
    of_label: dict[Hashable, set[str]] = defaultdict(set)
    for group, label in zip(groups, labels, strict=True):
        of_label[label].add(group)
    names = [set(without_last_word(its)) for its in of_label.values()]
    return len(groups) > SMALL * len(set(groups)) and bool(repeated(names))


def guessed(files: Sequence[str], labels: Sequence[Hashable], level: int) -> Guess | None:
    """Whether images seem to be of fewer patients, by their folders or names.

    Args:
        files: Their paths.
        labels: What each shows: where half of a label would be one patient, names are just names.
        level: So many folders of a path are understood already.
    """
    for pattern in _patterns(files, level):
        groups = _groups(files, pattern)
        if pattern.startswith("[^/]+/") and _are_labels(groups, labels):
            continue
        if all(groups) and _seem_patients(files, labels, groups):
            numbers = _groups(files, _WITHOUT_LABEL)
            if pattern in _BEGINNINGS and _begin_with_labels(groups, labels, numbers):
                return Guess(_WITHOUT_LABEL, numbers)
            return Guess(pattern, groups)
    return _same_on_both_sides(files, labels)


def are_sides(labels: Iterable[Hashable]) -> bool:
    """Whether the labels are the two sides of a body.

    >>> are_sides(["left", "right", "left"]), are_sides([("OD",), ("OS",)]), are_sides(["left"])
    (True, True, False)
    """
    return set(_joined(list(dict.fromkeys(labels)))) in SIDES


def _same_on_both_sides(files: Sequence[str], labels: Sequence[Hashable]) -> Guess | None:
    """Patients by the files' names, if the labels are sides and most names are there on both."""
    stems = _groups(files, _STEM)
    if not are_sides(labels) or not all(stems):
        return None
    sides = defaultdict(set)
    for stem, label in zip(stems, labels, strict=True):
        sides[stem].add(label)
    both = sum(len(its) == 2 for its in sides.values())
    return Guess(_STEM, stems) if both >= FEWEST and 2 * both >= len(sides) else None


def _begin_with_labels(
    groups: Sequence[str], labels: Sequence[Hashable], numbers: Sequence[str]
) -> bool:
    """Whether each label stands before its patients' numbers, which it is no part of.

    Where nearly all numbers from the first to the last one occur, each label may begin anew.
    """
    plain = (re.sub(r"[^a-z0-9]", "", group.casefold()) for group in groups)
    if not all(numbers) or not all(
        group == text + number
        for group, text, number in zip(plain, _joined(labels), numbers, strict=True)
    ):
        return False
    counted = sorted({int(number) for number in numbers})
    return 2 * len(counted) < counted[-1] - counted[0] + 1


def _joined(labels: Sequence[Hashable]) -> Iterator[str]:
    """Labels as they may stand in names."""
    for label in labels:
        text = "".join(label) if isinstance(label, tuple) else str(label)
        yield re.sub(r"[^a-z0-9]", "", text.casefold())


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


def _patterns(files: Sequence[str], level: int) -> Iterator[str]:
    yield from [_SLIDE] if _have_slides(files) else []
    deepest = max((file.count("/") for file in files), default=0)
    for above in range(level, deepest):
        end = "/" if all(file.count("/") > above for file in files) else ""
        yield "[^/]+/" * above + "([^/]+)" + end
    yield _BARCODE
    yield from [_FIELD] if parts_of(files) else []
    tails = [tail for tail in _TAILS if any(map(re.compile(f"(?i){tail}\\.[^/.]+$").search, files))]
    names = [file.rpartition("/")[2] for file in files]
    base = "[^/]+" if len(set(names)) == len(names) else ".+"  # numbers begin anew in each folder
    yield rf"(?i)({base}?)(?:{'|'.join(tails)})*\.[^/.]+$" if tails else rf"({base})\.[^/.]+$"
    yield from _BEGINNINGS
    if any(re.match(r"IMG_E\d", name) for name in names) and len(set(names)) == len(names):
        yield _EDITED


def _have_slides(files: Sequence[str]) -> bool:
    """Whether names are a kind in letters, a number that is none of patients, and one that is.

    As in ``SOB_B_F-14-9133-100-001.png``: the first (a year) is shared by kinds, the second is
    found with hardly any other kind or year; what comes behind it (a magnification) counts anew.
    """
    matches = [_SLIDE_PARTS.search(file) for file in files]
    parts = {match.groups() for match in matches if match}
    years = {(kind, year) for kind, year, _ in parts}
    slides = {(year, slide) for _, year, slide in parts}
    return (
        all(matches)
        and 2 * len({year for _, year in years}) <= max(2, len(years))
        and len(slides) >= 0.9 * len(parts)
        and len(slides) >= max(FEWEST, 2 * len(years))
    )


def _seem_patients(files: Sequence[str], labels: Sequence[Hashable], groups: Sequence[str]) -> bool:
    counts = Counter(zip(labels, groups, strict=True))
    stems = defaultdict(set)
    for file, group in zip(files, groups, strict=True):
        stems[group].add(file.rpartition("/")[2].rpartition(".")[0])
    anew = {group for group, names in stems.items() if len(names) == 1 and min(names).isdecimal()}
    several = [  # a number alone is another image in each folder
        group
        for label, group in zip(labels, groups, strict=True)
        if (counts[label, group] > 1 and group not in anew) or len(stems[group]) > 1
    ]
    sizes = Counter(labels)
    large = any(2 * n >= sizes[label] for (label, _), n in counts.items() if n > 1)
    days = sum(_DAY.fullmatch(group) is not None for group in groups)
    enough = len(set(several)) >= FEWEST and 5 * len(several) >= len(files)
    return enough and not large and 2 * days < len(groups)
