"""Rows that stand for many, and checks of what components give."""

import numpy as np

from tgap.core.errors import ContractError
from tgap.core.types import Floats, Indices


def spread(count: int, most: int) -> Indices:
    """Up to ``most`` of ``count`` rows, evenly spaced, the first and the last among them.

    >>> spread(9, 3).tolist(), spread(2, 3).tolist()
    ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def require_rows(who: str, what: str, array: Floats, rows: int) -> None:
    """See that an array is ``(rows, d)`` float32 and finite; the error names the component.

    Args:
        who: The component's name.
        what: What the rows are called in the error.
        array: What it gave.
        rows: How many rows there must be.

    Raises:
        ContractError: If not.
    """
    if array.ndim != 2 or len(array) != rows or array.dtype != np.float32:
        raise ContractError(
            f"{who} must return ({rows}, d) float32 {what}, got {array.shape} {array.dtype}"
        )
    if not np.isfinite(array).all():
        raise ContractError(f"{who} returned {what} that are not finite")


def require_indices(who: str, what: str, array: Indices, shape: tuple[int, ...], end: int) -> None:
    """See that an array is int64 of a shape and that its values lie in [0, ``end``), likewise.

    Args:
        who: The component's name.
        what: What the indices are called in the error.
        array: What it gave; not empty if the shape is as it should be.
        shape: The shape that it must have.
        end: The first index that is too large.

    Raises:
        ContractError: If not.
    """
    if array.shape != shape or array.dtype != np.int64:
        raise ContractError(
            f"{who} must return {shape} int64 {what}, got {array.shape} {array.dtype}"
        )
    if array.min() < 0 or array.max() >= end:
        raise ContractError(
            f"{who} must return {what} in [0, {end}), got {array.min()}..{array.max()}"
        )
