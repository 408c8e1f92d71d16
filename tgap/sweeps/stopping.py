"""A sweep's command that is told to stop first lets the runs end that a launcher's processes do.

Launchers kill their processes at once, or leave them behind. A run that ends itself, as at Ctrl-C,
keeps what it has, and is recorded as killed.
"""

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from tgap.core.interrupts import SAME_SECONDS, STOPS
from tgap.sweeps.isolation import LONGEST
from tgap.tracking.beat import beat_of
from tgap.tracking.ghosts import is_running
from tgap.tracking.journal import Journal

log = logging.getLogger(__name__)

WORKER = "tgap.sweeps.worker"
"""In the command line of a process that does runs."""
NOTE = "TGAP_STOPPING"
"""Names the file that is there once the sweep is told to stop: what is not begun is not to be."""


def is_stopping() -> bool:
    """Whether the sweep that this process does a run of was told to stop."""
    note = os.environ.get(NOTE)
    return note is not None and Path(note).exists()


@contextmanager
def runs_stopped_first(runs: Sequence[Journal], begin: Callable[[], None]) -> Iterator[None]:
    """Inside, a signal to stop waits until this machine's runs have ended, ``LONGEST`` at most.

    A second one, later than ``SAME_SECONDS``, does not wait. Only processes that this one began,
    or those did, or a cluster's at its behest, are told.

    Args:
        runs: Where they are recorded.
        begin: Starts what may have handlers of its own.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        begin()
        yield
        return
    folder = tempfile.TemporaryDirectory(prefix="tgap")
    stop = _RunsFirst(runs, Path(folder.name) / "stopping")
    handlers = {number: signal.getsignal(number) for number in STOPS}
    os.environ[NOTE] = str(stop.note)  # processes that are begun inside have it
    try:
        begin()
        for number, handler in handlers.items():
            if handler not in (signal.SIG_IGN, None):
                stop.handlers[number] = handler
                signal.signal(number, stop.told)
        yield
    finally:
        del os.environ[NOTE]
        stop.hand_back()
        stop.end()
        folder.cleanup()


class _RunsFirst:
    """What came, and the handlers that it is handed to in the end."""

    def __init__(self, runs: Sequence[Journal], note: Path) -> None:
        self.handlers: dict[int, object] = {}
        self._runs, self.note = runs, note
        self._came = False
        self._asked: list[psutil.Process] = []
        self._begun = set[Path]()

    def told(self, number: int, frame: FrameType | None) -> None:
        """Stop the runs, then do what the signal would have done; nothing if it came just now."""
        if self._came:
            return
        self._came = True
        with suppress(OSError):
            self.note.touch()
        log.info("stopping what runs, at most %.0f s; not if stopped again", LONGEST)
        self._let_end()
        self.hand_back()
        signal.raise_signal(number)

    def hand_back(self) -> None:
        """Let signals do what they did before."""
        while self.handlers:
            signal.signal(*self.handlers.popitem())  # type: ignore[arg-type]

    def end(self) -> None:
        """End the processes that were told: their runs have ended, or had their time."""
        _wait_for(self._asked, SAME_SECONDS)
        for process in self._asked:
            with suppress(psutil.Error):
                process.kill()
        _wait_for(self._asked, LONGEST)

    def _let_end(self) -> None:
        """Tell processes to end what they do, and wait for that."""
        begun = time.monotonic()
        while self._busy() and time.monotonic() - begun < LONGEST:
            if time.monotonic() - begun > SAME_SECONDS:
                self.hand_back()
            time.sleep(0.1)

    def _ask(self) -> None:
        """Tell processes that were not told yet."""
        for process in [*psutil.Process().children(recursive=True), *self._of_a_cluster()]:
            with suppress(psutil.Error):
                if process not in self._asked and WORKER in " ".join(process.cmdline()):
                    self._asked.append(process)
                    process.send_signal(signal.SIGINT)

    def _of_a_cluster(self) -> Iterator[psutil.Process]:
        """Those on this machine that do a run and are nobody's children: they know of our note."""
        for journal in self._runs:
            beat = beat_of(journal.folder)
            if beat is None or not beat.is_here():
                continue
            with suppress(psutil.Error):
                process = psutil.Process(beat.pid)
                if process.environ().get(NOTE) == str(self.note):
                    yield process

    def _busy(self) -> bool:
        """Whether a run goes on, or is being recorded, of a process that was told or is to be."""
        self._ask()
        ours = {process.pid for process in self._asked}
        for journal in self._runs:
            beat = beat_of(journal.folder)
            if beat is not None and beat.is_here() and beat.pid in ours:
                self._begun.add(journal.folder)
        return any(is_running(each) for each in self._runs if each.folder in self._begun)


def _wait_for(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Until all have ended; who began them may never ask how, and leave zombies."""
    end = time.monotonic() + seconds
    while not all(map(_has_ended, processes)) and time.monotonic() < end:
        time.sleep(0.05)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True
