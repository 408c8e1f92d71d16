"""Names in cells that may hold the numbers of classes, as the Hugging Face library has them."""

from collections.abc import Iterable, Sequence
from typing import Any

from tgap.core import DataError
from tgap.datasets.reading.alike import is_missing
from tgap.datasets.reading.cells import found_names

Cell = tuple[str, ...] | None
"""The names in a cell; ``None`` where the cell has no value, so it is not known."""


def names_in(cell: Any, names: Sequence[str], column: str) -> Cell:
    """The names in one cell of a column of labels or findings.

    Args:
        cell: Text, a whole number, a boolean, a list of these, or ``None``.
        names: Names of the numbers 0, 1, ...; empty = they are called by themselves. False and
            true are 0 and 1.
        column: Named in errors.

    Returns:
        Names; ``None`` where there is no value: ``None``, NaN, text that reads as a missing value
        and is none of the names, -1 where numbers have names (a hidden label, as the hub's test
        splits have it), and a list that holds one of these.

    Raises:
        DataError: If a number has no name, or a value is of another kind.

    >>> names_in([1, 0], ["a", "b"], "label"), names_in([], [], "label"), names_in(-1, ["a"], "x")
    (('b', 'a'), (), None)
    """
    if isinstance(cell, list):
        named = [names_in(item, names, column) for item in cell]
        return None if None in named else tuple(name for item in named for name in item or ())
    if cell is None or (names and cell == -1) or cell != cell:  # NaN alone differs from itself
        return None
    if isinstance(cell, str):
        name = cell.strip()
        return None if is_missing(name) and name not in names else (name,)
    if isinstance(cell, float) and cell.is_integer():  # as pandas writes them beside missing ones
        cell = int(cell)
    if not isinstance(cell, int):
        raise DataError(
            f"column '{column}' must hold class numbers, whole numbers, text, booleans, or lists "
            f"of these, got {cell!r}"
        )
    if not names:
        return (str(cell).lower(),)
    if not 0 <= cell < len(names):
        raise DataError(
            f"column '{column}' has the class number {cell}, but there are {len(names)} names for "
            f"the numbers from 0 on: {', '.join(names)}"
        )
    return (names[cell],)


def found_in_order(rows: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All names in the rows: numbers by value, others by the alphabet.

    >>> found_in_order([("10",), ("9",)]), found_in_order([("b", "a")])
    (('9', '10'), ('a', 'b'))
    """
    found = found_names(rows)
    try:
        return tuple(sorted(found, key=int))
    except ValueError:
        return found
