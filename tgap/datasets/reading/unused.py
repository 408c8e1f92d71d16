"""Columns of a table that seem to say which rows are meant for what, and are not used."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from tgap.datasets.reading.alike import MOST_CATEGORIES, filled, number
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.notes import first, many
from tgap.datasets.reading.split_names import is_part

log = logging.getLogger(__name__)
_CHOOSE = frozenset(
    "exclude excluded exclusion include included inclusion drop dropped keep kept use used unused "
    "usable unusable valid invalid bad good reject rejected accept accepted ignore ignored skip "
    "discard discarded remove removed delete deleted outlier artifact artefact duplicate qc qa "
    "quality corrupt corrupted broken".split()
)
_AROUND = frozenset(
    "is was to be should has for in from the this image images img row file flag pass passed ok "
    "status check control training train study".split()
)
_DIVIDE = frozenset("split splits fold folds kfold partition subset set".split())


def tell_unused(columns: Mapping[str, Sequence[str]], used: Collection[str]) -> None:
    """Tell of columns that choose among a table's rows or divide them, by names and cells.

    Args:
        columns: N cells by column.
        used: Columns that are used.
    """
    for name, cells in columns.items():
        if name in used or len(set(cells)) > MOST_CATEGORIES:
            continue
        counts = Counter(filled(cells))
        values = sorted(value for value in counts if value)
        words = set(words_in(name))
        if len(counts) < 2:
            continue
        if all(map(is_part, values)):
            log.warning(
                "column '%s' names parts of a split (%s), which are not used: all images are "
                "divided anew; to keep a test set, put its images below a folder test/ and the "
                "others below train/, with a folder per label in each, and set "
                "dataset.official_split=true without a table",
                name,
                first(values),
            )
        elif words & _DIVIDE and all(map(_divides, values)):
            log.warning(
                "column '%s' seems to divide the images (%s), and is not used: all are divided "
                "anew; dataset.patient_column keeps images together that belong together",
                name,
                first(values),
            )
        elif len(counts) == 2 and words & _CHOOSE and words <= _CHOOSE | _AROUND:
            log.warning(
                "column '%s' is not used, so that all rows count alike: it says %s; if it says "
                "which rows are not meant, leave them out of the table",
                name,
                " and ".join(
                    f"{repr(value) if value else 'nothing'} of {many(count, 'row')}"
                    for value, count in counts.most_common()
                ),
            )


def _divides(value: str) -> bool:
    return is_part(value) or number(value) is not None
