"""Groups of images by columns of the dataset's table: sex, age band, view, site."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Doubles, option
from tgap.core.bands import bands
from tgap.evaluators.base import Evaluator
from tgap.metrics.naming import metric_names

MOST = 12
"""Categories of a text column that are groups; a column of more is none of groups."""

Metadata = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Group:
    """Some test images, and the others of whom the same is known.

    Args:
        column: Of the table.
        value: In it.
        rows: ``(N,)`` bool, of the real test set.
        others: ``(N,)`` bool.
        drawn: ``(M,)`` bool, the synthetic images that were asked to show it; ``None`` where none
            were asked for by this column.
    """

    column: str
    value: str
    rows: Bools
    others: Bools
    drawn: Bools | None = None


@dataclass(kw_only=True)
class ByGroups(Evaluator):
    """An evaluator that looks at groups.

    Args:
        columns: Columns that are looked at, as far as the dataset has them.
        bands: Ascending borders of a column of numbers, of which each belongs to the band above;
            others are cut at their quartiles.
    """

    columns: list[str] = option(["sex", "age", "view", "site"], "metadata columns, if there")
    bands: dict[str, list[float]] = field(
        default_factory=lambda: {"age": [20.0, 40.0, 60.0, 80.0]},
        metadata={"help": "borders of columns of numbers, others are cut at quartiles"},
    )

    def problems(self) -> list[str]:
        """Borders that do not rise, or columns that have the name of something else."""
        taken = [name for name in self.columns if name in ("label", "finding")]
        return [
            f"columns must not be {name}, which each label and finding is looked at by anyway"
            for name in taken
        ] + [
            f"bands.{name} must be rising numbers, got {borders}"
            for name, borders in self.bands.items()
            if not borders or sorted(set(borders)) != list(borders)
        ]


def groups_of(
    real: Metadata,
    columns: Sequence[str],
    borders: Mapping[str, Sequence[float]],
    synthetic: Metadata | None = None,
) -> Iterator[Group]:
    """The groups of some columns, as far as the table has them.

    Args:
        real: Columns of the real test set.
        columns: Those that are looked at.
        borders: Ascending, of columns of numbers; others are cut at the real images' quartiles.
        synthetic: What synthetic images were asked to show.
    """
    for name in columns:
        if name not in real:
            continue
        parts = _parts(real[name], borders.get(name) or _quartiles(real[name]))
        if not 2 <= len(parts) <= MOST:
            continue
        known = np.logical_or.reduce(list(parts.values()))
        drawn = None
        if synthetic is not None and name in synthetic:
            drawn = _parts(synthetic[name], borders.get(name) or _quartiles(real[name]))
        for value, rows in parts.items():
            own = None if drawn is None else drawn.get(value)
            yield Group(name, value, rows, known & ~rows, own)


def _parts(column: NDArray[Any], borders: Sequence[float]) -> dict[str, Bools]:
    if column.dtype.kind == "U":
        return {value: column == value for value in np.unique(column).tolist() if value.strip()}
    return bands(column, borders)


def _quartiles(column: NDArray[Any]) -> list[float]:
    if column.dtype.kind == "U":
        return []
    known: Doubles = column[np.isfinite(column)]
    return np.unique(np.quantile(known, [0.25, 0.5, 0.75])).tolist() if len(known) else []


def group_names(groups: Sequence[Group]) -> list[str]:
    """``sex/F``: parts of metrics' names."""
    columns, values = (
        dict(zip(names, metric_names(names), strict=True))
        for names in (
            list(dict.fromkeys(group.column for group in groups)),
            list(dict.fromkeys(group.value for group in groups)),
        )
    )
    return [f"{columns[group.column]}/{values[group.value]}" for group in groups]
