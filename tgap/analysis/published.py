"""The numbers that the thesis reports, read from one table in the package."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tgap.core import DataError, nearest

TABLE = Path(__file__).parents[1] / "assets" / "thesis.csv"
"""Zhang 2024, tables 4.1 to 4.13: a line per number, shares as fractions, without intervals."""

COLUMNS = ("tables", "method", "size", "unit", "metric", "value", "note")

TITLES: Mapping[str, str] = {
    "no_fine_tune": "untuned",
    "random": "random",
    "pixel_spectral": "pixel",
    "clip_spectral": "CLIP",
    "textbook": "textbook",
    "active": "active",
}
"""Its methods, and what a figure calls them."""

UNITS = ("total", "label", "not_said")

_OF_A_LABEL = ("", "_unhealthy", "_no_finding")
METRICS = (
    *(f"{leg}/auroc{of}" for leg in ("tstr", "trts") for of in _OF_A_LABEL),
    *(f"tstr/accuracy{of}" for of in _OF_A_LABEL),
    "trts/accuracy",
    "fter",
)
"""What it reports, by tgap's names."""


@dataclass(frozen=True)
class Published:
    """A number of the thesis; it gives no spread and no interval of any.

    Args:
        tables: Of the thesis that have it.
        method: Of ``TITLES``.
        size: Tuning images.
        unit: What ``size`` counts, of ``UNITS``.
        metric: Of ``METRICS``.
        value: Between 0 and 1; FTER may be above.
        note: What must be known of it; empty if nothing.
    """

    tables: str
    method: str
    size: int
    unit: str
    metric: str
    value: float
    note: str = ""


@cache
def thesis() -> tuple[Published, ...]:
    """All numbers of ``TABLE``, in its order."""
    return read_published(TABLE.read_text("utf-8"), TABLE.name)


def read_published(text: str, name: str) -> tuple[Published, ...]:
    """Numbers from a table like ``TABLE``.

    Args:
        text: CSV with the columns ``COLUMNS``.
        name: Of the file, for messages.

    Raises:
        DataError: If a column is missing or unknown, there is no line, a method, unit, metric or
            number is none, or a number stands there twice.
    """
    lines = csv.DictReader(io.StringIO(text), strict=True)
    columns = list(lines.fieldnames or ())
    if columns != list(COLUMNS):
        missing = [column for column in COLUMNS if column not in columns]
        lacks = f"lacks {', '.join(missing)}" if missing else "has others, or in another order"
        raise DataError(
            f"{name}: the columns must be {', '.join(COLUMNS)}, got {', '.join(columns) or 'none'}"
            f" ({lacks})"
        )
    found: dict[tuple[str, int, str, str], Published] = {}
    for line in lines:
        one = _number(line, f"{name}, line {lines.line_num}")
        key = (one.method, one.size, one.unit, one.metric)
        if key in found:
            raise DataError(
                f"{name}, line {lines.line_num}: {one.metric} of {one.method} at {one.size} stands "
                "there before; leave one of the two out"
            )
        found[key] = one
    if not found:
        raise DataError(f"{name} has no line below its header")
    return tuple(found.values())


def _number(line: Mapping[str, str | None], where: str) -> Published:
    given = {column: line[column] for column in COLUMNS}
    texts = {column: text for column, text in given.items() if text is not None}
    if len(texts) < len(COLUMNS) or len(line) > len(COLUMNS):
        raise DataError(
            f"{where}: it must have {len(COLUMNS)} cells; a note with commas stands in quotes"
        )
    for column, allowed in (("method", [*TITLES]), ("unit", UNITS), ("metric", METRICS)):
        _require(column, texts[column], allowed, where)
    size, value = _as_number(texts["size"]), _as_number(texts["value"])
    if not (size >= 0 and size.is_integer()):
        raise DataError(f"{where}: size must be a whole number of images, got '{texts['size']}'")
    most = math.inf if texts["metric"] == "fter" else 1.0
    if not 0 <= value <= most or math.isinf(value):
        raise DataError(
            f"{where}: {texts['metric']} must be a number from 0{' to 1' if most == 1 else ''}, "
            f"got '{texts['value']}'; give a fraction, not a percentage"
        )
    return Published(
        texts["tables"],
        texts["method"],
        int(size),
        texts["unit"],
        texts["metric"],
        value,
        texts["note"],
    )


def _require(column: str, got: str, allowed: Sequence[str], where: str) -> None:
    if got not in allowed:
        raise DataError(f"{where}: unknown {column} '{got}'{nearest(got, allowed)}")


def _as_number(text: str) -> float:
    """A number; NaN, which no check passes, if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
