"""``tgap plan``: what a sweep will make and reuse, and what that takes, before it starts."""

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tgap.cli.overrides import multirun_flag, takes_overrides
from tgap.cli.terminal import log_to_terminal
from tgap.core import ConfigError

if TYPE_CHECKING:
    from tgap.composition.config import Run
    from tgap.sweeps.planning import PlanRow, SweepPlan

WIDTH = 80
GB = 1e9
NUMBER = click.IntRange(min=1, max=10_000)
HEADINGS = ("artifact", "make", "shared", "stored", "each", "in all", "GB", "time")


@click.command
@takes_overrides
@multirun_flag
@click.option("--workers", type=NUMBER, help="runs at a time; else what hydra/launcher= does")
@click.option("--gpus", type=NUMBER, help="the same in GPUs, of which a run takes devices=")
@click.option("--on", metavar="GPU", help="h200, h100 or a100, in place of this machine")
@click.option("--json", "as_json", is_flag=True, help="print JSON, in seconds and bytes")
def plan(
    overrides: tuple[str, ...],
    config_dir: str | None,
    multirun: bool,
    workers: int | None,
    gpus: int | None,
    on: str | None,
    as_json: bool,
) -> int:
    """Tell what tgap run will make and reuse, hours and gigabytes.

    The same words as for tgap run. All runs are checked, and images are decoded once; nothing else
    is computed. Each time says whether it was measured by earlier runs here, is a packaged rate of
    another machine, or follows from counted operations.
    """
    from tgap.sweeps.checking import checked
    from tgap.sweeps.planning import sweep_plan
    from tgap.sweeps.rates import check_gpu

    def at_once(runs: Sequence["Run"]) -> int | None:
        return _workers(workers, gpus, max((run.devices for run in runs), default=1))

    log_to_terminal(False)
    check_gpu(on)  # what needs no data is told before they are read
    at_once([])
    with checked(
        overrides, sweep=multirun, config_dir=config_dir, gpu=on, require=at_once
    ) as those:
        at_a_time = at_once([job.run for job in those.runs])
        planned = sweep_plan(those.expected, at_a_time or those.workers)
        if as_json:
            print(json.dumps(planned.as_json(), indent=1))
        else:
            _print(str(those), planned, on)
    return 0


def _workers(workers: int | None, gpus: int | None, devices: int) -> int | None:
    """How many runs at a time were asked for, if it was said.

    Args:
        workers: That many.
        gpus: As many as these have room for.
        devices: GPUs that a run takes.
    """
    if gpus is None:
        return workers
    if workers is not None:
        raise ConfigError("--workers and --gpus both say how many runs at a time; leave one out")
    if gpus < devices:
        raise ConfigError(
            f"--gpus must be at least devices={devices}, which a run takes, got {gpus}"
        )
    return gpus // devices


def _print(what: str, planned: "SweepPlan", on: str | None) -> None:
    print(f"{what}: {planned.expected.in_words()}\n")
    lines = [HEADINGS, *(_cells(row) for row in planned.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADINGS))]
    for name, *numbers, source in lines:
        cells = [name.ljust(widths[0])]
        cells += [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
        print("  ".join([*cells, source]).rstrip())
    print()
    for text in (*_together(planned), *_legend(planned, on)):
        print("\n".join(textwrap.wrap(text, WIDTH, subsequent_indent="  ")))


def _cells(row: "PlanRow") -> tuple[str, ...]:
    from tgap.sweeps.forecast import duration_in_words

    known = row.each is not None
    return (
        row.stage,
        *(str(count) if count else "-" for count in (row.make, row.shared, row.stored)),
        duration_in_words(row.each) if row.each is not None else "-",
        duration_in_words(row.seconds) if known else "-",
        f"{row.size / GB:.2g}" if row.size else "-",
        ", ".join(row.sources),
    )


def _together(planned: "SweepPlan") -> list[str]:
    """How long so many workers take."""
    from tgap.sweeps.forecast import duration_in_words

    schedule, expected = planned.schedule, planned.expected
    if not any(expected.seconds):
        return []
    if schedule.workers == 1:
        return [f"One run after another: {duration_in_words(schedule.seconds)}."]
    waiting = schedule.waiting / (schedule.seconds * schedule.workers)
    return [
        f"{schedule.workers} runs at a time: {duration_in_words(schedule.seconds)}, if each is as "
        f"fast as one alone; workers are idle for {schedule.idle:.0%} of that, {waiting:.0%} "
        "waiting for what another one makes."
    ]


def _legend(planned: "SweepPlan", on: str | None) -> list[str]:
    """What the words of the last column mean."""
    from tgap.sweeps.planning import UNKNOWN
    from tgap.sweeps.rates import COUNTED, DEVICES, MEASURED, PACKAGED

    fetched = [f"{row.stage} {row.fetched}" for row in planned.rows if row.fetched]
    lines = [f"fetched from the second level: {', '.join(fetched)}."] if fetched else []
    if any(DEVICES in one.work.kind for one in planned.expected.making):
        lines.append("devices: GPUs that share work are taken to divide its time evenly.")
    used = {source for row in planned.rows for source in row.sources}
    meanings = {
        MEASURED: "by earlier runs, recorded in this TGAP_HOME",
        PACKAGED: "a packaged rate of two cores (AMD EPYC) with nothing beside",
        COUNTED: "operations, and how many a second "
        + (f"published code reaches on one {on}" if on else "this kind of processor reaches")
        + "; code that is not compiled takes perhaps twice as long",
        UNKNOWN: "not in the times above; the first run that makes it measures it",
    }
    return lines + [f"{word}: {text}." for word, text in meanings.items() if word in used]
