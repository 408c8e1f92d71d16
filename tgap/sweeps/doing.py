"""One run, done and recorded in this process."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from tgap.pipeline.result import Result
from tgap.report.summary import in_a_line
from tgap.sweeps.identity import Planned
from tgap.sweeps.recorder import Recorder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Errand:
    """A run that is to be done, and where.

    Args:
        job: The run.
        home: ``TGAP_HOME``, absolute.
        sweep_key: Of the sweep that it belongs to, if any.
        folder: Its output folder.
        which: E.g. ``run 4 of 12: ``; empty if it is no run of a sweep.
    """

    job: Planned
    home: Path
    sweep_key: str | None
    folder: Path
    which: str = ""


@dataclass(frozen=True)
class Did:
    """What a run that ended well leaves beside its record.

    Args:
        pictures: Where copies of its pictures are, if there are some.
        made: Whether it made anything: nothing, if all was in the store.
    """

    pictures: Path | None = None
    made: bool = False


def do(errand: Errand) -> Did:
    """Do a run in this process.

    Raises:
        TgapError: If it cannot start or a stage fails.
    """
    job = errand.job
    result, _ = Recorder(errand.home, errand.sweep_key).execute(job, job.words)
    seconds = {stage: record.seconds for stage, record in result.stages.items()}
    reused = [stage for stage, record in result.stages.items() if record.reused]
    log.info("%s%s", errand.which, in_a_line(result.metrics, seconds, reused))
    made = not all(artifact.reused for artifact in result.artifacts)
    return Did(_kept_pictures(result, errand.folder), made)


def _kept_pictures(result: Result, folder: Path) -> Path | None:
    """Copies of a run's pictures in its output folder, whose name people can read."""
    if result.artifacts.pictures is None:
        return None
    for picture in sorted(result.artifacts.pictures.folder.glob("*.png")):
        shutil.copyfile(picture, folder / picture.name)
    return folder
