"""See that a component gave arrays as its group's contract says; the error names the component."""

import numpy as np

from tgap.core.errors import ContractError
from tgap.core.types import Floats, Indices


def require_rows(who: str, what: str, array: Floats, rows: int) -> None:
    """See that an array is ``(rows, d)`` float32 and finite.

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
    """See that an array is int64 of a shape and that its values lie in [0, ``end``).

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
