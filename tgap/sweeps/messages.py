"""What a sweep's process and its worker say to each other, besides log lines and bars."""

import dataclasses
import os
import sys
from pathlib import Path

from tgap.analysis.rows import PlannedRun
from tgap.pipeline.sharing.processes import plan_as_message, plan_of
from tgap.pipeline.sharing.talking import Message, levels
from tgap.sweeps.doing import Errand
from tgap.sweeps.identity import Planned


def errand_as_message(errand: Errand) -> Message:
    """A run for a worker, with this process's environment, folder and levels of loggers."""
    job = errand.job
    return {
        **plan_as_message(job.plan),
        "row": dataclasses.asdict(job.row),
        "words": list(job.words),
        "home": str(errand.home),
        "sweep_key": errand.sweep_key,
        "folder": str(errand.folder.absolute()),
        "which": errand.which,
        "environment": dict(os.environ),
        "current": os.getcwd(),
        "path": list(sys.path),
        "levels": levels(),
    }


def errand_of(message: Message) -> Errand:
    """The run that a message brings.

    Raises:
        ConfigError: If it cannot be built in this process.
    """
    plan, row = plan_of(message), PlannedRun(**message["row"])
    job = Planned(plan, row, tuple(message["words"]))
    home, folder = Path(message["home"]), Path(message["folder"])
    return Errand(job, home, message["sweep_key"], folder, message["which"])
