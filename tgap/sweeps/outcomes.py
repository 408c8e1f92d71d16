"""How a run ended, in words and in its record."""

import logging
import os

from tgap.analysis.rows import RunRow
from tgap.core import StoreError, TgapError
from tgap.pipeline.stored import stored
from tgap.store import Store
from tgap.sweeps.doing import Errand
from tgap.sweeps.identity import row_of
from tgap.sweeps.recorder import Recorder
from tgap.sweeps.records import Record, events_of
from tgap.tracking import Journal

log = logging.getLogger(__name__)


def failure_of(error: BaseException) -> str:
    """Tell a failure to the log, its traceback to the log file alone, and give its words.

    The traceback stands on the terminal too if ``HYDRA_FULL_ERROR=1``.
    """
    said = str(error) if isinstance(error, TgapError) else _in_words(error)
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    log.log(logging.ERROR if full else logging.DEBUG, "%s", said, exc_info=error)
    return said


def _in_words(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else repr(error.code)})"
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def recorded_row(errand: Errand) -> RunRow:
    """A finished run's row, from its record; where that is gone, from what is in the store."""
    journal = Recorder(errand.home, errand.sweep_key).journal(errand.job.key)
    if (row := finished_row(journal)) is not None:
        return row
    log.warning(
        "the record %s of a run that ended just now is gone or damaged; its numbers are read from "
        "the store, and `tgap compare` lacks it until the run is started again",
        journal.folder,
    )
    return row_of(stored(errand.job.plan, Store(errand.home / "store")), errand.job)


def finished_row(journal: Journal) -> RunRow | None:
    """A run's row, from its record; ``None`` if it is not finished or cannot be read."""
    try:
        row = Record(journal, events_of(journal)).row
    except (StoreError, OSError, IndexError, ValueError) as error:
        log.debug("the record cannot be read", exc_info=error)
        return None
    return row if isinstance(row, RunRow) else None


def write_down_end(errand: Errand, status: str, reason: str = "") -> None:
    """Write down how a run ended whose process could not do it."""
    try:
        Recorder(errand.home, errand.sweep_key).end(errand.job, status, reason)
    except TgapError as error:  # the sweep goes on; `tgap sync` closes the record later
        log.warning("%s", error)
