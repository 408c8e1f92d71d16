"""Images that seem to be of one patient or original each, by their paths."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from tgap.core.words import quoted
from tgap.datasets.reading.counters import are_counters, are_sides, begin_anew, joined
from tgap.datasets.reading.namesakes import are_namesakes
from tgap.datasets.reading.notes import many
from tgap.datasets.reading.patients import (
    FEWEST,
    SMALL,
    TAILS,
    groups_of,
    parts_of,
    repeated,
    without_last_word,
)
from tgap.datasets.reading.split_names import parts_among

log = logging.getLogger(__name__)
MOST_IMAGES = 30
"""Folders above the labels' with more images, on average, are no persons', but sites'."""
ALONE, HARDLY_ANY = 0.5, 0.1
"""A pattern that leaves more images alone is a poor one; one that leaves fewer is a good one."""

ABOVE = "^([^/]+)/"
"""The first folder of a path."""
_STEM = r"([^/]+)\.[^/.]+$"
_BEGINNINGS = (r"(?:^|/)([A-Za-z_-]*\d+(?=[_-][^/]*$)|[^/]+$)", r"([^/]*\d[^/]*?)[_-]\d+\.[^/.]+$")
_SLIDE = r"(?:^|/)(?:[A-Za-z_-]*[_-])?(\d+[_-][^/_-]*\d[^/_-]*)[_-][^/]*$"
_SLIDE_PARTS = re.compile(r"(?:^|/)((?:[A-Za-z_-]*[_-])?)(\d+)[_-]([^/_-]*\d[^/_-]*)[_-][^/]*$")
_WITHOUT_LABEL = r"(?:^|/)[A-Za-z_-]*?(\d+)[_-][^/]*$"
_BARCODE = r"(TCGA-\w\w-\w{4})"
_FIELD = r"([^/]*?\d+)(?:[_-][^/]*)?\.[^/.]+$"
_UID = re.compile(r"(?:^|/)\d+(?:\.\d+){6,}\.[^\d./][^./]*$", re.ASCII)
_UID_PARTS = 4
"""The last parts of a UID, which a device counts up: series, images, times."""
_FRAME = r"([^/]+)[_-]\d+\.[^/.]+$"
_WITH_FOLDER = {
    _BEGINNINGS[0]: r"^((?:.*/)?(?:[A-Za-z_-]*\d+(?=[_-][^/]*$)|[^/]+$))",
    _BEGINNINGS[1]: r"^(.*\d[^/]*?)[_-]\d+\.[^/.]+$",
    _FRAME: r"^(.+)[_-]\d+\.[^/.]+$",
}
"""Patterns of a name's beginning, and the same with the folders above it."""
_EDITED = r"(?:^|/)IMG_E?(\d+)[^/]*$"
_DAY = re.compile(r"[A-Za-z_-]*(?:19|20)\d{6}", re.ASCII)


@dataclass(frozen=True)
class Guess:
    """Images that seem to be of one patient or original each.

    Args:
        pattern: Of ``dataset.patient_pattern``.
        patients: The patient of each image.
        shared: The pattern by which the same number in several folders is one patient; empty if
            it is not in doubt.
    """

    pattern: str
    patients: Sequence[str]
    shared: str = ""

    def alone(self) -> float:
        """The share of images whose patient has no other."""
        counts = Counter(self.patients)
        return sum(count == 1 for count in counts.values()) / max(len(self.patients), 1)

    def __str__(self) -> str:
        counts = Counter(self.patients)
        name = max(counts, key=lambda patient: counts[patient])
        return (
            f"{len(self.patients)} images seem to be of {len(counts)} patients or originals, by "
            f"their paths ({name!r} has {counts[name]}), but each counts as its own patient, so "
            "that those of one may be both trained and tested on, and tests flatter: if so, set "
            f'"dataset.patient_pattern={quoted(self.pattern)}"; {self._if_shared()}if not, set '
            "dataset.patient_column= (empty)"
        )

    def _if_shared(self) -> str:
        if not self.shared:
            return ""
        return (
            "numbers seem to begin anew in each folder: if the same number is the same patient in "
            f'all of them, "dataset.patient_pattern={quoted(self.shared)}"; '
        )


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
    found: list[Guess] = []
    if are_counters(files, labels):
        return None
    for pattern in _patterns(files, level):
        guess = _guess(pattern, files, labels)
        if guess is not None and guess.alone() <= ALONE:
            return guess
        found += [guess] if guess is not None else []
    if guess := _repeated_names(files, labels) or _frames(files, labels):
        return guess
    return min(found, key=Guess.alone, default=None)


def _guess(pattern: str, files: Sequence[str], labels: Sequence[Hashable]) -> Guess | None:
    groups = groups_of(files, pattern)
    if pattern.startswith("[^/]+/") and _are_labels(groups, labels):
        return None
    if not all(groups) or not _seem_patients(files, labels, groups):
        return None
    numbers = groups_of(files, _WITHOUT_LABEL)
    if pattern in _BEGINNINGS and _begin_with_labels(groups, labels, numbers):
        return Guess(_WITHOUT_LABEL, numbers)
    return _below_folders(Guess(pattern, groups), files, labels)


