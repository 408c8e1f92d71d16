"""The trainability gap, from the AUROCs of the legs.

TSTR is trained on Synthetic images and tested on Real ones, and so on for TRTS, TRTR (Esteban et
al. 2017, arXiv 1706.02633; Shmelkov et al. 2018, arXiv 1807.09499). All arguments are AUROCs in
[0, 1], numbers or arrays of equal shape; NaN, an AUROC that is not defined, makes the result NaN.
"""

from collections.abc import Mapping
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tgap.core.errors import ContractError

Value = TypeVar("Value", float, NDArray[np.float64])

CHANCE = 0.5
"""AUROC of scores that say nothing."""


def fter(tstr: Value, trts: Value) -> Value:
    """Fine-tune efficiency ratio, ``TSTR / TRTS`` (Zhang 2024, section 3.2.2).

    It never stands alone: it tends to 1 as both legs tend to chance, so it ranks a generator that
    learnt nothing first (see ``fter_is_meaningful``). NaN if TRTS is 0.

    Raises:
        ContractError: If a leg is outside [0, 1].

    >>> round(fter(tstr=0.541, trts=0.575), 3)
    0.941
    >>> round(fter(tstr=0.637, trts=0.957), 3)
    0.666
    """
    _check(tstr=tstr, trts=trts)
    return _ratio(tstr, trts)


def chance_corrected_fter(tstr: Value, trts: Value) -> Value:
    """``(2 TSTR - 1) / (2 TRTS - 1)``: the ratio of what the legs have above chance.

    Unlike ``fter``, it is near 0 when the synthetic images train nothing. NaN unless both legs
    are above chance.

    Raises:
        ContractError: If a leg is outside [0, 1].

    >>> round(chance_corrected_fter(tstr=0.541, trts=0.575), 3)
    0.547
    >>> round(chance_corrected_fter(tstr=0.637, trts=0.957), 3)
    0.3
    """
    _check(tstr=tstr, trts=trts)
    return _ratio(_above(tstr), _above(trts))


def fter_is_meaningful(tstr: float, trts: float, margin: float = 0.05) -> bool:
    """Whether both legs are more than ``margin`` above chance; False if one is NaN.

    A rule of thumb for one run: at chance, the standard error of an AUROC is .026 with 250 images
    per label, so the default is two of them there. Intervals over seeds are the better judge.

    Raises:
        ContractError: If a leg is outside [0, 1].

    >>> fter_is_meaningful(tstr=0.541, trts=0.575)
    False
    >>> fter_is_meaningful(tstr=0.637, trts=0.957)
    True
    """
    _check(tstr=tstr, trts=trts)
    return tstr > CHANCE + margin and trts > CHANCE + margin


def utility_ratio(tstr: Value, trtr: Value) -> Value:
    """``TSTR / TRTR``: how much of what real images teach the synthetic ones teach too.

    The usual ratio of the literature on synthetic data. NaN if TRTR is 0.

    Raises:
        ContractError: If a leg is outside [0, 1].
    """
    _check(tstr=tstr, trtr=trtr)
    return _ratio(tstr, trtr)


def t_gap(tstr: Value, trts: Value) -> Value:
    """Trainability gap, ``TRTS - TSTR = easier_than_reality + utility_lost``.

    Positive: the synthetic images are recognised better than they train.

    Raises:
        ContractError: If a leg is outside [0, 1].

    >>> round(t_gap(tstr=0.637, trts=0.957), 3)
    0.32
    """
    _check(tstr=tstr, trts=trts)
    return trts - tstr


def easier_than_reality(trts: Value, trtr: Value) -> Value:
    """``TRTS - TRTR``: positive if synthetic images are easier to recognise than real ones.

    Raises:
        ContractError: If a leg is outside [0, 1].
    """
    _check(trts=trts, trtr=trtr)
    return trts - trtr


def utility_lost(trtr: Value, tstr: Value) -> Value:
    """``TRTR - TSTR``: what is lost by training on synthetic images instead of real ones.

    Raises:
        ContractError: If a leg is outside [0, 1].
    """
    _check(trtr=trtr, tstr=tstr)
    return trtr - tstr


def gaps(legs: Mapping[str, Value]) -> dict[str, Value]:
    """Ratios and gaps by MLflow name.

    Args:
        legs: AUROCs of ``tstr``, ``trts`` and ``trtr``.

    Raises:
        ContractError: If a leg is outside [0, 1].
    """
    tstr, trts, trtr = (legs[leg] for leg in ("tstr", "trts", "trtr"))
    return {
        "fter": fter(tstr, trts),
        "fter/chance_corrected": chance_corrected_fter(tstr, trts),
        "utility_ratio": utility_ratio(tstr, trtr),
        "t_gap": t_gap(tstr, trts),
        "t_gap/easier_than_reality": easier_than_reality(trts, trtr),
        "t_gap/utility_lost": utility_lost(trtr, tstr),
    }


def _above(auroc: Value) -> Value:
    """``2 AUROC - 1``, what an AUROC has above chance; NaN if that is nothing."""
    above = np.where(np.greater(auroc, CHANCE), 2 * auroc - 1, np.nan)
    return cast("Value", above if above.ndim else float(above))


def _ratio(top: Value, bottom: Value) -> Value:
    """``top / bottom`` where that is positive, else NaN."""
    with np.errstate(all="ignore"):
        found = np.where(np.greater(bottom, 0), np.divide(top, bottom), np.nan)
    return cast("Value", found if found.ndim else float(found))


def _check(**legs: float | NDArray[np.float64]) -> None:
    for leg, value in legs.items():
        wrong = np.less(value, 0) | np.greater(value, 1)  # NaN passes
        if wrong.any():
            raise ContractError(
                f"{leg} must be an AUROC between 0 and 1, got {np.asarray(value)[wrong].flat[0]:g};"
                " give a fraction, not a percentage"
            )
