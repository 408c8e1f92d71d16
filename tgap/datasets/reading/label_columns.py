"""Columns of a table that say of the labels what the label's own column does not."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from tgap.core.words import quoted
from tgap.datasets.reading.alike import MOST_CATEGORIES, filled, is_missing, meaning
from tgap.datasets.reading.contradicting import AGREE, kappa
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)
LEAST = 0.2
"""Columns of the label's name agree so far above chance (Cohen's kappa), or are other things."""
SHARED = 0.8
"""Two columns have nearly the same values if they share so many of all that occur."""
_EDITIONS = frozenset(
    "final adjudicated adjudication consensus majority vote voted agreed revised revision review "
    "reviewed corrected correction clean cleaned fixed updated update new old original orig raw "
    "first second initial reader rater expert annotator gold truth ground true gt v ver "
    "version".split()
)
_LABEL = frozenset("label labels class classes target targets diagnosis dx category".split())
MOST_SOURCES, EXPECTED = 10, 5
"""A source is one of so few, and lacks a label that so many of its images would have by chance."""
_SOURCES = frozenset(
    "site sites hospital centre center clinic institution institute source dataset database origin "
    "reader rater annotator labeller expert cohort country batch delivery study project".split()
)
_CODE = re.compile(r"[+-]?\d+(?:[.,]\d+)?|\w{1,2}[+-]?")
_ANY = re.compile(r"[\d.+-]+|\w{1,3}|true|false|positive|negative|(?:ab)?normal|present|absent")
"""What may be the values of anything: 0 and 1, yes and no."""


def tell_of_editions(columns: Mapping[str, Sequence[str]], label: str, *, chosen: bool) -> None:
    """Tell of a column of the label's values that differs from the label's own in some rows.

    Its name must be the label's but for words that mean an edition (``label_final``, ``label2``);
    or its values be words, and agree with the label above chance (Cohen's kappa).

    Args:
        columns: N cells by column, the label's among them.
        label: The label's column.
        chosen: Whether somebody has named it: then only names count.
    """
    own = _meant(columns[label])
    values = set(own) - {""}
    if not 2 <= len(values) <= MOST_CATEGORIES:
        return
    for name, cells in columns.items():
        other = _meant(cells) if name != label else []
        said = set(other) - {""}
        if len(said) < 2 or len(values & said) < SHARED * len(values | said):
            continue
        both = [(a, b) for a, b in zip(own, other, strict=True) if a and b]
        differing, above = sum(a != b for a, b in both), _kappa_of(both)
        alike = above >= LEAST and _is_edition(name, label)
        words = not (chosen or all(_ANY.fullmatch(cell) for cell in values))
        if differing and (alike or (words and above >= AGREE)):
            log.warning(
                "columns '%s' and '%s' have the same values (%s), but differ in %d of the %d "
                "rows with both; labels are those of '%s': if the other one is what readers agreed "
                'on in the end, set "dataset.label_column=%s"; if not, leave it out of the table',
                label,
                name,
                first([repr(cell) for cell in sorted(set(filled(columns[label])) - {""})], most=4),
                differing,
                len(both),
                label,
                quoted(name),
            )


def _meant(cells: Sequence[str]) -> list[str]:
    """What each cell means; nothing where they are too different for labels."""
    different = set(cells)
    if len(different) > 2 * MOST_CATEGORIES:
        return []
    meant = {cell: "" if is_missing(cell) else meaning(cell) for cell in different}
    return [meant[cell] for cell in cells]


def _is_edition(name: str, label: str) -> bool:
    """Whether two names are the same but for words and numbers of an edition.

    >>> [_is_edition(name, "label") for name in ("label_v2", "consensus", "final_dx", "sex", "age")]
    [True, True, True, False, False]
    """
    one, other = (
        {word for word in words_in(text) if word not in _EDITIONS and not word.isdecimal()}
        for text in (name, label)
    )
    return one == other or (one <= _LABEL and other <= _LABEL)


def _kappa_of(pairs: Sequence[tuple[str, str]]) -> float:
    firsts, seconds = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(n * seconds[cell] for cell, n in firsts.items()) / max(len(pairs), 1) ** 2
    return kappa(sum(one == other for one, other in pairs) / max(len(pairs), 1), chance)


def tell_of_codings(labels: Sequence[Sequence[str]], columns: Mapping[str, Sequence[str]]) -> None:
    """Tell of sources (sites, readers) whose labels are other numbers or codes than others'.

    Two sources code differently if each has a label that the other one lacks, where five images or
    more would have it if the label were dealt at random.

    Args:
        labels: The labels of each image.
        columns: What else is known of it.
    """
    if not all(_CODE.fullmatch(name) for each in labels for name in each):
        return
    rows = [tuple(sorted(each)) for each in labels]
    shares = Counter(rows)
    for column, cells in columns.items():
        if _SOURCES.isdisjoint(words_in(column)):
            continue
        counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        for row, cell in zip(rows, filled(cells), strict=True):
            counts[cell][row] += 1
        counts.pop("", None)
        if not 2 <= len(counts) <= MOST_SOURCES:
            continue
        lacking = {
            source: {
                label
                for label, count in shares.items()
                if not its[label] and count * its.total() >= EXPECTED * len(rows)
            }
            for source, its in counts.items()
        }
        unlike = [
            (one, other)
            for one, other in combinations(counts, 2)
            if any(counts[other][label] for label in lacking[one])
            and any(counts[one][label] for label in lacking[other])
        ]
        if unlike:
            log.warning(
                "labels go with '%s': %s; if the same label is another number or code there, write "
                "it in one way everywhere, or a classifier learns the %s",
                column,
                "; ".join(
                    f"{source} has {', '.join(_told(label, n) for label, n in sorted(its.items()))}"
                    for source, its in counts.items()
                    if any(source in pair for pair in unlike)
                ),
                column,
            )


def _told(label: Sequence[str], count: int) -> str:
    return f"'{'|'.join(label)}' ({many(count)})"