def _below_folders(guess: Guess, files: Sequence[str], labels: Sequence[Hashable]) -> Guess:
    """The same with the folder, where names begin anew in each, and so do not say who is meant."""
    if guess.pattern not in _WITH_FOLDER or not begin_anew(files, labels, guess.patients):
        return guess
    pattern = _WITH_FOLDER[guess.pattern]
    groups = groups_of(files, pattern)
    seem = all(groups) and _seem_patients(files, labels, groups)
    return Guess(pattern, groups, guess.pattern) if seem else guess


def _frames(files: Sequence[str], labels: Sequence[Hashable]) -> Guess | None:
    """Originals by names without a last number, if nearly all have as many few: frames."""
    groups = groups_of(files, _FRAME)
    counts = Counter(groups)
    usual = Counter(counts.values()).most_common(1)[0] if files else (0, 0)
    clips = 1 < usual[0] <= SMALL and usual[1] >= max(FEWEST, (1 - HARDLY_ANY) * len(counts))
    seem = all(groups) and clips and _seem_patients(files, labels, groups)
    return _below_folders(Guess(_FRAME, groups), files, labels) if seem else None


def tell_of_pattern(
    files: Sequence[str], labels: Sequence[Hashable], level: int, patients: Sequence[str]
) -> None:
    """Tell of another pattern than the one that is set, where this leaves most images alone.

    Args:
        files: Their paths.
        labels: The labels of each.
        level: So many folders of a path are understood already.
        patients: The patient of each by the pattern that is set.
    """
    alone = Guess("", patients).alone()
    guess = guessed(files, labels, level) if alone > ALONE else None
    if guess is not None and guess.alone() <= HARDLY_ANY:
        log.warning(
            "the pattern of dataset.patient_pattern leaves %s of %d alone, each its own patient, "
            'but by their names %d are of %d: if so, set "dataset.patient_pattern=%s"',
            many(round(alone * len(files))),
            len(files),
            len(files),
            len(set(guess.patients)),
            quoted(guess.pattern),
        )


def _repeated_names(files: Sequence[str], labels: Sequence[Hashable]) -> Guess | None:
    """Patients by the files' names, if most are there with several labels.

    Labels are sides, or the names cannot be the same by chance.
    """
    stems = groups_of(files, _STEM)
    if not all(stems):
        return None
    where = defaultdict(set)
    for stem, label in zip(stems, labels, strict=True):
        where[stem].add(label)
    several = sum(len(its) > 1 for its in where.values())
    if several < FEWEST or 2 * several < len(where):
        return None
    return Guess(_STEM, stems) if are_sides(labels) or are_namesakes(where) else None


def _begin_with_labels(
    groups: Sequence[str], labels: Sequence[Hashable], numbers: Sequence[str]
) -> bool:
    """Whether each label stands before its patients' numbers, which it is no part of.

    Where nearly all numbers from the first to the last one occur, each label may begin anew.
    """
    plain = (re.sub(r"[^a-z0-9]", "", group.casefold()) for group in groups)
    if not all(numbers) or not all(
        group == text + number
        for group, text, number in zip(plain, joined(labels), numbers, strict=True)
    ):
        return False
    counted = sorted({int(number) for number in numbers})
    return 2 * len(counted) < counted[-1] - counted[0] + 1


def _patterns(files: Sequence[str], level: int) -> Iterator[str]:
    yield from [_SLIDE] if _have_slides(files) else []
    deepest = max((file.count("/") for file in files), default=0)
    first_folders = {file.partition("/")[0] for file in files}
    persons = len(files) <= MOST_IMAGES * len(first_folders)
    if level == 2 and persons and set(parts_among(first_folders)) != first_folders:
        yield ABOVE
    for above in range(level, deepest):
        end = "/" if all(file.count("/") > above for file in files) else ""
        yield "[^/]+/" * above + "([^/]+)" + end
    yield _BARCODE
    yield from _uids(files)
    yield from [_FIELD] if parts_of(files) else []
    tails = [tail for tail in TAILS if any(map(re.compile(f"(?i){tail}\\.[^/.]+$").search, files))]
    names = [file.rpartition("/")[2] for file in files]
    base = "[^/]+" if len(set(names)) == len(names) else ".+"  # numbers begin anew in each folder
    yield rf"(?i)({base}?)(?:{'|'.join(tails)})*\.[^/.]+$" if tails else rf"({base})\.[^/.]+$"
    yield from _BEGINNINGS
    if any(re.match(r"IMG_E\d", name) for name in names) and len(set(names)) == len(names):
        yield _EDITED


def _uids(files: Sequence[str]) -> Iterator[str]:
    """Names that are DICOM's UIDs without their last parts, the coarsest first that groups few."""
    if not all(map(_UID.search, files)):
        return
    for parts in range(_UID_PARTS, 0, -1):
        pattern = rf"(?:^|/)(\d[\d.]*)(?:\.\d+){{{parts}}}\.[^\d./][^./]*$"
        groups = set(groups_of(files, pattern))
        if len(files) <= MOST_IMAGES * len(groups) and len(groups) >= FEWEST:
            yield pattern


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
