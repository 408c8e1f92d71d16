"""Prints the thesis's rows of an experiment in Markdown, from the one table that has them.

Usage: ``python -m experiments.thesis.table METHOD [...]``; the READMEs have what it prints.
"""

import sys
from collections.abc import Sequence

from tgap.analysis.published import TITLES, Published, thesis
from tgap.core import ConfigError, nearest

UNITS = {"total": "in total", "label": "per label", "not_said": "(unit not said)"}
COLUMNS = {
    "TSTR accuracy": "tstr/accuracy",
    "TSTR AUROC": "tstr/auroc",
    "TRTS accuracy": "trts/accuracy",
    "TRTS AUROC": "trts/auroc",
    "FTER": "fter",
}
PER_LABEL = ("_unhealthy", "_no_finding")


def thesis_table(methods: Sequence[str]) -> str:
    """A row per method and size: overall, and in brackets of unhealthy and of no finding.

    Args:
        methods: Of ``TITLES``.

    Raises:
        ConfigError: If one is none.
    """
    if wrong := [name for name in methods if name not in TITLES]:
        raise ConfigError(*(f"unknown method '{name}'{nearest(name, [*TITLES])}" for name in wrong))
    rows: dict[tuple[str, int, str], dict[str, Published]] = {}
    for one in thesis():
        if one.method in methods:
            rows.setdefault((one.method, one.size, one.unit), {})[one.metric] = one
    lines = [f"| method | size | {' | '.join(COLUMNS)} |", "|---|---|" + "---|" * len(COLUMNS)]
    for (method, size, unit), numbers in rows.items():
        cells = [_cell(numbers, metric) for metric in COLUMNS.values()]
        lines.append(f"| {TITLES[method]} | {size:,} {UNITS[unit]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(numbers: dict[str, Published], metric: str) -> str:
    if metric not in numbers:
        return "-"
    of_labels = [numbers[metric + of] for of in PER_LABEL if metric + of in numbers]
    more = f" ({' / '.join(_text(one) for one in of_labels)})" if of_labels else ""
    return _text(numbers[metric]) + more


def _text(one: Published) -> str:
    """``.541``; four digits where the thesis has four."""
    text = f"{one.value:.4f}"
    return (text[:-1] if text.endswith("0") else text).removeprefix("0")


if __name__ == "__main__":
    print(thesis_table(sys.argv[1:]), end="")
