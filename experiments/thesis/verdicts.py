"""A part of a claim, what its test shows, and what all parts of a claim show together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tgap.analysis.contrasts import Contrast
from tgap.metrics.intervals import Interval
from tgap.metrics.significance import FEWEST_SEEDS, LEVEL, holm, p_of_interval

SUPPORTED, CONTRADICTED, NOT_SHOWN = "supported", "contradicted", "not shown"
DIFFER = "differ"
"""Of a number that the claim says is 0."""


@dataclass(frozen=True)
class Part:
    """One test of a claim.

    Args:
        what: Is tested, in words.
        number: With its 95 % interval, of this part alone.
        seeds: Behind it.
        p_value: Of no effect, adjusted by Holm for all parts of the claim in its world by
            ``adjusted``; NaN where there is no test.
        sign: 1 if the claim says that the number is above 0, -1 if below, 0 if it is near 0.
    """

    what: str
    number: Interval
    seeds: int
    p_value: float
    sign: int = 1

    @property
    def verdict(self) -> str:
        """Shown in the claim's direction, in the other one, or not shown."""
        if not self.p_value <= LEVEL:
            return NOT_SHOWN
        if self.sign == 0:
            return DIFFER
        return SUPPORTED if self.sign * self.number.estimate > 0 else CONTRADICTED

    @property
    def why_not(self) -> str:
        """Why there is no test; empty if there is one."""
        if self.seeds < FEWEST_SEEDS:
            return f"no test: {self.seeds} seeds, and it takes {FEWEST_SEEDS}"
        return "no test: no interval is justified" if math.isnan(self.p_value) else ""


def of_number(what: str, number: Interval, seeds: int, sign: int = 1) -> Part:
    """A mean over seeds against 0."""
    p_value = p_of_interval(number) if seeds >= FEWEST_SEEDS else math.nan
    return Part(what, number, seeds, p_value, sign)


def of_contrast(what: str, contrast: Contrast, sign: int = 1) -> Part:
    """A difference or trend of groups, before any correction."""
    return of_number(what, contrast.difference, len(contrast.seeds), sign)


def adjusted(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The same with p-values for all of them together (Holm)."""
    p_values = holm(np.array([part.p_value for part in parts], np.float64))
    return tuple(replace(part, p_value=float(p)) for part, p in zip(parts, p_values, strict=True))


def together(verdicts: Sequence[str]) -> str:
    """Of a claim that says all of its parts: one part against it contradicts it.

    >>> together(["supported", "not shown"])
    'not shown'
    >>> together(["supported", "contradicted"])
    'contradicted'
    """
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    return SUPPORTED if verdicts and set(verdicts) == {SUPPORTED} else NOT_SHOWN
