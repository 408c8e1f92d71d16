"""Comparing methods over seeds: exact paired tests, Holm's correction, equivalence.

A difference here is one method's value minus another's at the same seed. Runs of one seed share the
split, the noise and the classifier's initialisation, so differences are less spread than values.

All seeds also share the test images. What these are to one method rather than another is the same
in every seed, so tests over seeds (``sign_flip``, ``equivalence``) speak of this test set;
``p_of_interval`` speaks of new seeds and new test images.
"""

from itertools import pairwise

import numpy as np

from tgap.core import ContractError, Doubles
from tgap.metrics.intervals import ROUNDING, Interval

EXACT_SEEDS = 30
"""Up to so many seeds, all sign patterns are counted; beyond, some are drawn."""

DRAWS = 99_999
"""Sign patterns drawn beyond ``EXACT_SEEDS``, so that p-values are multiples of 1e-5."""

EQUIVALENCE_SEEDS = 3
"""Fewer say too little of a spread for a claim of equality."""

_TIE = 1e-10
"""Means that differ by less than this share of the mean absolute difference count as equal."""


def sign_flip(differences: Doubles, rng: np.random.Generator | None = None) -> float:
    """Two-sided p-value of the paired sign-flip test of the mean difference, on a given test set.

    If two methods are exchangeable within each seed (the sharp null: not their means alone are
    equal), each difference is as likely with either sign (Fisher 1935, The Design of Experiments,
    section 21). The p-value is the share of the 2^S sign patterns whose absolute mean is at least
    the observed one, ties included. It is exact up to ``EXACT_SEEDS`` seeds: the patterns of two
    halves of the seeds are counted against each other, not all listed. Beyond, it is
    ``(1 + count) / (1 + DRAWS)`` over drawn patterns (Phipson and Smyth 2010, arXiv 1603.05766).

    Args:
        differences: ``(S,)`` real, S >= 1.
        rng: Draws the patterns; needed beyond ``EXACT_SEEDS`` only.

    Returns:
        A value in (0, 1], never below ``smallest_p(S)``; 1 if all differences are zero; NaN if one
        is not finite.

    Raises:
        ContractError: If the shape is wrong, or if a generator is needed and missing.

    >>> sign_flip(np.array([0.02, 0.01, 0.03, 0.01, 0.02]))
    0.0625
    >>> sign_flip(np.array([0.02, -0.02]))
    1.0
    """
    d = _as_differences(differences)
    if not np.isfinite(d).all():
        return float("nan")
    threshold = abs(float(d.sum())) - _TIE * float(np.abs(d).sum())
    if threshold <= 0:
        return 1.0
    if len(d) <= EXACT_SEEDS:
        return _count_patterns(d, threshold) / 2.0 ** len(d)
    if rng is None:
        raise ContractError(
            f"with more than {EXACT_SEEDS} seeds sign patterns are drawn, from a generator that "
            f"must be given; got {len(d)} seeds and none"
        )
    return (1 + _draw_patterns(d, threshold, rng)) / (1 + DRAWS)


