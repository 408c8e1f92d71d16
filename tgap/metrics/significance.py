"""Comparing methods over seeds: p-values of intervals, Holm's correction, equivalence.

A difference here is one method's value minus another's at the same seed. Runs of one seed share the
split, the noise and the classifier's initialisation, so differences are less spread than values.

All seeds also share the test images. What these are to one method rather than another is the same
in every seed, so a test over seeds alone (``equivalence``) speaks of this test set;
``p_of_interval`` speaks of new seeds and new test images.
"""

import numpy as np

from tgap.core import ContractError, Doubles
from tgap.metrics.intervals import ROUNDING, Interval

FEWEST_SEEDS = 3
"""Fewer say too little of a spread for a claim of difference or of equality."""

LEVEL = 0.05
"""Chance of a claim, of a whole family, where nothing is there."""


def p_of_interval(difference: Interval) -> float:
    """Two-sided p-value of no difference, for new seeds and new test images.

    Student's t with the standard error and degrees of freedom of the difference's interval: below
    .05 where that interval, on the identity scale and at 95 %, does not hold 0.

    Returns:
        A value in [0, 1]; NaN where there is no interval.

    >>> round(p_of_interval(Interval(0.02, -0.001, 0.041, 0.01, 20.0, 8)), 3)
    0.059
    """
    if np.isnan(difference.lo):
        return float("nan")
    from scipy.special import stdtr  # the same numbers as scipy.stats', read in no time

    error = np.sqrt(difference.standard_error**2 + difference.unseen)
    statistic = abs(difference.estimate) / error
    return float(2 * stdtr(difference.degrees_of_freedom, -statistic))


def holm(p_values: Doubles) -> Doubles:
    """Holm's adjusted p-values: below a level, the family-wise error is below it too.

    Step-down Bonferroni (Holm 1979), valid however the tests depend on each other.

    Args:
        p_values: ``(K,)`` in [0, 1]; NaN where a test is not defined: it stays NaN and is not
            counted in the family.

    Returns:
        ``(K,)`` float64, at most 1, in the order given.

    Raises:
        ContractError: If the shape is wrong or a value is outside [0, 1].

    >>> holm(np.array([0.01, float("nan"), 0.04])).tolist()
    [0.02, nan, 0.04]
    """
    if p_values.ndim != 1 or bool(((p_values < 0) | (p_values > 1)).any()):
        raise ContractError(f"p-values must be (K,) between 0 and 1, got {p_values}")
    adjusted = p_values.astype(np.float64)
    order = np.argsort(adjusted)[: int((~np.isnan(adjusted)).sum())]  # NaN comes last
    steps = adjusted[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def equivalence(differences: Doubles, margin: float) -> float:
    """P-value of the claim that the mean difference is within ``margin`` of 0.

    Two one-sided paired t tests, the larger of their p-values (Schuirmann 1987). A difference that
    a test did not find is not shown to be absent; this shows it, for new seeds on the same test
    images.

    Args:
        differences: ``(S,)`` real.
        margin: Above 0; a mean difference that would not matter.

    Returns:
        A value in [0, 1]; NaN with fewer than ``FEWEST_SEEDS``, with a value that is not
        finite, or where the differences do not vary: equal ones show no spread, not that there is
        none.

    Raises:
        ContractError: If the shape is wrong or the margin is not above 0.

    >>> equivalence(np.array([0.001, -0.002, 0.002, 0.0]), margin=0.02) < 0.001
    True
    >>> equivalence(np.array([0.03, 0.02, 0.04, 0.03]), margin=0.02) > 0.9
    True
    """
    d = _as_differences(differences)
    if not margin > 0:
        raise ContractError(f"the margin must be above 0, got {margin}")
    if len(d) < FEWEST_SEEDS or not np.isfinite(d).all() or np.ptp(d) <= ROUNDING:
        return float("nan")
    from scipy.special import stdtr

    nearer = (margin - abs(float(d.mean()))) / (d.std(ddof=1) / np.sqrt(len(d)))
    return float(stdtr(len(d) - 1, -nearer))


def in_words(
    p_value: float,
    seeds: int,
    comparisons: int = 1,
    where: str = "",
    verb: str = "differ",
    noun: str = "difference",
) -> str:
    """What a comparison shows, in words that claim no more than it can.

    Args:
        p_value: ``holm``'s adjusted p-value of ``p_of_interval``; NaN if it is not defined.
        seeds: Seeds that both sides have.
        comparisons: Size of the family.
        where: What the claim is limited to, e.g. ``on these test images``.
        verb: What is claimed.
        noun: What is not shown, if it is not.

    >>> in_words(0.0234, seeds=5, comparisons=3)
    'differ: p = .023 (5 seeds, 3 comparisons, Holm)'
    >>> in_words(0.5, seeds=8, verb="rises", noun="trend")
    'no trend shown: p = .50 (8 seeds)'
    >>> in_words(float("nan"), seeds=2)
    'no test: 2 seeds, and it takes 3'
    """
    if seeds < FEWEST_SEEDS:
        return f"no test: {_seeds(seeds)}, and it takes {FEWEST_SEEDS}"
    if np.isnan(p_value):
        return "no test: no interval is justified"
    family = f", {comparisons} comparisons, Holm" if comparisons > 1 else ""
    shown = verb if p_value <= LEVEL else f"no {noun} shown"
    shown += f" {where}" if where else ""
    return f"{shown}: {p_text(p_value)} ({_seeds(seeds)}{family})"


def p_text(p: float) -> str:
    """``p = .19``, ``p = .023``, ``p < .001``, ``p = 1``."""
    if p < 0.001:
        return "p < .001"
    text = f"{p:.2f}" if p >= 0.0995 else f"{p:.3f}"
    return "p = 1" if text == "1.00" else f"p = {text.removeprefix('0')}"


def _seeds(number: int) -> str:
    return f"{number} seed" + ("" if number == 1 else "s")


def _as_differences(differences: Doubles) -> Doubles:
    if differences.ndim != 1 or len(differences) == 0 or differences.dtype.kind not in "fiu":
        raise ContractError(
            f"differences must be (S,) real numbers, one per seed, got {differences.shape} "
            f"{differences.dtype}"
        )
    return differences.astype(np.float64)
