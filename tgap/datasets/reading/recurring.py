"""Names of folders that come again below others, so that they may be labels, or persons."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from tgap.datasets.reading.alike import MOST_CATEGORIES, meaning
from tgap.datasets.reading.doubtful import near_pairs
from tgap.datasets.reading.patients import FEWEST, repeated, without_last_word

NEARLY = 0.9
"""So many of the folders below others bear names that come again."""
_PERSON = re.compile(
    r"(?:patients?|pat|subjects?|subj|sub|participant|person|proband|volunteer|case|paciente"
    r"|paziente|patiente?)[ _.-]?(?:id|no|nr)?[ _.-]?[a-z]{0,3}[ _.-]?\d+",
    re.IGNORECASE,
)


def are_persons(folders: Iterable[str]) -> bool:
    """Whether all folders are named as persons are, by their number.

    >>> are_persons(["patient_01", "Patient_02", "patient_3"]), are_persons(["stage_1", "case"])
    (True, False)
    """
    names = list(folders)
    return len(names) >= FEWEST and all(map(_PERSON.fullmatch, names))


def recurring(tops: Mapping[str, Iterable[str]]) -> tuple[set[str], bool]:
    """The names of folders that come again below most first folders, so that either may be labels.

    They are half of all names below each, or of few names that nearly all folders there bear, not
    all below each. Names that are written nearly alike (singular and plural) are one.

    Args:
        tops: Names of the folders below each first folder.

    Returns:
        Them, and whether they are the same but for a last word; empty if it is not so.
    """
    below = {top: set(names) for top, names in tops.items()}
    if found := repeated(list(below.values())):
        return found, False
    if found := repeated([set(without_last_word(names)) for names in below.values()]):
        return found, True
    one = _one_spelling(below)
    merged = {top: {one[name] for name in names} for top, names in below.items()}
    found = repeated(list(merged.values())) or _half(merged) or _few(merged)
    return {name for names in below.values() for name in names if one[name] in found}, False


def _one_spelling(below: Mapping[str, Set[str]]) -> dict[str, str]:
    """One name for those that are written nearly alike, each by itself where there are many."""
    counts = Counter(name for names in below.values() for name in sorted(names))
    if len(counts) > MOST_CATEGORIES:
        return {name: name for name in counts}
    first_of: dict[str, str] = {}
    one = {name: first_of.setdefault(meaning(name), name) for name in counts}
    for rare, common in near_pairs(counts):
        if not any({rare, common} <= names for names in below.values()):
            one = {name: one[common] if its == one[rare] else its for name, its in one.items()}
    return one


def _half(below: Mapping[str, Set[str]]) -> set[str]:
    """Names below all first folders, if these hold at most twice as many on average."""
    names = list(below.values())
    shared = set.intersection(*map(set, names))
    several = len(names) > 1 and min(map(len, names)) > 1
    return shared if several and 2 * len(shared) * len(names) >= sum(map(len, names)) else set()


def _few(below: Mapping[str, Set[str]]) -> set[str]:
    """Names that come again, if they are fewer than first folders and nearly all there are."""
    counts = Counter(name for names in below.values() for name in names)
    again = {name for name, count in counts.items() if count > 1}
    few = len(again) > 1 and len(counts) < len(below)
    return (
        again if few and sum(counts[name] for name in again) >= NEARLY * counts.total() else set()
    )


def named_in_two_ways(parts: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Pairs of names that are written nearly alike, of which no part of a split has both."""
    where: dict[str, set[str]] = defaultdict(set)
    for part, names in parts.items():
        for name in names:
            where[name].add(part)
    counts = {name: len(its) for name, its in where.items()}
    pairs: Sequence[tuple[str, str]] = near_pairs(counts) if len(counts) <= MOST_CATEGORIES else []
    return [(one, other) for one, other in pairs if where[one].isdisjoint(where[other])]
