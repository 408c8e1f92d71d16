"""Runs of a sweep in a process of their own, so that none can harm the others.

A worker (``tgap.sweeps.worker``) does one run after another. It is replaced when it died, ran past
the run's limit, or was left changed by a run: another folder, environment or default of torch.
"""

import atexit
import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from tgap.pipeline.sharing.processes import START, death
from tgap.pipeline.sharing.talking import Message, Shown, heard, line_of
from tgap.sweeps.doing import Did, Errand
from tgap.sweeps.messages import errand_as_message

log = logging.getLogger(__name__)

GRACE = 7.0
"""Seconds that a run which is to stop has, to write down how far it is; then it is killed."""
CLUSTERS_GRACE = 26.0
"""The same in a job whose time is over: Slurm kills it 30 seconds after it was queued again."""
LISTEN = 0.5
"""Seconds between two looks at the time."""
LAST_WORDS = 50
"""Lines that a process wrote before it died, for the run's log file."""
PROGRAM = f"{START}; from tgap.sweeps.worker import main; main()"


@dataclass(frozen=True)
class Ended:
    """How a run ended in a worker.

    Args:
        did: What it left; ``None`` if it failed.
        failure: What went wrong.
        dead: Whether its process could not write down how it ended.
        late: Whether it was stopped at its limit.
    """

    did: Did | None
    failure: str | None = None
    dead: bool = False
    late: bool = False


class Worker:
    """A process that does runs; it ends with this one, however this one ends."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C in a terminal reaches this process alone, which passes it on.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        stdin, stdout, stderr = (cast("IO[bytes]", pipe) for pipe in pipes)
        self._stdin = stdin
        self._heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._shown = Shown()
        self._closed, self._grandparent = False, os.getppid()
        reads = ((self._read, stdout), (self._echo, stderr))
        self._readers = [threading.Thread(target=r, args=(s,), daemon=True) for r, s in reads]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for message, _ in heard(stream):
                self._heard.put(message)
        self._heard.put({"event": "gone"})

    def _echo(self, stream: IO[bytes]) -> None:
        """Pass on what libraries write to standard error, above the bars if some are shown."""
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace")
                self._last_words.append(text)
                with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                    sys.stderr.write(text)

    def send(self, message: Message) -> None:
        """Send a message; of a process that died the reader tells."""
        with contextlib.suppress(OSError):
            self._stdin.write(line_of(message))
            self._stdin.flush()

    def run(self, errand: Errand) -> Ended:
        """Do a run; the worker is closed if it cannot do another one.

        Raises:
            KeyboardInterrupt: If this process is told to stop; the run has been stopped then.
            SystemExit: If a job of Slurm's is to make room and was queued again; likewise.
        """
        minutes = errand.job.run.max_minutes
        try:
            self.send(errand_as_message(errand))
            ended = self._listen(None if minutes is None else 60 * minutes)
            if ended is None:
                said = f"it ran longer than max_minutes={minutes:g} and was stopped"
                stopped = self._stop()
                return Ended(None, said, dead=stopped is None, late=True)
            return self._told(ended)
        except KeyboardInterrupt:
            self._stop()
            raise
        except BaseException:  # out of the handler of a cluster's signal, which submitit sets
            self._stop("SIGUSR2", CLUSTERS_GRACE)
            raise
        finally:
            self._shown.end()

    def _told(self, ended: Message) -> Ended:
        """What a worker says of a run, or what can be said of one that died."""
        if ended["event"] == "gone":
            return Ended(None, self._death(), dead=True)
        if changed := ended["changed"]:
            several = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            log.warning(
                "the run left its process changed (%s%s): the next one gets a fresh process",
                ", ".join(changed[:3]),
                several,
            )
            self.close()
        if ended["failure"] is not None:
            return Ended(None, ended["failure"])
        pictures = ended["pictures"]
        return Ended(Did(None if pictures is None else Path(pictures), ended["made"]))

    def _listen(self, seconds: float | None, stopping: bool = False) -> Message | None:
        """Show what the worker tells until its run ends or it dies; ``None`` if time is up."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            if not stopping and not _keepers and os.getppid() != self._grandparent:
                raise KeyboardInterrupt  # who launched this process died
            try:
                message = self._heard.get(timeout=LISTEN)
            except queue.Empty:
                continue
            if message["event"] in ("ended", "gone"):
                return message
            self._shown.show(message)
        return None

    def _stop(self, name: str = "SIGINT", grace: float = GRACE) -> Message | None:
        """Let the run end itself, as at Ctrl-C; what it said then, ``None`` if it had to be killed.

        The worker is closed.
        """
        if os.name == "posix":
            with contextlib.suppress(OSError):
                self._process.send_signal(getattr(signal, name))
        else:
            self._process.terminate()
        try:
            ended = self._listen(grace, stopping=True)
        finally:
            self.close()
        return None if ended is None or ended["event"] == "gone" else ended

    def _death(self) -> str:
        """Of what the process died, in words."""
        code = self._process.wait()
        self.close()
        self._readers[1].join(LISTEN)
        if self._last_words:
            log.debug("the last that its process wrote:\n%s", "".join(self._last_words))
        return death(code)

    @property
    def open(self) -> bool:
        """Whether it can take a run."""
        return not self._closed and self._process.poll() is None

    def close(self) -> None:
        """End the process and whatever it started."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._stdin.close()
        if os.name == "posix":
            # Not only the process: a run may have started others.
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()


_workers: list[Worker] = []
"""This process's worker, if it has one."""


def worker() -> Worker:
    """This process's worker; a fresh one if there is none or it cannot do another run."""
    if not _workers or not _workers[0].open:
        close()
        _workers.append(Worker())
    return _workers[0]


@atexit.register
def close() -> None:
    """End this process's worker."""
    while _workers:
        _workers.pop().close()


_keepers: list[object] = []


@contextmanager
def kept() -> Iterator[None]:
    """Inside, the worker stays for the next run; it ends with the outermost such block."""
    keeper = object()
    _keepers.append(keeper)
    try:
        yield
    finally:
        _keepers.remove(keeper)
        if not _keepers:
            close()


def warm() -> None:
    """Let the worker import what runs need, while this process does other things."""
    worker().send({"event": "warm"})
