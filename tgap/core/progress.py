"""How far a long piece of work is: a bar on a terminal, a log line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""

Advance = Callable[[int], None]
"""Told how much is done so far."""


@contextmanager
def progress(description: str, total: int) -> Iterator[Advance]:
    """Show how far something is, on standard error.

    Args:
        description: What is being done, e.g. ``fine-tuning``.
        total: How much there is to do.

    Yields:
        A function to call with the amount that is done so far.
    """
    if not sys.stderr.isatty():  # where rich would write nothing before the end
        yield _lines(description, total)
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = Progress.get_default_columns()  # the last one is the time left
    more = ("left,", MofNCompleteColumn(), "after", TimeElapsedColumn())
    with Progress(*columns, *more, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)


def _lines(description: str, total: int) -> Advance:
    start = last = time.monotonic()

    def advance(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done > 0 and (now - last >= INTERVAL or done >= total):
            last = now
            left = (now - start) / done * (total - done)
            log.info("%s %d/%d, %.0f s, %.0f s left", description, done, total, now - start, left)

    return advance
