"""Records of processes that died without a word: found by their free locks, and closed."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import filelock

from tgap.core import StoreError, TgapError
from tgap.core.files import locked
from tgap.tracking.beat import beat_of
from tgap.tracking.journal import SWEEP, Journal
from tgap.tracking.run_log import RunLog

log = logging.getLogger(__name__)

RUNNING = "running-"
"""What the names of locks begin with of which each process that launches a sweep holds one."""
LOCK = ".lock"
"""What they end with; a lock's lease beside it ends with something else."""
ASKED = "asked"
"""Lock that is held while somebody asks for those, or begins to hold one: so none begins to launch
a sweep while its record is closed."""
DIED = "its process died before it could write down how it ended"


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Inside, a sweep counts as running; so it does as long as another process launches it too.

    Args:
        folder: Of its journal.
    """
    own = folder / f"{RUNNING}{uuid4().hex}{LOCK}"
    with ExitStack() as held:
        held.callback(own.unlink, missing_ok=True)  # nobody waits for it
        with locked(folder / ASKED, "the sweep"):
            held.enter_context(locked(own, "the sweep"))
        yield


@contextmanager
def _not_running(journal: Journal) -> Iterator[None]:
    """Inside, no process is at work on a run or a sweep, as far as locks reach.

    None begins a sweep either; a run is begun by who gets its journal's lock.

    Raises:
        filelock.Timeout: If one is.
    """
    if journal.run_key != SWEEP:
        with journal.locked(wait=False):
            pass
        yield
        return
    folder = journal.folder
    with locked(folder / ASKED, "the sweep"):
        for path in folder.glob(f"{RUNNING}*{LOCK}"):
            with locked(path, "the sweep", wait=False):
                pass
            path.unlink(missing_ok=True)  # of a process that died
        yield


def is_running(journal: Journal) -> bool:
    """Whether a process is at work on a run or a sweep that has not ended."""
    beat = beat_of(journal.folder)
    if beat is not None and not beat.is_here():  # a lock may not reach from there to here
        return beat.is_fresh()
    try:
        with _not_running(journal):
            return False
    except filelock.Timeout:
        return True
    except StoreError:  # a home that may be read only
        return beat is not None and beat.is_fresh()


def close_ghosts(home: Path, push: Callable[[Journal], None]) -> int:
    """End the records of runs and sweeps whose processes died.

    Args:
        home: Folder of the journals.
        push: Brings MLflow up to a journal.

    Returns:
        How many there were.
    """
    closed = 0
    for file in (home / "journal").glob("*/*/journal.jsonl"):
        journal = Journal(file.parent)
        try:
            if not journal.ended() and not is_running(journal):
                with _not_running(journal):  # still, and until the end is written down
                    closed += end_record(journal, "KILLED", DIED, push, wait=False)
        except filelock.Timeout:  # it has been begun again just now
            continue
        except TgapError as error:
            log.warning("%s", error)
    if closed:
        log.info("%d records of processes that had died were closed as killed", closed)
    return closed


def end_record(
    journal: Journal,
    status: str,
    reason: str,
    push: Callable[[Journal], None],
    *,
    wait: bool = True,
    again: bool = False,
) -> bool:
    """Write down how a run ended, unless it is finished or was never begun.

    Args:
        journal: The run's.
        status: ``FAILED`` or ``KILLED``.
        reason: Why.
        push: Brings MLflow up to it.
        wait: For a process that still writes.
        again: Whether to do so also if it wrote down itself that it failed or was killed.

    Returns:
        Whether it was written down.

    Raises:
        filelock.Timeout: If a process still writes and ``wait`` is false.
    """
    with journal.locked(wait=wait):
        if not journal.count() or (journal.ended() and not again):
            return False
        run_log = RunLog(journal, push)
        if not run_log.done:
            run_log.close(status, reason)
        return not run_log.done
