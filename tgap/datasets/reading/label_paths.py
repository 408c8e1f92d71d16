"""Folders and words of names that seem to be labels, and are not taken for them."""

import logging
from collections import Counter
from collections.abc import Sequence

from tgap.core.words import word
from tgap.datasets.reading.alike import meaning
from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)


def tell_nested_labels(files: Sequence[str], labels: Sequence[str], level: int) -> None:
    """Tell of folders below a label's folder that are called as another label is.

    Args:
        files: Paths of the images.
        labels: The label of each, which is a folder's name.
        level: Which folder of a path that is, 1 being the first.
    """
    meant = {meaning(label): label for label in labels}
    nested: Counter[tuple[str, str, str]] = Counter()
    for file, label in zip(files, labels, strict=True):
        folders = file.split("/")[:-1]
        for depth, folder in enumerate(folders[level:], level + 1):
            other = meant.get(meaning(folder), label)
            if other != label:
                nested["/".join(folders[:depth]), label, other] += 1
                break
    if nested:
        log.warning(
            "folders below a label's are called as another label is: %s; if they lie there by "
            'mistake, move them, or leave them out by "dataset.exclude=%s"',
            _told(nested),
            word(sorted(f"{path}/*" for path, _, _ in nested)),
        )


def _told(nested: Counter[tuple[str, str, str]]) -> str:
    return first(
        [
            f"{path} ({many(count)}, which {'counts' if count == 1 else 'count'} as '{label}', "
            f"not as '{other}')"
            for (path, label, other), count in nested.items()
        ]
    )
