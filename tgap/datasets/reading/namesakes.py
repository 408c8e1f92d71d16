"""Names that files of several labels share, and which chance does not explain."""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from itertools import combinations

FEWEST = 5
"""Numbers of each label have so many gaps, or are in stretches."""
CHANCE = 1e-6
"""And as many in common as chance gives less often than this."""
FEWEST_WORDS, LETTERS = 10, 3
"""So many names that are words of so many letters, most of them different ones."""


def are_namesakes(where: Mapping[str, Collection[Hashable]]) -> bool:
    """Whether files that are called the same show the same thing, as before and after.

    Numbers that begin anew with each label are the same as well, so that they tell only where they
    have gaps, and in the same places. Words do tell.

    Args:
        where: The labels with a file of each name.

    >>> numbers = {1, 2, 5, 9, 10, 14, 17, 23, 29, 30, 44, 45, 51, 60, 77, 80, 81, 88}
    >>> are_namesakes({f"P{n:02}": "ab" for n in numbers})
    True
    >>> are_namesakes({f"P{n:02}": "ab" for n in range(1, 40)})
    False
    """
    shapes = {re.sub(r"\d+", "0", name) for name in where}
    if len(shapes) == 1:
        return _same_gaps(where)
    words = sum(re.search(rf"[^\W\d_]{{{LETTERS},}}", name) is not None for name in shapes)
    return words >= max(FEWEST_WORDS, len(where) // 2)


def _same_gaps(where: Mapping[str, Collection[Hashable]]) -> bool:
    columns = list(zip(*(map(int, re.findall(r"\d+", name)) for name in where), strict=True))
    varying = [column for column in columns if len(set(column)) > 1]
    if len(varying) != 1:
        return False
    (numbers,) = varying
    first = min(numbers)
    step = math.gcd(*(number - first for number in numbers))
    of_label: dict[Hashable, set[int]] = defaultdict(set)
    for number, labels in zip(numbers, where.values(), strict=True):
        for label in labels:
            of_label[label].add((number - first) // step)
    span = (max(numbers) - first) // step + 1
    return any(
        min(_stretches(one), _stretches(other)) > FEWEST
        and _chance(len(one), len(other), len(one & other), span) < CHANCE
        for one, other in combinations(of_label.values(), 2)
    )


def _stretches(numbers: Collection[int]) -> int:
    """How many stretches of consecutive numbers there are."""
    return sum(number - 1 not in numbers for number in numbers)


def _chance(one: int, other: int, shared: int, span: int) -> float:
    """How often two sets of so many numbers of a span have so many or more in common."""
    ways = math.comb(span, other)
    return (
        sum(
            math.comb(one, count) * math.comb(span - one, other - count)
            for count in range(shared, min(one, other) + 1)
        )
        / ways
    )
