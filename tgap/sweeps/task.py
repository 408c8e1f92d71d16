"""One run of a command line, in whatever process Hydra's launcher chose.

A run of a sweep is handed to a worker, a process of its own; a single one is done at once.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.analysis.rows import RunRow
from tgap.composition.compose import build_run
from tgap.composition.config import Run
from tgap.core import TgapError
from tgap.core.files import home_folder
from tgap.pipeline.plan import plan
from tgap.pipeline.sharing.processes import not_elsewhere
from tgap.sweeps import isolation
from tgap.sweeps.doing import Errand, do
from tgap.sweeps.identity import Planned, planned
from tgap.sweeps.isolation import Ended
from tgap.sweeps.outcomes import failure_of, finished_row, recorded_row, write_down_end
from tgap.sweeps.recorder import Recorder
from tgap.sweeps.stopping import is_stopping

if TYPE_CHECKING:
    from omegaconf import DictConfig

SWEEP_VARIABLE = "TGAP_SWEEP"
"""Tells the runs of a sweep, also those in other processes, which sweep they belong to."""
RUNS_VARIABLE = "TGAP_RUNS"
"""Tells them how many there are."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How one run ended: its row for the table and its folder of pictures, or what went wrong.

    ``made`` tells whether it made anything: nothing, if all was in the store.
    """

    name: str = ""
    row: RunRow | None = None
    failure: str | None = None
    pictures: Path | None = None
    made: bool = False


_planned: list[Planned] = []
"""Runs of this process's command line, so that a run is not planned anew when its turn comes."""


@contextmanager
def remembered(jobs: Sequence[Planned]) -> Iterator[None]:
    """Inside, ``task`` knows these runs, unless a launcher moved it to another process."""
    _planned[:] = jobs
    try:
        yield
    finally:
        _planned.clear()


_listeners: list[Callable[[int], None]] = []
"""Told how many runs of this process's sweep have ended."""


@contextmanager
def told(listener: Callable[[int], None]) -> Iterator[None]:
    """Inside, a listener is told how many runs have ended, if they run in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _planned_before(run: Run) -> Planned | None:
    """What was checked; ``None`` in a process that a launcher opened, which has checked nothing.

    Raises:
        TgapError: If another run was checked than the one that Hydra composed.
    """
    for job in _planned:
        if job.run == run:
            return job
    if _planned:
        raise TgapError("Hydra composed another run than was checked; please report it")
    return None


def _errand(config: "DictConfig") -> Errand:
    """The run that Hydra composed."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    run = build_run(config).fitted()
    job = _planned_before(run) or planned(plan(run), list(hydra.overrides.task))
    sweep_key = os.environ.get(SWEEP_VARIABLE) or None
    return Errand(job, home_folder(), sweep_key, Path(hydra.runtime.output_dir), _which())


def _ended(errand: Errand) -> Ended:
    """Do a run: one of a sweep in a process of its own, where it cannot harm the others."""
    log.info("%s%s", errand.which, errand.job.name)
    alone = errand.sweep_key is None and errand.job.run.max_minutes is None
    if not alone and (classes := not_elsewhere(errand.job.run)):
        log.warning(
            "%s was defined in this session, so the run is done in this process: what ends or "
            "changes it is not kept from other runs, and max_minutes is not kept; put the class "
            "into a module of its own",
            ", ".join(classes),
        )
        alone = True
    if alone:
        return _done_here(errand)
    try:
        return isolation.worker().run(errand)
    except BaseException:  # of a person, or of a cluster whose job goes on later
        write_down_end(errand, "KILLED")
        raise


def _done_here(errand: Errand) -> Ended:
    try:
        return Ended(do(errand))
    except KeyboardInterrupt:  # of a person: the others are not to be done either
        raise
    except BaseException as error:  # also sys.exit: the others go on
        return Ended(None, failure_of(error))


def _outcome(errand: Errand) -> Outcome:
    """How a run ended, its row read from its record."""
    ended = _ended(errand)
    if ended.late and (row := _finished(errand)) is not None:
        return Outcome(errand.job.name, row, made=True)
    if ended.dead or ended.late:
        status = "FAILED" if ended.dead and not ended.late else "KILLED"
        write_down_end(errand, status, ended.failure or "")
    if ended.did is None:
        return Outcome(failure=f"{errand.which}{ended.failure}{_where()}")
    row = recorded_row(errand)
    return Outcome(errand.job.name, row, None, ended.did.pictures, ended.did.made)


def _finished(errand: Errand) -> RunRow | None:
    """The row of a run that was recorded as finished before its time was up, if it was."""
    row = finished_row(Recorder(errand.home, errand.sweep_key).journal(errand.job.key))
    if row is not None:
        log.warning(
            "%sit was finished, but what it made was not sent to the second level within "
            "max_minutes: the next run goes on with that, or `tgap store push`",
            errand.which,
        )
    return row


def _number() -> int | None:
    """The run's number in its sweep, from 0."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    job = HydraConfig.get().job
    return None if OmegaConf.is_missing(job, "num") else int(job.num)


def _which() -> str:
    """E.g. ``run 4 of 12: ``; nothing if it is no run of a sweep."""
    runs, number = os.environ.get(RUNS_VARIABLE), _number()
    return "" if runs is None or number is None else f"run {number + 1} of {runs}: "


def _where() -> str:
    """Where a run's traceback stands, if it has a log file."""
    for handler in logging.root.handlers:
        if isinstance(handler, logging.FileHandler):
            file = Path(handler.baseFilename)
            here = Path.cwd()
            shown = file.relative_to(here) if file.is_relative_to(here) else file
            return f" (its log: {shown})"
    return ""


def task(config: "DictConfig") -> Outcome:
    """One run, in whatever process Hydra's launcher chose.

    Failures are told and returned, so that one run does not sink a sweep; their traceback goes
    to the run's log file, or to the terminal if ``HYDRA_FULL_ERROR=1``.
    """
    from hydra.core.hydra_config import HydraConfig

    if is_stopping():
        raise KeyboardInterrupt
    try:
        # Paths are those of the command line, also where hydra.job.chdir=true.
        with contextlib.chdir(HydraConfig.get().runtime.cwd):
            return _outcome(_errand(config))
    except Exception as error:  # a mistake of ours: nothing is hidden, and the sweep goes on
        return Outcome(failure=f"{_which()}{failure_of(error)}{_where()}")
    finally:
        number = _number()
        for listener in _listeners:
            listener(0 if number is None else number + 1)
