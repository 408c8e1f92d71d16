"""The trainability gap, from the AUROCs of the four evaluations.

TSTR is trained on Synthetic images and tested on Real ones, and so on for TRTS, TRTR (Esteban et
al. 2017, arXiv 1706.02633; Shmelkov et al. 2018, arXiv 1807.09499).
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import numpy as np

from tgap.core import ContractError, Doubles

Value = TypeVar("Value", float, Doubles)

CHANCE = 0.5
"""AUROC of scores that say nothing."""

FAR = 0.15
"""AUROC above chance that one of two evaluations must have: of two below .65, FTER is within a
quarter of 1 however bad the images are."""


def gaps(legs: Mapping[str, Value]) -> dict[str, Value]:
    """Ratios and gaps by MLflow name.

    - ``fter`` = TSTR / TRTS, the fine-tune efficiency ratio (Zhang 2024, section 3.2.2). It never
      stands alone: it tends to 1 as both AUROCs tend to chance, so it ranks a generator that learnt
      nothing first (see ``fter_is_meaningful``).
    - ``fter/chance_corrected`` = (2 TSTR - 1) / (2 TRTS - 1), the ratio of what the AUROCs have
      above chance: near 0 where the synthetic images train nothing. NaN unless both are
      above chance.
    - ``utility_ratio`` = TSTR / TRTR: how much of what real images teach the synthetic ones teach
      too; the usual ratio of the literature on synthetic data.
    - ``t_gap`` = TRTS - TSTR, the sum of the next two. Positive: the synthetic images are
      recognised better than they train.
    - ``t_gap/easier_than_reality`` = TRTS - TRTR: positive if synthetic images are easier to
      recognise than real ones.
    - ``t_gap/utility_lost`` = TRTR - TSTR: what is lost by training on synthetic images instead of
      real ones.

    Args:
        legs: AUROCs of ``tstr``, ``trts`` and ``trtr`` in [0, 1], numbers or arrays of equal shape.

    Returns:
        Numbers, or arrays of that shape. An AUROC that is NaN, not defined, makes what it enters
        NaN; so does a denominator of 0.

    Raises:
        ContractError: If an AUROC is outside [0, 1].

    >>> for name, value in gaps({"tstr": 0.637, "trts": 0.957, "trtr": 0.989}).items():
    ...     print(f"{name} {value:.3f}")
    fter 0.666
    fter/chance_corrected 0.300
    utility_ratio 0.644
    t_gap 0.320
    t_gap/easier_than_reality -0.032
    t_gap/utility_lost 0.352
    """
    tstr, trts, trtr = (_checked(leg, legs[leg]) for leg in ("tstr", "trts", "trtr"))
    return {
        "fter": _ratio(tstr, trts),
        "fter/chance_corrected": _ratio(_above(tstr), _above(trts)),
        "utility_ratio": _ratio(tstr, trtr),
        "t_gap": trts - tstr,
        "t_gap/easier_than_reality": trts - trtr,
        "t_gap/utility_lost": trtr - tstr,
    }


def fter_is_meaningful(
    tstr: float, trts: float, margin: float = 0.05, least: Sequence[float] = ()
) -> bool:
    """Whether both AUROCs are told from chance, and one lies well above it; False if one is NaN.

    Each must be more than ``margin`` above chance (at chance, the standard error of an AUROC is
    .026 with 250 images per label, so the default is two of them there), its interval too must lie
    above chance, and one of them must be more than ``FAR`` above it.

    Args:
        tstr: AUROC.
        trts: AUROC.
        margin: Above chance.
        least: Lower ends of their intervals; NaN says nothing.

    Raises:
        ContractError: If an AUROC is outside [0, 1].

    >>> fter_is_meaningful(tstr=0.541, trts=0.575)
    False
    >>> fter_is_meaningful(tstr=0.637, trts=0.957)
    True
    >>> fter_is_meaningful(tstr=0.63, trts=0.62)
    False
    """
    low, high = sorted([_checked("tstr", tstr), _checked("trts", trts)])
    if any(end <= CHANCE for end in least):
        return False
    return low > CHANCE + margin and high > CHANCE + FAR


def _above(auroc: Value) -> Value:
    """``2 AUROC - 1``, what an AUROC has above chance; NaN if that is nothing."""
    above = np.where(np.greater(auroc, CHANCE), 2 * auroc - 1, np.nan)
    return cast("Value", above if above.ndim else float(above))


def _ratio(top: Value, bottom: Value) -> Value:
    """``top / bottom`` where that is positive, else NaN."""
    with np.errstate(all="ignore"):
        ratio = np.where(np.greater(bottom, 0), np.divide(top, bottom), np.nan)
    return cast("Value", ratio if ratio.ndim else float(ratio))


def _checked(leg: str, auroc: Value) -> Value:
    wrong = np.less(auroc, 0) | np.greater(auroc, 1)  # NaN passes
    if wrong.any():
        raise ContractError(
            f"{leg} must be an AUROC between 0 and 1, got {np.asarray(auroc)[wrong].flat[0]:g};"
            " give a fraction, not a percentage"
        )
    return auroc
