"""The process that does the runs of a sweep one after another: ``isolation`` starts it.

It imports torch once. Runs come as lines on standard input, and what is to be said of them goes
back on what was standard output; a library that prints prints to standard error.
"""

import contextlib
import faulthandler
import itertools
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

from tgap.core.progress import Advance, relayed
from tgap.sweeps.doing import do
from tgap.sweeps.fingerprint import changes, fingerprint, set_environment
from tgap.sweeps.messages import Message, errand_of, line_of, record_as_message
from tgap.sweeps.outcomes import failure_of

LAST_SECONDS = 8.0
"""That a run has to end itself when the sweep's process is gone."""
INTERVAL = 0.1
"""Seconds between two messages of a bar."""
STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
"""A cluster may tell all processes of a job by one of the last two that its time is up."""


class _Line(logging.Handler):
    """Says things to the sweep's process, log lines among them."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._sending = threading.Lock()

    def say(self, **message: Any) -> None:
        """Send a message; if nobody listens any more, it is lost."""
        with self._sending, contextlib.suppress(OSError):
            self._stream.write(line_of(message))
            self._stream.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a log line."""
        self.say(**record_as_message(record))


class _Turn:
    """Whether a run may be interrupted now: once, and not between two runs."""

    open = False

    def interrupt(self, number: int, frame: object) -> None:
        """Any signal to stop ends a run as Ctrl-C does, so that it keeps what it has."""
        if self.open:
            self.open = False
            raise KeyboardInterrupt


def main() -> NoReturn:
    """Do runs until the sweep's process wants no more, or is gone."""
    incoming, line = _connected()
    logging.root.addHandler(line)
    turn = _Turn()
    for name in STOPS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), turn.interrupt)
    messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, messages, turn), daemon=True).start()
    bars = itertools.count()
    with relayed(lambda *told: _bar(line, next(bars), *told)):
        while (message := messages.get()) is not None:
            if message.get("event") == "warm":
                _warm()
            else:
                line.say(event="ended", **_done(message, turn))
    os._exit(0)  # whatever threads a run left behind


def _connected() -> tuple[BinaryIO, _Line]:
    """Both ends of the connection, out of reach of libraries that read or print."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    faulthandler.enable()
    return os.fdopen(incoming, "rb"), _Line(os.fdopen(outgoing, "wb"))


def _read(incoming: BinaryIO, messages: "queue.SimpleQueue[Message | None]", turn: _Turn) -> None:
    """Hand messages on; at their end the sweep's process is gone or wants no more."""
    import json

    for text in incoming:
        messages.put(json.loads(text))
    if turn.open:  # it died: the run keeps what it has, in the time that it is given
        faulthandler.dump_traceback_later(LAST_SECONDS, exit=True)
        os.kill(os.getpid(), signal.SIGINT)
    messages.put(None)


def _warm() -> None:
    """Import what every run needs, while the sweep's process does other things."""
    with contextlib.suppress(ImportError):  # the run that needs it tells
        import torch

        import tgap.tracking.push

        tgap.tracking.push.loaded()
        del torch


def _done(message: Message, turn: _Turn) -> Message:
    """Do a run, whatever it does; how it ended, and what of the process it left changed."""
    set_environment(message["environment"])
    sys.path[:] = message["path"]
    for name, level in message["levels"].items():
        logging.getLogger(name).setLevel(level)
    ended: Message = {"failure": None, "interrupted": False}
    state = None
    try:
        os.chdir(message["current"])
        state = fingerprint()
        turn.open = True
        did = do(errand_of(message))
        turn.open = False
        pictures = None if did.pictures is None else str(did.pictures)
        ended |= {"made": did.made, "pictures": pictures}
    except BaseException as error:  # sys.exit and the like too: the sweep goes on
        ended["interrupted"] = isinstance(error, KeyboardInterrupt) and not turn.open
        turn.open = False
        ended |= {"failure": failure_of(error)}
    finally:
        turn.open = False
    ended["changed"] = changes(state, fingerprint()) if state is not None else []
    return ended


@contextmanager
def _bar(
    line: _Line, number: int, description: str, total: int, counted: bool, before: int
) -> Iterator[Advance]:
    of = [description, total, counted, before]
    line.say(event="bar", number=number, of=of)
    last = 0.0

    def advance(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= INTERVAL:
            last = now
            line.say(event="advance", number=number, done=done)

    try:
        yield advance
    finally:
        line.say(event="bar ended", number=number)
