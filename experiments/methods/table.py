"""Prints the tables of README.md from what the runs recorded.

Usage: ``python -m experiments.methods.table EXPERIMENT [...]``, with ``TGAP_HOME`` as for the
runs. Each oracle is compared with ``random_skip`` at its own rate: the nearest one among the
runs, by the share of images kept after the warm-up.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tgap.analysis.comparison import compare
from tgap.analysis.contrasts import Contrast
from tgap.analysis.groups import RunGroup, group_runs
from tgap.analysis.rows import RunRow
from tgap.core.files import home_folder
from tgap.metrics.significance import holm
from tgap.sweeps.history import recorded

COSTS = ("steps", "images_seen", "images_kept", "oracle_passes", "seconds")
RANDOM = "+random_skip"


def row_of(group: RunGroup, rows: Sequence[RunRow]) -> str:
    """A group's line of the table."""
    cells = [group.method, str(len(group.seeds))]
    for name in ("tstr/auroc", "trts/auroc", "fter"):
        number = group.numbers[name]
        ends = "" if np.isnan(number.lo) else f" {number.lo:.3f}-{number.hi:.3f}"
        cells.append(f"{number.estimate:.3f}{ends}".replace("0.", "."))
    for name in COSTS:
        values = [row.metrics[f"cost/{name}"] for row in rows if f"cost/{name}" in row.metrics]
        cells.append(f"{np.mean(values):,.0f}" if values else "-")
    return f"| {' | '.join(cells)} |"


def rate_of(rows: Sequence[RunRow]) -> float:
    """Share kept of what was judged."""
    return float(np.mean([row.metrics["cost/kept_rate"] for row in rows]))


def under(limit: str) -> Callable[[RunRow], RunRow | None]:
    """A run as one that ended by a limit: without an oracle's passes both limits are the same."""

    def seen(row: RunRow) -> RunRow | None:
        same = row.metrics.get("cost/oracle_passes", 0) == 0
        if not same and row.settings["budget.limit"] != limit:
            return None
        settings = dict(row.settings) | {"budget.limit": limit}
        return replace(row, settings=settings)

    return seen


def is_active(rows: Sequence[RunRow]) -> bool:
    """Whether anything was skipped, and not at random."""
    kept, seen = (rows[0].metrics.get(f"cost/images_{name}", 0) for name in ("kept", "seen"))
    return kept < seen and RANDOM not in rows[0].method


def compared(active: Sequence[RunRow], rival: Sequence[RunRow]) -> Contrast | None:
    """An oracle against random skipping."""
    pairs = compare([*rival, *active]).pairs
    return pairs[0] if pairs else None


def tables(experiments: Sequence[str]) -> None:
    """Print a table and the comparisons for each way to end fine-tuning."""
    rows = [row for name in experiments for row in recorded(home_folder(), name, {})[0]]
    for limit in ("steps", "work"):
        its = [row for row in map(under(limit), rows) if row is not None]
        print(f"\nFine-tuning ends by {limit}\n")
        print("| method | seeds | TSTR | TRTS | FTER | " + " | ".join(COSTS) + " |")
        print("| --- |" + " ---: |" * (4 + len(COSTS)))
        of_method: dict[str, list[RunRow]] = {}
        for row in its:
            of_method.setdefault(row.method_key, []).append(row)
        for runs in of_method.values():
            (group,) = group_runs(runs)
            print(row_of(group, runs))
        comparisons(list(of_method.values()))


def comparisons(methods: Sequence[Sequence[RunRow]]) -> None:
    """Print each oracle against random skipping at the nearest rate."""
    rivals = [runs for runs in methods if RANDOM in runs[0].method]
    found = []
    for runs in methods:
        if is_active(runs) and rivals:
            rival = min(rivals, key=lambda other: abs(rate_of(other) - rate_of(runs)))
            pair = compared(runs, rival)
            if pair is not None:
                found.append((pair, rate_of(runs), rate_of(rival)))
    adjusted = holm(np.array([pair.p_value for pair, _, _ in found], np.float64))
    print()
    for (pair, rate, at), p in zip(found, adjusted, strict=True):
        d = pair.difference
        print(
            f"- {pair.first.method} (kept {rate:.2f}) - {pair.second.method} (kept {at:.2f}): "
            f"TSTR {d.estimate:+.3f} ({d.lo:+.3f} to {d.hi:+.3f}); p = {p:.2f} (Holm, "
            f"{len(found)} comparisons, {len(pair.seeds)} seeds)"
        )


if __name__ == "__main__":
    tables(sys.argv[1:])
