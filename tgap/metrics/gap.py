"""The trainability gap, from the AUROCs of the legs.

TSTR is trained on Synthetic images and tested on Real ones, and so on for TRTS, TRTR (Esteban et
al. 2017, arXiv 1706.02633; Shmelkov et al. 2018, arXiv 1807.09499). All arguments are AUROCs in
[0, 1]; NaN, an AUROC that is not defined, makes the result NaN.
"""

from tgap.errors import ContractError

CHANCE = 0.5
"""AUROC of scores that say nothing."""


def fter(tstr: float, trts: float) -> float:
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
    return tstr / trts if trts != 0 else float("nan")


def chance_corrected_fter(tstr: float, trts: float) -> float:
    """``(2 TSTR - 1) / (2 TRTS - 1)``: the ratio of what the legs have above chance.

    Unlike ``fter``, it is near 0 when the synthetic images train nothing. Negative if TSTR is
    below chance; NaN unless TRTS is above chance.

    Raises:
        ContractError: If a leg is outside [0, 1].

    >>> round(chance_corrected_fter(tstr=0.541, trts=0.575), 3)
    0.547
    >>> round(chance_corrected_fter(tstr=0.637, trts=0.957), 3)
    0.3
    """
    _check(tstr=tstr, trts=trts)
    return (2 * tstr - 1) / (2 * trts - 1) if trts > CHANCE else float("nan")


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


def t_gap(tstr: float, trts: float) -> float:
    """Trainability gap, ``TRTS - TSTR = easier_than_real + utility_lost``.

    Positive: the synthetic images are recognised better than they train.

    Raises:
        ContractError: If a leg is outside [0, 1].

    >>> round(t_gap(tstr=0.637, trts=0.957), 3)
    0.32
    """
    _check(tstr=tstr, trts=trts)
    return trts - tstr


def easier_than_real(trts: float, trtr: float) -> float:
    """``TRTS - TRTR``: positive if synthetic images are easier to recognise than real ones.

    Raises:
        ContractError: If a leg is outside [0, 1].
    """
    _check(trts=trts, trtr=trtr)
    return trts - trtr


def utility_lost(trtr: float, tstr: float) -> float:
    """``TRTR - TSTR``: what is lost by training on synthetic images instead of real ones.

    Raises:
        ContractError: If a leg is outside [0, 1].
    """
    _check(trtr=trtr, tstr=tstr)
    return trtr - tstr


def _check(**legs: float) -> None:
    for leg, value in legs.items():
        if value < 0 or value > 1:  # NaN passes
            raise ContractError(
                f"{leg} must be an AUROC between 0 and 1, got {value:g}; "
                "give a fraction, not a percentage"
            )
