"""How far two orders of the same things agree."""

import math

import numpy as np

from tgap.core import ContractError, Doubles


def kendall_tau(x: Doubles, y: Doubles) -> Doubles:
    """Kendall's tau-b of each pair of rows: 1 for the same order, -1 for the reverse.

    ``(pairs in order - pairs reversed) / sqrt(pairs that x tells apart * pairs that y does)``
    (Kendall, Biometrika 1945): a tie in one of the two counts for neither side.

    Args:
        x: ``(B, n)`` float64, no NaN.
        y: ``(B, n)``, values of the same things.

    Returns:
        ``(B,)`` float64; NaN where a row has no two different values.

    Raises:
        ContractError: If shapes disagree.

    >>> kendall_tau(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])).round(3).tolist()
    [0.333]
    """
    if x.shape != y.shape or x.ndim != 2:
        raise ContractError(f"values must be (B, n) and (B, n), got {x.shape} and {y.shape}")
    first, second = np.triu_indices(x.shape[1], k=1)
    signs = [np.sign(side[:, first] - side[:, second]) for side in (x, y)]
    told = np.sqrt(np.prod([(side != 0).sum(axis=1) for side in signs], axis=0))
    agreed = (signs[0] * signs[1]).sum(axis=1)
    taus: Doubles = np.divide(agreed, told, out=np.full(len(x), np.nan), where=told > 0)
    return taus


def tau_of_chance(n: int, level: float = 0.05) -> float:
    """The least |tau| that a random order exceeds with probability ``level`` at most.

    Exactly, by counting orders of n different things by their inversions (Kendall, Biometrika
    1938). With fewer than 5 things it is 1: no order of so few is told from chance.

    Args:
        n: Things, at least 2.
        level: In (0, 1).

    >>> tau_of_chance(5), tau_of_chance(10)
    (0.8, 0.4666666666666667)
    """
    if n < 2:
        raise ContractError(f"an order needs at least 2 things, got {n}")
    counts = [1]
    for size in range(2, n + 1):  # the new largest thing brings 0 to size - 1 inversions
        counts = [sum(counts[max(0, k - size + 1) : k + 1]) for k in range(len(counts) + size - 1)]
    pairs, total = n * (n - 1) // 2, math.factorial(n)
    beyond, least = 0, 1.0
    for inversions in range(pairs // 2 + 1):
        tau = 1 - 2 * inversions / pairs
        if beyond > level * total:
            break
        least = tau
        beyond += 2 * counts[inversions] if tau > 0 else counts[inversions]
    return least
