"""A comparison for programs: as JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any

from tgap.analysis.comparison import Comparison
from tgap.analysis.contrasts import Contrast
from tgap.analysis.groups import RunGroup
from tgap.metrics.intervals import Interval
from tgap.report.differences import differences
from tgap.report.headings import label_at_size
from tgap.report.notes import notes_on

Json = dict[str, Any]


def as_json(comparison: Comparison) -> str:
    """All that a comparison found, in full precision; what is not known is ``null``.

    ``rows`` are the table's, with every metric that was averaged and the values of each seed;
    ``differences`` and ``over_sizes`` are weighted sums of rows, which they name by their position.
    ``notes`` and ``sentences`` are what the terminal shows below the table.
    """
    groups = comparison.groups
    places = {id(group): place for place, group in enumerate(groups)}
    found = {
        "compared_by": list(comparison.asked.of),
        "reference": comparison.asked.reference,
        "rows": [_row(group) | {"label": label_at_size(group, groups)} for group in groups],
        "differences": [_contrast(pair, places) for pair in comparison.pairs],
        "over_sizes": [_contrast(trend, places) for trend in comparison.over_sizes],
        "notes": notes_on(groups),
        "sentences": differences(comparison),
    }
    return json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _row(group: RunGroup) -> Json:
    return {
        "method": group.method,
        "method_key": group.method_key,
        "size": group.size,
        "is_control": group.is_control,
        "settings": dict(group.settings),
        "seeds": list(group.seeds),
        "missing_seeds": list(group.missing),
        "fter_means_something": group.fter_meaningful,
        "numbers": {
            name: _interval(value)
            | {"by_seed": {str(s): _known(v) for s, v in group.values(name).items()}}
            for name, value in group.numbers.items()
        },
    }


def _contrast(one: Contrast, places: Mapping[int, int]) -> Json:
    return {
        "metric": one.metric,
        "rows": [places[id(group)] for group in one.groups],
        "weights": list(one.weights),
        "seeds": list(one.seeds),
        "missing_seeds": list(one.missing),
        **_interval(one.difference),
        "p_value": _known(one.p_value),
        "comparisons": one.comparisons,
    }


def _interval(value: Interval) -> dict[str, Any]:
    return {"mean": _known(value.estimate), "lo": _known(value.lo), "hi": _known(value.hi)}


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
