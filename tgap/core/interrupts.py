"""Signals that wait until a long piece of work is at a place where it may be left."""

import _thread
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def _known(*names: str) -> tuple[int, ...]:
    """Signals by name; Windows has some of them only."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


CLUSTERS = _known("SIGUSR1", "SIGUSR2")
"""By which a cluster tells that the time is nearly over."""
STOPS = _known("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
"""By which a person, a closed terminal or a machine that shuts down asks to stop."""
HELD = (*STOPS, *CLUSTERS)
HOLD_SECONDS = 3.0
"""So long at most a person's signal is held; then it does what it would have done at once."""
PATIENCE = 3.0
"""Times as long as a person a cluster waits: a job of Slurm's has 30 seconds left at least."""
SAVING_SECONDS = 20.0
"""So long instead, since the signal, if a checkpoint is being saved then.

Processes that wait for this one wait longer, and all end before a cluster kills them: Slurm does so
30 s after it told them (``KillWait``).
"""
CLUSTERS_SECONDS = 24.5
"""The same after a cluster's signal: a step that it waited for, and what is quickly saved."""
SAME_SECONDS = 0.5
"""In which a second signal is the first one again: some tell a process and its group."""


class Interrupts:
    """What has come and is held."""

    def __init__(self) -> None:
        self.saving = False
        """Whether a checkpoint is being saved: what has come waits longer then."""
        self._came: int | None = None
        self._came_at = 0.0
        self._overdue = False
        self._through = threading.Event()
        self._handlers: dict[int, Any] = {}

    @property
    def waiting(self) -> bool:
        """Whether a signal waits to be let through."""
        return self._came is not None

    @property
    def patience(self) -> float:
        """How many times as long as a person whoever interrupts waits."""
        return PATIENCE if self._came in CLUSTERS else 1.0

    def let_through(self) -> None:
        """Do what the signal that waits would have done: by default, raise ``KeyboardInterrupt``.

        Nothing if none waits.
        """
        came, self._came = self._came, None
        self._through.set()
        if came is not None:
            signal.signal(came, self._handlers[came])
            signal.raise_signal(came)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came is None:
            self._came, self._came_at = number, time.monotonic()
            self._overdue, self._through = False, threading.Event()
            # handlers run in the main thread: this is it
            arguments = threading.get_ident(), number, self._through
            threading.Thread(target=self._hurry, args=arguments, daemon=True).start()
        elif self._overdue or self._is_impatient(number):
            self.let_through()

    def _is_impatient(self, number: int) -> bool:
        """Whether a further signal, the same or another one, is of a person who cannot wait."""
        if number in CLUSTERS or time.monotonic() - self._came_at < SAME_SECONDS:
            return False
        # A cluster ends a job that it has told by SIGTERM: that is no person's.
        return not (self._came in CLUSTERS and number in _known("SIGTERM"))

    def _hurry(self, main_thread: int, number: int, through: threading.Event) -> None:
        """Let through what has waited for too long."""
        seconds = HOLD_SECONDS * self.patience
        longest = CLUSTERS_SECONDS if number in CLUSTERS else SAVING_SECONDS
        through.wait(seconds)
        if self.saving:
            through.wait(longest - seconds)
        if not through.is_set():
            self._overdue = True
            if hasattr(signal, "pthread_kill"):  # it also ends a system call that waits
                signal.pthread_kill(main_thread, number)
            else:  # Windows
                _thread.interrupt_main(signal.Signals(number))


@contextmanager
def held() -> Iterator[Interrupts]:
    """Inside, signals wait for ``let_through``, the end, or ``HOLD_SECONDS`` (``SAVING_SECONDS``).

    A cluster's wait longer, also if they come twice: it may tell each process of a job, and one
    tells the next. A person's second signal, of the same kind or another, does not wait if it is
    later than ``SAME_SECONDS``. Signals reach the main thread only: elsewhere, and where they are
    ignored, nothing is held.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    for number in HELD:
        before = signal.getsignal(number)
        if before not in (signal.SIG_IGN, None):
            interrupts._handlers[number] = before
            signal.signal(number, interrupts._note)
    try:
        yield interrupts
    finally:
        for caught, before in interrupts._handlers.items():
            signal.signal(caught, before)
        interrupts.let_through()
