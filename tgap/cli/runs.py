"""``tgap runs``: the runs that were recorded, newest first."""

import io
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from tgap.core.files import home_folder

if TYPE_CHECKING:
    from tgap.sweeps.records import Record

KEY = 8
"""Letters of a run's key that are shown."""
WIDTH = 100
"""Columns of the table where there is no terminal."""


@click.command
@click.argument("chosen", nargs=-1, type=click.UNPROCESSED, metavar="[name=value,... ...]")
@click.option("--experiment", metavar="NAME", help="of this MLflow experiment only")
@click.option("--last", type=click.IntRange(min=0), default=30, help="so many; 0 = all")
def runs(chosen: tuple[str, ...], experiment: str | None, last: int) -> int:
    """Print the runs that were recorded, newest first.

    They are chosen by their parameters in MLflow (size=100,500 dataset=digits), as for tgap
    compare. The first letters of a run's key name it: tgap export KEY --out DIR.
    """
    from tgap.sweeps.history import check_choice, is_chosen, parameters_of
    from tgap.sweeps.records import records

    values = parameters_of(chosen)
    found = records(home_folder(), experiment)
    check_choice(values, [one.params for one in found], experiment or "")
    # Of a run of several sweeps the last record.
    newest = {one.key: one for one in found if is_chosen(one.params, values)}
    several = sorted(newest.values(), key=lambda one: one.started, reverse=True)
    shown = several[:last] if last else several
    _print(shown)
    if len(shown) < len(several):
        print(f"and {len(several) - len(shown)} older ones: --last 0 shows all")
    return 0


def _print(found: Sequence["Record"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "method"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "run")
    for heading in ("size", "seed", "TSTR", "FTER"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("begun", "status"):
        table.add_column(heading, no_wrap=True)
    for record in found:
        table.add_row(*_cells(record))
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        console.print(table)
        return
    file = io.StringIO()
    Console(file=file, width=WIDTH, no_color=True, highlight=False, markup=False).print(table)
    for line in file.getvalue().splitlines():
        print(line.rstrip())


def _cells(record: "Record") -> list[str]:
    row, params = record.row, record.params
    size = row.size if row is not None else params.get("size")
    begun = datetime.fromtimestamp(record.started / 1000)
    return [
        record.key[:KEY],
        params.get("method", record.name),
        "-" if size is None else str(size),
        params.get("seed", "-"),
        _number(record.metrics, "tstr/auroc"),
        _number(record.metrics, "fter")
        + ("*" if record.metrics.get("fter/meaningful") == 0 else ""),
        f"{begun:%Y-%m-%d %H:%M}",
        record.status,
    ]


def _number(metrics: Mapping[str, float], name: str) -> str:
    value = metrics.get(name, math.nan)
    return "-" if math.isnan(value) else f"{value:.3f}".removeprefix("0")
