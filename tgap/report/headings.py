"""What columns, rows and numbers of a sweep's table are called, and how they are written."""

import math
import re
from collections.abc import Iterable, Sequence

from tgap.analysis.comparison import own_settings
from tgap.analysis.groups import RunGroup
from tgap.analysis.readings import COPIED
from tgap.metrics.intervals import Interval

COLUMNS = {
    "TSTR": "tstr/auroc",
    "TRTS": "trts/auroc",
    "TRTR": "trtr/auroc",
    "FTER": "fter",
    "T-Gap": "t_gap",
}
"""Metrics shown, by heading; others where a run has them (``columns_of``)."""
OPTIONAL = {"Copied": COPIED, "Coverage": "fidelity/coverage"}


def columns_of(groups: Sequence[RunGroup], asked: Sequence[str] = ()) -> dict[str, str]:
    """Metrics to show, by heading: ``COLUMNS``, test sets, ``OPTIONAL`` ones, and asked ones."""
    names = sorted({name for group in groups for name in group.numbers})
    matches = [re.fullmatch(r"external/(.+)/(tstr|trtr)/auroc", name) for name in names]
    external = {f"{m[2].upper()} {m[1]}": m[0] for m in matches if m is not None}
    shown = COLUMNS | external | {h: name for h, name in OPTIONAL.items() if name in names}
    return shown | {name: name for name in asked if name not in shown.values()}


def heading_of(name: str) -> str:
    """``TSTR`` for ``tstr/auroc``; a metric's own name where no column has another."""
    return next((heading for heading, of in COLUMNS.items() if of == name), name)


def label_of(group: RunGroup, groups: Sequence[RunGroup]) -> str:
    """A row's method, with the settings in which it differs from rows of that method."""
    settings = joined(own_settings(group, groups))
    return f"{group.method} ({settings})" if settings else group.method


def label_at_size(group: RunGroup, groups: Sequence[RunGroup]) -> str:
    """``random+dreambooth at 500``."""
    return label_of(group, groups) + (f" at {size_of(group)}" if group.size is not None else "")


def size_of(group: RunGroup) -> str:
    """``500``, ``500 in total``, or ``-`` where nothing is tuned."""
    if group.size is None:
        return "-"
    in_total = group.settings.get("size_unit") == "total"
    return f"{group.size} in total" if in_total else str(group.size)


def averages(group: RunGroup) -> str:
    """What a seed's numbers are, or ought to be, means over: ``folds``, ``splits`` or nothing."""
    if len(group.splits) + len(group.missing_splits) < 2:
        return ""
    return "splits" if group.shares else "folds"


def decimal(value: float, sign: str = "") -> str:
    """``.948``, ``-.012``, ``1.002``; with ``sign="+"`` also ``+.012``."""
    return re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}z.3f}")


def range_of(number: Interval, sign: str = "") -> str:
    """``.918-.947``; ``-.002 to .350`` with a sign."""
    ends = [decimal(end, sign) for end in (number.lo, number.hi)]
    return (" to " if sign or number.lo < 0 else "-").join(ends)


def told(number: Interval, sign: str = "") -> str:
    """``.948 (.918-.947)``, without an interval where there is none."""
    if math.isnan(number.estimate):
        return "not known"
    ends = "" if math.isnan(number.lo) else f" ({range_of(number, sign)})"
    return f"{decimal(number.estimate, sign)}{ends}"


def joined(values: Iterable[object]) -> str:
    """``0, 1, 2``."""
    return ", ".join(map(str, values))
