"""Names that are numbers which begin anew with each label, and so say nothing across labels."""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from tgap.datasets.reading.namesakes import are_namesakes
from tgap.datasets.reading.patients import SIDES

MOSTLY = 0.5
"""Names begin anew in each folder if more than this share of them are another label's too."""
GAPS = 0.1
"""A counter lacks at most this share of its numbers."""
_SEED = re.compile(r"(?:^|/)(\d+)-\d{6,}\.[^/.]+$", re.ASCII)


def begin_anew(files: Sequence[str], labels: Sequence[Hashable], groups: Sequence[str]) -> bool:
    """Whether most names of a label are also another's, by counting, and not by gaps in common."""
    of_label, where = defaultdict(set), defaultdict(set)
    for file, label, group in zip(files, labels, groups, strict=True):
        of_label[label].add(file.rpartition("/")[2])
        where[group].add(label)
    if len(of_label) < 2 or are_sides(labels) or are_namesakes(where):
        return False
    times = Counter(name for names in of_label.values() for name in names)
    shares = [sum(times[name] > 1 for name in names) / len(names) for names in of_label.values()]
    return sum(share > MOSTLY for share in shares) >= len(shares) - 1  # one may be the longest


def are_counters(files: Sequence[str], labels: Sequence[Hashable]) -> bool:
    """Whether names are a counter, which begins anew with each label, and a seed.

    So web interfaces name what they draw: ``00007-3141592653.png``.
    """
    numbers: dict[Hashable, list[int]] = defaultdict(list)
    for file, label in zip(files, labels, strict=True):
        match = _SEED.search(file)
        if match is None:
            return False
        numbers[label].append(int(match[1]))
    return len(numbers) > 1 and all(
        len(set(its)) == len(its) >= (1 - GAPS) * (max(its) - min(its) + 1)
        for its in numbers.values()
    )


def are_sides(labels: Iterable[Hashable]) -> bool:
    """Whether the labels are the two sides of a body.

    >>> are_sides(["left", "right", "left"]), are_sides([("OD",), ("OS",)]), are_sides(["left"])
    (True, True, False)
    """
    return set(joined(list(dict.fromkeys(labels)))) in SIDES


def joined(labels: Sequence[Hashable]) -> Iterator[str]:
    """Labels as they may stand in names."""
    for label in labels:
        text = "".join(label) if isinstance(label, tuple) else str(label)
        yield re.sub(r"[^a-z0-9]", "", text.casefold())
