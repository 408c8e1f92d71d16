"""``tgap status``: how a sweep stands, while it runs and afterwards."""

import shutil
import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from tgap.core.files import home_folder

if TYPE_CHECKING:
    from tgap.sweeps.standing import RunStanding, SweepStanding

WIDTH = 80
NAMED = 12
"""Runs of one state that are named; of others their number."""


@click.command
@click.argument("sweep", required=False, default="")
@click.option("--all", "every", is_flag=True, help="name every run, the finished ones too")
def status(sweep: str, every: bool) -> int:
    """Show what is running, and how the runs of a sweep stand.

    Done, running with progress and time left, failed with the reason, stopped, missing. The sweeps
    that are running or, if none is, the last one; or that whose key begins so (SWEEP).
    """
    from tgap.sweeps.standing import others_running, sweeps

    home = home_folder()
    found = sweeps(home, sweep)
    alone = [] if sweep else others_running(home, found)
    for one in found:
        _print_sweep(one, every)
    if alone:
        _line("running, in no sweep that is shown:")
        _print_runs("running", alone, every=True)
    if not found and not alone:
        _line(f"no sweep was begun and nothing is running in {home}; start one: tgap run ... -m")
    return 0


def _print_sweep(sweep: "SweepStanding", every: bool) -> None:
    from tgap.sweeps.forecast import duration_in_words
    from tgap.sweeps.standing import STATES

    begun = datetime.fromtimestamp(sweep.begun)
    state = "running" if sweep.running else "not running"
    _line(f"sweep {sweep.key[:8]} ({sweep.name}), begun {begun:%Y-%m-%d %H:%M}, {state}")
    counts = {state: len(sweep.of(state)) for state in STATES}
    several = f"{len(sweep.runs)} runs" if len(sweep.runs) != 1 else "1 run"
    told = [f"{count} {state}" for state, count in counts.items() if count]
    left = f"; about {duration_in_words(sweep.left)} left" if sweep.left is not None else ""
    _line(f"{several}: {', '.join(told)}{left}")
    for state in STATES:
        if every or state != "done":
            _print_runs(state, sweep.of(state), every)
    if not sweep.running and counts["done"] < len(sweep.runs):
        _line("to go on (what is done is reused):")
        print(f"  tgap run {sweep.words} -m")


def _print_runs(state: str, runs: Sequence["RunStanding"], every: bool) -> None:
    shown = runs if every else runs[:NAMED]
    for run in shown:
        _line(f"{state:8}{run.name}{_detail(run)}", indent=8)
    if len(shown) < len(runs):
        _line(f"{state:8}and {len(runs) - len(shown)} more: --all names them")


def _detail(run: "RunStanding") -> str:
    """What there is to say of a run beside its name."""
    from tgap.sweeps.forecast import duration_in_words

    if run.state == "running":
        words = [f"for {duration_in_words(run.seconds)}"]
        if run.beat is not None and run.beat.doing:
            words.append(f"{run.beat.doing} {run.beat.done}/{run.beat.total}")
        if run.left is not None:
            words.append(f"{duration_in_words(run.left)} of that left")
        return f": {', '.join(words)}"
    return f": {run.reason}" if run.reason else ""


def _line(text: str, indent: int = 2) -> None:
    """Print a text, at most as wide as the terminal."""
    width = max(min(shutil.get_terminal_size((WIDTH, 24)).columns, 120), WIDTH)
    shown = textwrap.wrap(text, width, subsequent_indent=" " * indent)
    print("\n".join(shown))
