"""A comparison as a table of pandas, for notebooks and further computing."""

from typing import TYPE_CHECKING, Any

from tgap.analysis.comparison import Comparison
from tgap.analysis.groups import RunGroup, varied
from tgap.metrics.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd


def frame(comparison: Comparison) -> "pd.DataFrame":
    """A row per method, size and settings, in the table's order.

    Columns: ``method``, ``size`` (missing where nothing is tuned), each setting that varies,
    ``seeds`` and ``seeds_missing`` (their numbers), and for each metric, e.g. ``tstr/auroc``, its
    mean under its own name and the ends of its 95 % interval under ``<name>/lo`` and ``<name>/hi``
    (NaN where there is none).

    Args:
        comparison: Of runs.
    """
    import pandas as pd

    names = varied(comparison.groups)
    rows = [_row(group, names) for group in comparison.groups]
    made = pd.DataFrame(rows, columns=None if rows else ["method", "size", "seeds"])
    if "size" in made:
        made["size"] = made["size"].astype("Int64")
    return made


def _row(group: RunGroup, settings: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"method": group.method, "size": group.size}
    row |= {name: group.settings.get(name) for name in settings}
    row |= {"seeds": len(group.seeds), "seeds_missing": len(group.missing)}
    for name, number in group.numbers.items():
        row |= _ends(name, number)
    return row


def _ends(name: str, number: Interval) -> dict[str, float]:
    return {name: number.estimate, f"{name}/lo": number.lo, f"{name}/hi": number.hi}
