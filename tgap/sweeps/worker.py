"""The process that does the runs of a sweep one after another: ``isolation`` starts it.

It imports torch once. Runs come as lines on standard input, and what is to be said of them goes
back on what was standard output; a library that prints prints to standard error.
"""

import contextlib
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO, NoReturn

from tgap.core.checkpoint import saving_told
from tgap.core.progress import relayed
from tgap.pipeline.sharing.talking import Message, connected, set_levels
from tgap.sweeps.doing import do
from tgap.sweeps.fingerprint import changes, fingerprint, set_environment
from tgap.sweeps.messages import errand_of
from tgap.sweeps.outcomes import failure_of

LAST_SECONDS, LAST_LONGEST = 8.0, 25.0
"""That a run has to end itself when the sweep's process is gone; the second ones while it saves a
checkpoint."""
STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
"""A cluster may tell all processes of a job by one of the last two that its time is up."""


class _Turn:
    """Whether a run may be interrupted now: once, and not between two runs."""

    open = False
    saving = False
    """Whether it saves a checkpoint."""
    alone = False
    """Whether the sweep's process is gone."""

    def interrupt(self, number: int, frame: object) -> None:
        """Any signal to stop ends a run as Ctrl-C does, so that it keeps what it has."""
        if self.open:
            self.open = False
            raise KeyboardInterrupt

    def told(self, saving: bool) -> None:
        """Note that the saving of a checkpoint begins or ends."""
        self.saving = saving
        if self.alone:
            self.end_soon()

    def end_soon(self) -> None:
        """End this process when the run has had its time."""
        seconds = LAST_LONGEST if self.saving else LAST_SECONDS
        faulthandler.dump_traceback_later(seconds, exit=True)


def main() -> NoReturn:
    """Do runs until the sweep's process wants no more, or is gone."""
    incoming, line = connected()
    logging.root.addHandler(line)
    turn = _Turn()
    for name in STOPS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), turn.interrupt)
    if hasattr(signal, "pthread_sigmask"):  # Ray's processes, and who they begin, hear no Ctrl-C
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {getattr(signal, name) for name in STOPS})
    messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, messages, turn), daemon=True).start()
    with relayed(line.bar), saving_told(line.saving), saving_told(turn.told):
        while (message := messages.get()) is not None:
            if message.get("event") == "warm":
                _warm()
            else:
                line.say(event="ended", **_done(message, turn))
    os._exit(0)  # whatever threads a run left behind


def _read(incoming: BinaryIO, messages: "queue.SimpleQueue[Message | None]", turn: _Turn) -> None:
    """Hand messages on; at their end the sweep's process is gone or wants no more."""
    import json

    for text in incoming:
        messages.put(json.loads(text))
    if turn.open:  # it died: the run keeps what it has, in the time that it is given
        turn.alone = True
        turn.end_soon()
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
    set_levels(message["levels"])
    ended: Message = {"failure": None}
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
        turn.open = False
        ended |= {"failure": failure_of(error)}
    finally:
        turn.open = False
    ended["changed"] = changes(state, fingerprint()) if state is not None else []
    return ended
