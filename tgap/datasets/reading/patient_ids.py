"""Patients' names that may be wrong: one person's under two, or many persons' under one."""

import logging
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from tgap.datasets.reading.alike import is_missing, meaning, number
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import FEWEST, SIDES

log = logging.getLogger(__name__)
MOST_VISITS = 5
"""Of one person, mostly, where visits are bare numbers."""
_OF_A_PERSON = frozenset(
    "sex gender birth birthdate birthday birthyear born dob hospital centre center clinic "
    "institution institute".split()
)
_SITE = frozenset("site id name no nr number code study".split())
LARGE, TIMES = 0.2, 10
"""A patient with more of the images, and so many times the median patient's, is told of."""
_SIDE = re.compile(r"(.*\d|.+(?=[ _.-]))[ _.-]?(l|r|od|os|left|right)", re.IGNORECASE)
_FULL_DATE = re.compile(r"(?:19|20)\d{6}", re.ASCII)
_NOBODY = re.compile(r"(?:un|not )known|anon(?:ym(?:ous|i[sz]ed))?|no ?(?:name|id)|dummy|x{3,}")
_NO_NUMBER = re.compile(r"0+|(\d)\1{2,}", re.ASCII)


def tell_of_ids(patients: Sequence[str]) -> None:
    """Warn of patients whose names seem to mean others than they say.

    Args:
        patients: The patient of each image.
    """
    counts = Counter(patients)
    if sides := list(_sides(counts)):
        log.warning(
            "%d patients are called alike but for a side (%s), so that two eyes or sides of one "
            "person count as two patients, which are not kept together: leave the side out (in the "
            "column, or outside the group of dataset.patient_pattern)",
            sum(map(len, sides)),
            first([" and ".join(map(repr, group)) for group in sides]),
        )
    elif visits := _visits(counts):
        bare = len(counts) - sum(len(group) - 1 for group in visits)
        log.warning(
            "%d patients are called alike but for a last part (%s); without it there are %d: if it "
            "counts visits, studies or samples of one person, these are not kept together: leave "
            "it out (in the column, or outside the group of dataset.patient_pattern)",
            len(counts),
            first([" and ".join(map(repr, group)) for group in visits], most=3),
            bare,
        )
    if same := list(_other_order(counts)):
        log.warning(
            "patients whose names are the same words in another order count as different ones: "
            "%s; if they are one, write each in one way",
            first([" and ".join(map(repr, group)) for group in same]),
        )
    _tell_of_nobody(counts)


def _sides(names: Iterable[str]) -> Iterator[list[str]]:
    """Names that are the same but for both sides at their ends."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        if match := _SIDE.fullmatch(name):
            groups[match[1].casefold()][match[2].casefold()] = name
    for group in groups.values():
        if any(pair <= group.keys() for pair in SIDES):
            yield list(group.values())


def _visits(names: Collection[str]) -> list[list[str]]:
    """Names that are the same but for a last part, if that seems to count something of a person.

    A last part is one word, or all behind another name. Such parts are few, and occur again with
    most persons, or they are dates. Numbers of persons behind a site's (``A_1``, ``NIH-0001``,
    ``07-012``) are more than sites, or of three digits and consecutive. First names have none.
    """
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    whole = set(map(str.casefold, names))
    for name in names:
        parts = re.split(r"([ _.-]+)", name.casefold())
        bases = ["".join(parts[:end]) for end in range(1, len(parts), 2)]
        base = next((base for base in bases if base in whole), "".join(parts[:-2]))
        if base and parts[-1] and re.search(r"\d", name):
            groups[base][name.casefold()[len(base) :].strip(" _.-")] = name
    for name in names:
        if name.casefold() in groups:  # the first visit may have no number
            groups[name.casefold()][""] = name
    several = {base: tails for base, tails in groups.items() if len(tails) > 1}
    tails = {tail for its in several.values() for tail in its if tail}
    inside = sum(map(len, several.values()))
    dates = bool(tails) and all(map(_FULL_DATE.fullmatch, tails))
    numbers = all(map(str.isdecimal, tails))
    few = len(tails) * (2 if numbers else 1) < len(several)
    if numbers and few:
        usual = statistics.median(map(len, several.values()))
        values = [int(tail) for tail in tails]
        apart = max(values) - min(values) >= 2 * len(values)  # magnifications (40, 100, 200)
        few = usual <= MOST_VISITS and (max(map(len, tails)) < 3 or apart)
    if len(several) < FEWEST or 2 * inside < sum(map(len, groups.values())) or not (few or dates):
        return []
    return [list(its.values()) for its in several.values()]


def tell_of_two_persons(patients: Sequence[str], columns: Mapping[str, Sequence[str]]) -> None:
    """Warn of patients of whom a column says two things that one person does not have.

    Args:
        patients: The patient of each image.
        columns: What else is known of it: sex, birth, hospital; others do not count. A ``site`` may
            be of a body, unless patients of each are counted from 1 on.
    """
    for column, cells in columns.items():
        words = set(words_in(column))
        site = "site" in words and words <= _SITE and _count_anew(patients, cells)
        if not words & _OF_A_PERSON and not site:
            continue
        told: dict[str, dict[str, str]] = defaultdict(dict)
        for patient, cell in zip(patients, cells, strict=True):
            if not is_missing(cell):
                told[patient].setdefault(meaning(cell), cell)
        two = {patient: its for patient, its in told.items() if len(its) > 1}
        if two:
            log.warning(
                "'%s' has different values for %d of %d patients, such as %s: if they are "
                "different persons under one name (each hospital counts from 1), join both columns "
                "to one and name it by dataset.patient_column; else correct them",
                column,
                len(two),
                len(told),
                first([f"{name!r} ({', '.join(its.values())})" for name, its in two.items()]),
            )


def _count_anew(patients: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether patients are numbers that begin at 1 or 0 for each of several sites."""
    found = defaultdict(set)
    for patient, cell in zip(patients, cells, strict=True):
        found[meaning(cell)].add(number(patient) or "")
    counts = [{int(value) for value in its if value.isdecimal()} for its in found.values()]
    return len(found) > 1 and all(
        len(its) == len(values) >= FEWEST and min(its) <= 1 and len(its) > 0.8 * max(its)
        for its, values in zip(counts, found.values(), strict=True)
    )


def _other_order(names: Iterable[str]) -> Iterator[list[str]]:
    """Names of several words, without digits, that differ in their order or what joins them."""
    groups = defaultdict(list)
    for name in names:
        words = sorted(re.findall(r"[^\W\d_]+", name.casefold()))
        if len(words) > 1 and not re.search(r"\d", name):
            groups[tuple(words)].append(name)
    return (group for group in groups.values() if len(set(map(meaning, group))) > 1)


def _tell_of_nobody(counts: Counter[str]) -> None:
    """Of a patient who has most of the images, or is called as nobody is."""
    if not counts:
        return
    total, usual = counts.total(), statistics.median(counts.values())
    (_, most), (_, second) = [*counts.most_common(2), ("", 0), ("", 0)][:2]
    for name, count in counts.items():
        nobody = count > 1 and _NOBODY.fullmatch(meaning(name))
        number = count > 3 * usual and _NO_NUMBER.fullmatch(name)
        if nobody or number or (count > LARGE * total and count > TIMES * usual):
            log.warning(
                "patient '%s' has %d of %d images, %s %d: if it stands for patients who are not "
                "known, give each of these images a patient of its own, or leave them out",
                name,
                count,
                total,
                "the next one" if count == most else "the largest one",
                second if count == most else most,
            )
