"""Ctrl-C and what else asks a command to stop: at the first it ends in order, then at once.

In order means that locks are freed, runs keep what they have, and are recorded as killed.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tgap.core.interrupts import SAME_SECONDS

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, each of the signals ends the block as ``KeyboardInterrupt``.

    What this process was started to ignore, as with ``nohup``, it goes on to ignore.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        stop = _Stop()
        for name in SIGNALS:
            number = getattr(signal, name, None)  # Windows has some of them only
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, stop.told)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


class _Stop:
    """What was told so far."""

    def __init__(self) -> None:
        self._first: float | None = None

    def told(self, number: int, frame: object) -> None:
        """Raise at the first signal; leave at the second."""
        if self._first is None:
            self._first = time.monotonic()
            if number == getattr(signal, "SIGHUP", None):
                _leave_terminal()
            raise KeyboardInterrupt
        if time.monotonic() - self._first >= SAME_SECONDS:
            with suppress(OSError):
                os.write(2, b"tgap: left at once; the next command puts its records in order\n")
            os._exit(128 + number)


def _leave_terminal() -> None:
    """Write to nowhere where the terminal is closed: an error in telling would hide the end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            if os.isatty(descriptor):
                os.dup2(nowhere, descriptor)
