"""Patients' names that may be wrong: one person's under two, or many persons' under one."""

import logging
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tgap.datasets.reading.alike import meaning
from tgap.datasets.reading.notes import first

log = logging.getLogger(__name__)
LARGE, TIMES = 0.2, 10
"""A patient with more of the images, and so many times the median patient's, is told of."""
_SIDE = re.compile(r"(.*\d|.+(?=[ _.-]))[ _.-]?(l|r|od|os|left|right)", re.IGNORECASE)
_PAIRS = ({"l", "r"}, {"od", "os"}, {"left", "right"})
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
        if any(pair <= group.keys() for pair in _PAIRS):
            yield list(group.values())


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
