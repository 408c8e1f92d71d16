"""Labels that are codes, which prompts would say as they are."""

import logging
import re
from collections.abc import Iterable, Sequence

from tgap.core.words import other_words
from tgap.datasets.reading.alike import number
from tgap.datasets.reading.notes import first

log = logging.getLogger(__name__)
_LEGEND = re.compile(
    r"(?:(?:class|label|category|categories|code|name|id|idx)[a-z]*[ _-]?"
    r"(?:names?|map|mapping|maps?|list|index|dict|book|key|to[ _-]?name)?"
    r"|data|dataset|legend|key|readme|schema|lookup)"
    r"\.(?:txt|names|ya?ml|json|csv|tsv|xlsx?|pbtxt|md)"
)
"""Names of files that say what codes of labels mean."""


def tell_odd_labels(labels: Iterable[str], others: Sequence[str], table: str = "") -> None:
    """Tell of labels that no prompt should say.

    Args:
        labels: Their names.
        others: Paths of the files that are no images.
        table: The table that labels stand in; empty = they are folders.
    """
    names = sorted(set(labels))
    legends = [
        file
        for file in others
        if file != table and _LEGEND.fullmatch(file.rpartition("/")[2].lower())
    ]
    numbers = all(re.fullmatch(r"-?\d+", number(name) or "") for name in names)
    if all(re.fullmatch(r"\d+_.*\D.*", name) for name in names):
        why = "begin with numbers, as trainers have them for repeats"
    elif all(re.fullmatch(r"n\d{8}", name) for name in names):
        why = "are WordNet's numbers, as ImageNet has them"
    elif legends and numbers:
        why = f"are numbers, whose names seem to stand in {first(legends)}"
    elif numbers and table:
        why = "are numbers"
    else:
        return
    mend = "write words into the table in their place" if table else "rename the folders"
    log.warning(
        "the labels %s %s, and prompts would say them (an image of %s): %s, or give each its words "
        "by %s",
        first(names),
        why,
        names[0],
        mend,
        other_words(names[0]),
    )
