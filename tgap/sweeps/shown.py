"""Which of a run's numbers MLflow's pages show: few enough to look through; the rest in a table."""

import fnmatch
import json
from collections.abc import Mapping, Sequence

from tgap.pipeline.result import Result

AT_MOST = 40
"""Metrics of a run in MLflow."""
COSTS = ("cost/seconds",)
SIDES = ("images/pool", "images/real_test", "images/excluded")
LOSSES = ("finetune/loss", "finetune/kept_rate")
STAGES = 7
TABLE = "tables/metrics.json"
"""All of a run's numbers, in the form that MLflow's pages show as a table."""


def shown(result: Result) -> list[str]:
    """Names of the metrics that evaluators want to be seen, the important ones first.

    An evaluator names them (``Evaluator.shown``); of one that names none, all are shown while
    there is room.

    Args:
        result: Of a run that ended.
    """
    room = AT_MOST - len(COSTS) - len(SIDES) - len(LOSSES) - STAGES
    named, rest = [], list[str]()
    for name, names in result.metric_names().items():
        patterns = result.run.evaluators[name].shown
        if patterns is None:
            rest += sorted(names)
        else:
            named += _matching(patterns, names)
    own = rest[: max(room - len(named), 0)]
    return [*named[:room], *own, *COSTS]


def _matching(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names in the order of the patterns, which may stand behind an evaluator's own name."""
    found = [
        name
        for pattern in patterns
        for name in names
        if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"*/{pattern}")
    ]
    return list(dict.fromkeys(found))


def as_table(metrics: Mapping[str, float]) -> str:
    """Numbers as a table of MLflow's: ``{"columns": ["metric", "value"], "data": [...]}``."""
    rows = [[name, value if value == value else "NaN"] for name, value in sorted(metrics.items())]
    return json.dumps({"columns": ["metric", "value"], "data": rows})
