"""What a dataset leaves out: refused or warned of, and counted in its notes."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tgap.core import Bools, DataError

log = logging.getLogger(__name__)

TOLD = 10
"""How many files, lines or patients a message names."""
NOTED = 100
"""How many excluded files of a kind the notes of a large dataset name."""
WORDS = {
    "duplicate_rows": "rows of the table that repeat another one are left out",
    "unlisted": "image files are left out, as no table names them where they lie",
    "other_files": "files that are no images by their names are left out (PNG, JPEG, BMP, TIFF, "
    "WEBP, PPM and DICOM are read: convert others, such as HEIC, GIF or NIfTI)",
    "ages_above_120": "ages above 120 years are taken for unknown",
    "other_views": "images of other views than frontal ones are left out",
    "without_label": "images have none of the labels in dataset.labels, and count against each",
    "unlabelled": "images of studies without observations are left out",
    "uncertain": "images with uncertain observations are left out",
    "contradictory": "images with both 'No Finding' and a pathology are left out",
    "undecided": "images with neither 'No Finding' nor a pathology are left out",
}
"""What a count in the notes says."""
MOSTLY = 0.9
"""Of what is left out, a label is told of that so many have."""
_HOW = {"exclude": " (dataset.bad_files=exclude)", "list": ", see left_out.csv"}


def first(names: Sequence[str], of: int = 0, most: int = TOLD) -> str:
    """The first names of many, and how many more there are.

    Args:
        names: All, or so many as are known.
        of: How many there are; 0 = as are known.
        most: So many are named.

    >>> first(["a", "b"]), first(["a", "b", "c", "d"], 9, 3)
    ('a, b', 'a, b, c and 6 more')
    """
    of = of or len(names)
    return ", ".join(names[:most]) + (f" and {of - most:,} more" if of > most else "")


def many(count: int, what: str = "image") -> str:
    """So many of something, in words.

    >>> many(1), many(2, "row")
    ('1 image', '2 rows')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


def mostly(by_label: Mapping[str, int], of: int) -> str:
    """Whether what is left out has one label, of which images may then be lacking; or nothing.

    Args:
        by_label: How many have a label, by its name.
        of: How many are left out.

    >>> mostly({"cat": 1, "dog": 12}, 13)
    '12 of these 13 are of label dog'
    """
    count, label = max(((n, name) for name, n in by_label.items()), default=(0, ""))
    if of < 2 or count < MOSTLY * of:
        return ""
    return f"{'all' if count == of else f'{count} of these'} {of} are of label {label}"


def mostly_of(labels: Mapping[str, Bools], rows: Sequence[int]) -> str:
    """The same of some rows, by ``(N,)`` whether a row has a label; not of one that all have."""
    by_label = {name: int(held[rows].sum()) for name, held in labels.items() if not held.all()}
    return mostly(by_label, len(rows))


def counted(level: int = 0, /, **left_out: int | Sequence[str]) -> dict[str, int]:
    """Counts for the notes, and a warning for each that is not 0.

    Args:
        level: Which folder of a path is the label; 0 = none.
        left_out: How many there are of a kind in ``WORDS``, or their names, the first of which
            are told.
    """
    counts = {}
    for kind, names in left_out.items():
        count = names if isinstance(names, int) else len(names)
        if count:
            counts[kind] = count
            which = "" if isinstance(names, int) else f": {first(names)}{_labels(names, level)}"
            log.warning("%d %s%s", count, WORDS[kind], which)
    return counts


def _labels(files: Sequence[str], level: int) -> str:
    paths = [file.split("/") for file in files if file.count("/") >= level > 0]
    most = mostly(Counter(path[level - 1] for path in paths), len(files))
    return most and f"; {most}"


def excluded(files: Mapping[str, Sequence[str]], most: int | None = None) -> dict[str, Any]:
    """Excluded files for the notes.

    Args:
        files: Their names by kind, such as ``missing``.
        most: So many are named of each kind, and all are counted; ``None`` = all are named.
    """
    kinds = {kind: list(names) for kind, names in files.items() if names}
    notes: dict[str, Any] = {"excluded": {kind: names[:most] for kind, names in kinds.items()}}
    if most is not None:
        notes["excluded_counts"] = {kind: len(names) for kind, names in kinds.items()}
    return notes if kinds else {}


def refuse_or_warn(bad: Mapping[str, str], total: int, bad_files: str, *hints: str) -> None:
    """Apply the policy for bad files.

    Args:
        bad: Reason by name.
        total: How many files there are, the bad ones included.
        bad_files: ``error``, ``exclude`` or, by ``tgap label``, ``list``.
        hints: What would mend most of them, or what they have in common; may be empty.

    Raises:
        DataError: If the policy is ``error``, or no file is left; it names the first files.
    """
    if not bad:
        return
    lines = [*filter(None, hints)]
    lines += [f"  - {name}: {reason}" for name, reason in list(bad.items())[:TOLD]]
    if len(bad) > TOLD:
        lines.append(f"  - and {len(bad) - TOLD} more")
    text = "\n".join([f"{len(bad)} of {total} image files cannot be used:", *lines])
    if len(bad) == total:
        raise DataError(f"{text}\nno image is left")
    if bad_files == "error":
        raise DataError(
            f"{text}\nrepair or remove them, or leave them out with dataset.bad_files=exclude"
        )
    log.warning("%s\nthey are left out%s", text, _HOW[bad_files])
