"""Ctrl-C and SIGTERM, held until the work at hand is at a point where it can be left."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

HELD = (signal.SIGINT, signal.SIGTERM)
HOLD_SECONDS = 3.0
"""So long at most; then the signal does what it would have done at once."""


class Interrupts:
    """What has come and is held."""

    def __init__(self) -> None:
        self._came: int | None = None
        self._handlers: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    @property
    def waiting(self) -> bool:
        """Whether a signal waits to be let through."""
        return self._came is not None

    def let_through(self) -> None:
        """Do what the signal that waits would have done: by default, raise ``KeyboardInterrupt``.

        Nothing if none waits.
        """
        came, self._came = self._came, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if came is not None:
            signal.signal(came, self._handlers[came])
            signal.raise_signal(came)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came == number:  # again, by whoever cannot wait, or by our own timer
            self.let_through()
        elif self._came is None:
            self._came = number
            # handlers run in the main thread: this is it
            self._timer = threading.Timer(
                HOLD_SECONDS, signal.pthread_kill, (threading.get_ident(), number)
            )
            self._timer.daemon = True
            self._timer.start()


@contextmanager
def held() -> Iterator[Interrupts]:
    """Inside, signals wait for ``let_through``, for the end, or for ``HOLD_SECONDS``.

    A second signal of the same kind does not wait. Signals reach the main thread only: elsewhere,
    and where they are ignored, nothing is held.
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
