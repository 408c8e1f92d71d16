"""Images that are changed copies of others by how their names begin."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from tgap.core.words import word
from tgap.datasets.reading.notes import first, many
from tgap.datasets.reading.patients import FEWEST

log = logging.getLogger(__name__)
_BEGINS = re.compile(
    r"((?:aug(?:ment(?:ed|ation)?)?|flip(?:ped)?|rot(?:ated?)?|mirror(?:ed)?|smote)[_-])",
    re.IGNORECASE,
)


def augmented(files: Sequence[str]) -> list[str]:
    """The files that are called as augmentation names them (``aug_0_17.jpg``), if not all are."""
    found = [file for file in files if _BEGINS.match(file.rpartition("/")[2])]
    return found if FEWEST <= len(found) < len(files) else []


def tell_of_augmented(files: Sequence[str], labels: Sequence[Sequence[str]]) -> None:
    """Tell of them, and how to leave them out."""
    found = set(augmented(files))
    if not found:
        return
    own = Counter("|".join(its) for file, its in zip(files, labels, strict=True) if file in found)
    begins = {match[1] for file in found if (match := _BEGINS.match(file.rpartition("/")[2]))}
    log.warning(
        "%d of %d images are changed copies of others, by their names (%s, ...; %s): a copy may be "
        'tested on whose original was trained on, so leave them out by "dataset.exclude=%s", or '
        "let a table's patient column name the original of each",
        len(found),
        len(files),
        min(found),
        first([f"{label} has {many(count)}" for label, count in sorted(own.items())]),
        word(sorted(f"{begin}*" for begin in begins)),
    )


def apart_from_originals(files: Sequence[str], groups: Sequence[str]) -> bool:
    """Whether there are changed copies, none of which has an original in its group."""
    found = set(augmented(files))
    members: dict[str, set[str]] = defaultdict(set)
    for file, group in zip(files, groups, strict=True):
        members[group].add(file)
    return bool(found) and all(its <= found or its.isdisjoint(found) for its in members.values())