def _count_patterns(d: Doubles, threshold: float) -> int:
    """How many of all sign patterns have an absolute sum of at least ``threshold`` > 0."""
    left, right = _signed_sums(d[: len(d) // 2]), np.sort(_signed_sums(d[len(d) // 2 :]))
    above = len(right) - np.searchsorted(right, threshold - left, side="left")
    below = np.searchsorted(right, -threshold - left, side="right")
    return int((above + below).sum())


def _signed_sums(d: Doubles) -> Doubles:
    """``(2^len(d),)`` the sums of all sign patterns."""
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _draw_patterns(d: Doubles, threshold: float, rng: np.random.Generator) -> int:
    """As ``_count_patterns``, of ``DRAWS`` random ones."""
    borders = [*range(0, DRAWS, 10_000), DRAWS]
    return sum(
        int((np.abs(rng.choice([-1.0, 1.0], size=(end - begin, len(d))) @ d) >= threshold).sum())
        for begin, end in pairwise(borders)
    )


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
    from scipy.stats import t

    statistic = abs(difference.estimate) / difference.standard_error
    return float(2 * t.sf(statistic, difference.degrees_of_freedom))


def smallest_p(seeds: int, comparisons: int = 1) -> float:
    """The least p-value that ``sign_flip`` can give, times Holm's factor of the first comparison.

    ``comparisons * 2 / 2^seeds``, at most 1. Where it is above the level, no result can be
    significant, and the comparison is underpowered by design.

    Args:
        seeds: At least 1.
        comparisons: Comparisons with so many seeds in the family, at least 1.

    >>> smallest_p(5)
    0.0625
    >>> smallest_p(8, comparisons=6)
    0.046875
    """
    if seeds < 1 or comparisons < 1:
        raise ContractError(
            f"seeds and comparisons must be at least 1, got {seeds} and {comparisons}"
        )
    single = 2.0 ** (1 - seeds) if seeds <= EXACT_SEEDS else 1 / (1 + DRAWS)
    return min(1.0, comparisons * single)


def holm(p_values: Doubles) -> Doubles:
    """Holm's adjusted p-values: below a level, the family-wise error is below it too.

    Step-down Bonferroni (Holm 1979), valid however the tests depend on each other; by statsmodels.

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
    defined = ~np.isnan(adjusted)
    if defined.any():
        from statsmodels.stats.multitest import multipletests

        adjusted[defined] = multipletests(adjusted[defined], method="holm")[1]
    return adjusted


def equivalence(differences: Doubles, margin: float) -> float:
    """P-value of the claim that the mean difference is within ``margin`` of 0.

    Two one-sided paired t tests, the larger of their p-values (Schuirmann 1987); by statsmodels. A
    difference that a test did not find is not shown to be absent; this shows it, for new seeds on
    the same test images.

    Args:
        differences: ``(S,)`` real.
        margin: Above 0; a mean difference that would not matter.

    Returns:
        A value in [0, 1]; NaN with fewer than ``EQUIVALENCE_SEEDS``, with a value that is not
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
    if len(d) < EQUIVALENCE_SEEDS or not np.isfinite(d).all() or np.ptp(d) <= ROUNDING:
        return float("nan")
    from statsmodels.stats.weightstats import DescrStatsW

    return float(DescrStatsW(d).ttost_mean(-margin, margin)[0])


def in_words(
    p_value: float, p_new_images: float, seeds: int, comparisons: int = 1, alpha: float = 0.05
) -> str:
    """What a comparison shows, in words that claim no more than it can.

    Args:
        p_value: ``holm``'s adjusted p-value of ``sign_flip``; NaN if it is not defined.
        p_new_images: ``holm``'s adjusted p-value of ``p_of_interval``; NaN if it is not defined.
        seeds: Seeds that both methods have.
        comparisons: Size of the family.
        alpha: Level.

    >>> in_words(0.1875, 0.001, seeds=5, comparisons=3)
    'underpowered: 5 seeds, at best p = .19 (3 comparisons, Holm)'
    >>> in_words(0.0234, 0.001, seeds=8, comparisons=3)
    'differ: p = .023 (8 seeds, 3 comparisons, Holm)'
    >>> in_words(0.0234, 0.2, seeds=8)
    'differ on these test images: p = .023 (8 seeds); not shown for other test images'
    >>> in_words(0.5, 0.6, seeds=8)
    'no difference shown: p = .50 (8 seeds)'
    """
    family = f"{comparisons} comparisons, Holm" if comparisons > 1 else ""
    if np.isnan(p_value):
        return "not defined"
    best = smallest_p(seeds, comparisons)
    # Beside comparisons with more seeds, Holm can ask less than the first step's factor.
    if p_value >= best > alpha:
        tail = f" ({family})" if family else ""
        return f"underpowered: {_seeds(seeds)}, at best {p_text(best)}{tail}"
    tail = ", ".join([_seeds(seeds), *([family] if family else [])])
    result = f"{p_text(p_value)} ({tail})"
    if p_value > alpha:
        return f"no difference shown: {result}"
    if p_new_images <= alpha:
        return f"differ: {result}"
    return f"differ on these test images: {result}; not shown for other test images"


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
