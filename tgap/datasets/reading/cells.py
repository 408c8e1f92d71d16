"""What a folder's names or a table's cells say of each image, as arrays."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, nearest
from tgap.datasets.reading import alike, doubtful
from tgap.datasets.reading.mojibake import refuse_mojibake
from tgap.datasets.reading.notes import first, many


def split_cell(cell: str, separator: str, named: Sequence[str] = ()) -> tuple[str, ...]:
    """The names in a cell, missing values left out unless they are ``named``.

    >>> split_cell("Mass| Edema |nan|", "|")
    ('Mass', 'Edema')
    >>> split_cell("None", "|", ["None", "Polyp"])
    ('None',)
    """
    parts = (part.strip() for part in cell.split(separator))
    return tuple(part for part in parts if part in named or not alike.is_missing(part))


def found_names(rows: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All names in the rows, each once, sorted."""
    return tuple(sorted({name for row in rows for name in row}))


def label_names(
    rows: Sequence[Sequence[str]],
    allowed: Sequence[str],
    fewest: int = 2,
    separator: str = "",
    *,
    folders: bool = False,
) -> tuple[str, ...]:
    """The labels of a dataset: those allowed, in their order, or all found, sorted.

    Args:
        rows: The labels of each image.
        allowed: The labels that may occur; empty = any that are told apart by more than case,
            blanks, hyphens, or the form of a number, and do not read as a missing value.
        fewest: How many labels must have images; 1 where they are not known.
        separator: Between several names in a cell; empty = a cell has one name only.
        folders: Whether labels are folders, which a setting can leave out.

    Raises:
        DataError: If another one occurs, or fewer labels have images.
    """
    names = found_names(rows)
    unknown = [name for name in names if allowed and name not in allowed]
    if unknown:
        told = [f"'{name}' ({many(sum(name in row for row in rows))})" for name in unknown]
        raise DataError(
            f"labels that are not in the list dataset.labels: {first(told)}"
            f"{nearest(unknown[0], allowed)}"
        )
    if len(names) < fewest:
        raise DataError(
            f"at least two labels must have images, got {', '.join(map(repr, names)) or 'none'}"
        )
    counts = Counter(name for row in rows for name in set(row))
    if not allowed:
        remedy = "that is what they are called, name all labels by dataset.labels=[...]"
        alike.refuse_names(counts, "labels", f", or, if {remedy}")
        refuse_mojibake(counts, "labels", f", or, if {remedy}")
        doubtful.warn_of_no_labels(counts, folders=folders)
        used = any(len(row) > 1 for row in rows)
        doubtful.warn_of_joined(counts, "labels", separator, used=used)
        doubtful.warn_of_near(counts, "labels", f"; if {remedy}")
    return tuple(allowed) or names


def finding_names(rows: Sequence[Sequence[str]], separator: str = "") -> tuple[str, ...]:
    """All findings, sorted; between several in a cell stands a separator.

    Raises:
        DataError: If some are written in several ways.
    """
    names = found_names(rows)
    counts = Counter(name for row in rows for name in set(row))
    alike.refuse_names(counts, "findings", "")
    refuse_mojibake(counts, "findings", "")
    used = any(len(row) > 1 for row in rows)
    doubtful.warn_of_joined(counts, "findings", separator, used=used)
    doubtful.warn_of_near(counts, "findings")
    return names


def membership(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Bools:
    """``(N, len(names))`` bool: which names each row holds.

    >>> membership([("b",), (), ("b", "a")], ("a", "b")).astype(int).tolist()
    [[0, 1], [0, 0], [1, 1]]
    """
    position = {name: i for i, name in enumerate(names)}
    result = np.zeros((len(rows), len(names)), dtype=bool)
    for i, row in enumerate(rows):
        result[i, [position[name] for name in row]] = True
    return result


def metadata_column(cells: Sequence[str]) -> NDArray[Any]:
    """Cells as float64, missing ones NaN, if every other one is a number; else as text.

    >>> metadata_column(["58", "", "6e1", "N/A"])
    array([58., nan, 60., nan])
    >>> metadata_column(["58", "0_1"])
    array(['58', '0_1'], dtype='<U3')
    """
    texts = alike.filled(cells)
    there = [text for text in texts if text]
    try:
        # Python's own spelling of 1000 as 1_000 is no number in a table
        if not there or any("_" in text for text in there):
            raise ValueError
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return np.array(texts, dtype=np.str_)
