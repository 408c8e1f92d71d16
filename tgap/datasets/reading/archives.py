"""Archives beside images, which are not read."""

import logging
import re
from collections.abc import Sequence

from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)
_ARCHIVE = re.compile(
    r".*(?<!\.csv)(?<!\.tsv)(?<!\.jsonl)(?<!\.nii)\.(?:zip|tar|gz|tgz|bz2|xz|7z|rar|zst)(?:\.\d+)?",
    re.IGNORECASE,
)


def tell_of_archives(others: Sequence[str], *, labels: bool) -> None:
    """Tell of archives, above all of those beside folders of labels.

    Args:
        others: Paths of the files that are no images.
        labels: Whether the first folders are labels.
    """
    found = [file for file in others if _ARCHIVE.fullmatch(file)]
    if found:
        beside = labels and any("/" not in file for file in found)
        log.warning(
            "%s %s not read%s: %s; unpack what belongs to the images, and remove it, or move it "
            "elsewhere if it is a copy",
            many(len(found), "archive"),
            "is" if len(found) == 1 else "are",
            ", but may hold another label's images, as it lies beside the labels' folders"
            if beside
            else "",
            first(found),
        )
