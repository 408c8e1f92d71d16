"""How far a long piece of work is: bars on a terminal or in a notebook, a line now and then else.

One display is shown at a time. What is begun inside something else (a stage inside a sweep) is a
further bar of the same display, and log lines stand above it.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

log = logging.getLogger(__name__)

INTERVAL = 10.0
"""Seconds between two lines where there is no terminal; what takes less has none."""

Advance = Callable[[int], None]
"""Told how much is done so far."""

_displays: list["Progress"] = []
"""The display that is shown, if one is."""

Relay = Callable[[str, int, bool, int], AbstractContextManager[Advance]]
"""Shows progress elsewhere: what ``progress`` is given, to what it yields."""
Watcher = Callable[[str, int, int], None]
"""Told what is being done, how much of it so far, and how much there is to do."""

_relays: list[Relay] = []
_watchers: list[Watcher] = []


@contextmanager
def relayed(relay: Relay) -> Iterator[None]:
    """Inside, progress is shown by ``relay`` and not by this process."""
    _relays.append(relay)
    try:
        yield
    finally:
        _relays.remove(relay)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Inside, a watcher is told of counted progress too, however often; it must be quick."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def progress(
    description: str, total: int, counted: bool = True, before: int = 0
) -> Iterator[Advance]:
    """Show how far something is, on standard error.

    Args:
        description: What is being done, e.g. ``fine-tuning``.
        total: How much there is to do.
        counted: Whether the numbers themselves mean something to people.
        before: How much was done before an interruption; what is less is not told again.

    Yields:
        A function to call with the amount that is done so far.
    """
    with (_relays[-1] if _relays else _shown)(description, total, counted, before) as show:

        def advance(done: int) -> None:
            show(done)
            for watcher in _watchers if counted else ():
                watcher(description, done, total)

        yield advance


@contextmanager
def _shown(description: str, total: int, counted: bool, before: int) -> Iterator[Advance]:
    if not _has_display():
        yield _lines(description, total, before) if counted else (lambda done: None)
        return
    with _display() as bars:
        count = f"{before}/{total}" if before and counted else ""
        task = bars.add_task(description, total=total, completed=before, count=count)

        def advance(done: int) -> None:
            if done <= before:
                return
            bars.update(task, completed=done, count=f"{done}/{total}" if counted else "")

        try:
            yield advance
        finally:
            bars.refresh()
            if len(bars.tasks) > 1:
                bars.remove_task(task)


def _has_display() -> bool:
    # A display stands in for standard error while it is shown, and is no terminal itself.
    return bool(_displays) or sys.stderr.isatty() or _in_notebook()


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


@contextmanager
def _display() -> Iterator["Progress"]:
    """The display that is shown, or one that is shown inside the block."""
    if _displays:
        yield _displays[0]
        return
    with _notebook_bars() if _in_notebook() else _terminal_bars() as bars:
        _displays.append(bars)
        try:
            yield bars
        finally:
            _displays.clear()


def _terminal_bars() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = Progress.get_default_columns()  # the last one is the time left
    more = ("left,", TextColumn("{task.fields[count]}"), "after", TimeElapsedColumn())
    # Standard output is for results: a pipe behind it gets them and nothing else.
    return Progress(*columns, *more, console=Console(stderr=True), redirect_stdout=False)


def _notebook_bars() -> "Progress":
    from tgap.core.notebook import NotebookBars

    return NotebookBars()


def _lines(description: str, total: int, before: int) -> Advance:
    start = last = time.monotonic()

    def advance(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done > before and now - last >= INTERVAL:
            last = now
            left = (now - start) / (done - before) * (total - done)
            log.info("%s %d/%d, %.0f s, %.0f s left", description, done, total, now - start, left)

    return advance


class LogLines(logging.StreamHandler):  # type: ignore[type-arg]
    """Log lines on standard error, above the display if one is shown.

    In notebooks they are below it, on standard output: standard error is red there.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if _in_notebook():
            sys.stdout.write(self.format(record) + "\n")
            return
        if not _displays:
            super().emit(record)
            return
        _displays[0].console.print(
            self.format(record), markup=False, highlight=False, soft_wrap=True
        )


class LogFile(logging.FileHandler):
    """Log lines in a file; where they cannot be written any more, that is told once, in a line."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Tell that a record could not be written; a mistake in it is shown as usual."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._told and sys.stderr is not None:
            self._told = True
            where = self.baseFilename
            sys.stderr.write(f"cannot write the log file {where}: {error.strerror}; it goes on\n")
