"""How far a long piece of work is: a bar on a terminal, a log line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


Advance = Callable[[int], None]
"""Told how much is done so far."""


@contextmanager
def progress(description: str, total: int, interval: float = 10.0) -> Iterator[Advance]:
    """Show how far something is, on standard error.

    Args:
        description: What is being done, e.g. ``fine-tuning``.
        total: How much there is to do.
        interval: Seconds between two lines where there is no terminal.

    Yields:
        A function to call with the amount that is done so far.
    """
    if sys.stderr.isatty():
        with _bar(description, total) as advance:
            yield advance
    else:
        yield _lines(description, total, interval)


@contextmanager
def _bar(description: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)


def _lines(
    description: str, total: int, interval: float, clock: Callable[[], float] = time.monotonic
) -> Advance:
    start = last = clock()

    def advance(done: int) -> None:
        nonlocal last
        now = clock()
        if done <= 0 or (now - last < interval and done < total):
            return
        last = now
        seconds = now - start
        left = seconds / done * (total - done)
        log.info("%s %d/%d, %.0f s, %.0f s left", description, done, total, seconds, left)

    return advance
