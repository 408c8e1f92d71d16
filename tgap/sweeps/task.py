"""One run of a command line, in whatever process Hydra's launcher chose."""

import contextlib
import logging
import os
import shutil
import traceback
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
from tgap.pipeline.result import Result
from tgap.report.summary import in_a_line
from tgap.sweeps.identity import Planned, planned
from tgap.sweeps.recorder import Recorder

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


def _finished(config: "DictConfig", overrides: Sequence[str]) -> Outcome:
    run = build_run(config).fitted()
    job = _planned_before(run) or planned(plan(run), overrides)
    recorder = Recorder(home_folder(), os.environ.get(SWEEP_VARIABLE) or None)
    which = _which()
    log.info("%s%s", which, job.name)
    result, row = recorder.execute(job, overrides)
    seconds = {stage: record.seconds for stage, record in result.stages.items()}
    reused = [stage for stage, record in result.stages.items() if record.reused]
    log.info("%s%s", which, in_a_line(result.metrics, seconds, reused))
    return Outcome(
        job.name,
        row=row,
        pictures=_kept_pictures(result),
        made=not all(artifact.reused for artifact in result.artifacts),
    )


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


def _kept_pictures(result: Result) -> Path | None:
    """Copies of a run's pictures in its output folder, whose name people can read."""
    from hydra.core.hydra_config import HydraConfig

    if result.artifacts.pictures is None:
        return None
    folder = Path(HydraConfig.get().runtime.output_dir)
    for picture in sorted(result.artifacts.pictures.folder.glob("*.png")):
        shutil.copyfile(picture, folder / picture.name)
    return folder


def task(config: "DictConfig") -> Outcome:
    """One run, in whatever process Hydra's launcher chose.

    Failures are told and returned, so that one run does not sink a sweep; their traceback goes
    to the run's log file, or to the terminal if ``HYDRA_FULL_ERROR=1``.
    """
    from hydra.core.hydra_config import HydraConfig

    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        # Paths are those of the command line, also where hydra.job.chdir=true.
        with contextlib.chdir(HydraConfig.get().runtime.cwd):
            return _finished(config, list(HydraConfig.get().overrides.task))
    except TgapError as error:
        log.log(logging.ERROR, "%s", error, exc_info=full_error)
        return Outcome(failure=f"{_which()}{error}")
    except Exception as error:
        # A mistake of ours or of a library: the run fails, the sweep goes on, nothing is hidden.
        log.exception("unexpected %s", type(error).__name__)
        said = "".join(traceback.format_exception_only(error)).strip()
        return Outcome(failure=f"{_which()}{said}")
    finally:
        number = _number()
        for listener in _listeners:
            listener(0 if number is None else number + 1)
