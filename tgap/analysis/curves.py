"""A method's numbers over sizes, as MLflow draws them: a line per method, with its interval."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tgap.analysis.comparison import Comparison, own_settings
from tgap.analysis.groups import RunGroup
from tgap.metrics.intervals import Interval

DRAWN = {
    "tstr": "tstr/auroc",
    "trts": "trts/auroc",
    "trtr": "trtr/auroc",
    "fter": "fter",
    "t_gap": "t_gap",
    "copied": "memorization/copied_fraction",
    "coverage": "fidelity/coverage",
}
"""Metrics by their names in a curve."""
FOLDER = "by_size"
"""What the names of a curve's metrics begin with."""

Points = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class Curve:
    """A method at its sizes.

    Args:
        method: Its label, with the settings in which it differs from others of that label.
        points: By size ``by_size/<name>`` and the ends of its 95 % interval,
            ``by_size/<name>_lo`` and ``..._hi``, of ``DRAWN``; and ``by_size/seeds``. What is not
            defined is left out.
    """

    method: str
    points: Points


def curves_of(comparison: Comparison) -> list[Curve]:
    """The curves of a sweep's methods, in the table's order.

    A method that tunes nothing has the same numbers at all sizes, so it is a level line; at 0, if
    there is no size.

    Args:
        comparison: Of the sweep.
    """
    groups = comparison.groups
    sizes = sorted({group.size for group in groups if group.size is not None}) or [0]
    curves: dict[tuple[str, ...], tuple[str, dict[int, Mapping[str, float]]]] = {}
    for group in groups:
        settings = own_settings(group, groups)
        label = f"{group.method} ({', '.join(settings)})" if settings else group.method
        _, points = curves.setdefault((group.method_key, *settings), (label, {}))
        values = _values(group)
        points |= dict.fromkeys([group.size] if group.size is not None else sizes, values)
    return [Curve(label, points) for label, points in curves.values()]


def _values(group: RunGroup) -> Mapping[str, float]:
    values = {f"{FOLDER}/seeds": float(len(group.seeds))}
    for name, metric in DRAWN.items():
        if metric in group.numbers:
            values |= _ends(f"{FOLDER}/{name}", group.numbers[metric])
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _ends(name: str, number: Interval) -> dict[str, float]:
    return {name: number.estimate, f"{name}_lo": number.lo, f"{name}_hi": number.hi}
