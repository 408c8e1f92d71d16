"""Runs of a sweep in a process of their own, so that none can harm the others.

A worker (``tgap.sweeps.worker``) does one run after another. It is replaced when it died, ran past
the run's limit, or was left changed by a run: another folder, environment or default of torch.
"""

import atexit
import logging
import os
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tgap.pipeline.sharing.child import START, Child, Inbox, next_said
from tgap.pipeline.sharing.talking import ENDS, Message
from tgap.sweeps.doing import Did, Errand
from tgap.sweeps.messages import errand_as_message

log = logging.getLogger(__name__)

GRACE, LONGEST = 7.0, 25.0
"""Seconds that a run which is to stop has, then it is killed; the second ones while it saves a
checkpoint. Both are more than a crew's, as a run may have to wait for one."""
CLUSTERS_GRACE = 26.0
"""Both in a job whose time is over: Slurm kills it 30 seconds after it was queued again."""
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
    """A process that does runs."""

    def __init__(self) -> None:
        self._inbox: Inbox = queue.SimpleQueue()
        self._process = Child(PROGRAM, self._inbox, echo=True)
        self._grandparent = os.getppid()

    def send(self, message: Message) -> None:
        """Send a message; of a process that died the next run tells."""
        self._process.send(message)

    def run(self, errand: Errand) -> Ended:
        """Do a run; the worker is closed if it cannot do another one.

        Raises:
            KeyboardInterrupt: If this process is told to stop; the run has been stopped then.
            SystemExit: If a job of Slurm's is to make room and was queued again; likewise. If it
                is not queued again, submitit raises an error of its own; likewise.
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
        except BaseException as error:
            if _is_clusters(error):
                self._stop("SIGUSR2", CLUSTERS_GRACE, CLUSTERS_GRACE)
            else:  # a mistake of ours: whether a run is going on is not known
                self.close()
            raise
        finally:
            self._process.shown.end()

    def _told(self, ended: Message) -> Ended:
        """What a worker says of a run, or what can be said of one that died."""
        if ended["event"] == "gone":
            return Ended(None, self._process.death("its process"), dead=True)
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

    def _listen(self, seconds: float | None) -> Message | None:
        """Show what the worker tells until its run ends or it dies; ``None`` if time is up."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            if not _keepers and os.getppid() != self._grandparent:
                raise KeyboardInterrupt  # who launched this process died
            said = next_said(self._inbox, [self._process])
            if said is not None and said[1]["event"] in ENDS:
                return said[1]
        return None

    def _stop(
        self, name: str = "SIGINT", grace: float = GRACE, longest: float = LONGEST
    ) -> Message | None:
        """Let the run end itself, as at Ctrl-C; what it said then, ``None`` if it had to be killed.

        The worker is closed.
        """
        try:
            ended = self._process.stop(name, grace, longest)
        finally:
            self.close()
        return None if ended is None or ended["event"] == "gone" else ended

    @property
    def open(self) -> bool:
        """Whether it can take a run."""
        return self._process.alive

    def close(self) -> None:
        """End the process and whatever it started."""
        self._process.close()


def _is_clusters(error: BaseException) -> bool:
    """Whether submitit's handler of a cluster's signal raised it, in the midst of a run.

    It exits if the job was queued again; else, as when that was too often, it raises an error of
    its own, and a later command goes on with the run.
    """
    return isinstance(error, SystemExit) or type(error).__module__.startswith("submitit.")


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
