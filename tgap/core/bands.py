"""Numbers by the band that they are in, in words."""

import itertools
from collections.abc import Sequence

import numpy as np

from tgap.core.types import Bools, Doubles


def bands(column: Doubles, borders: Sequence[float]) -> dict[str, Bools]:
    """Which numbers are in each band; numbers that are missing are in none.

    Args:
        column: ``(N,)``, NaN where missing.
        borders: Ascending; each belongs to the band above.

    Returns:
        ``(N,)`` bool by the band's words, from the lowest to the highest; bands without numbers
        are left out.

    >>> list(bands(np.array([5.0, 20.0, 90.0]), [20, 40, 60]))
    ['below 20', '20 to 40', 'from 60']
    """
    found = {}
    for low, high in itertools.pairwise([-np.inf, *borders, np.inf]):
        words = f"{low:g} to {high:g}"
        words = f"below {high:g}" if low == -np.inf else words
        words = f"from {low:g}" if high == np.inf else words
        rows: Bools = (column >= low) & (column < high)
        if rows.any():
            found[words] = rows
    return found
