"""Hydra's launchers: what one needs, and what to say of one that gives up.

A run's own failure never gets here: ``task`` tells it, whatever the launcher.
"""

import shutil
from collections.abc import Mapping
from typing import Any

from tgap.core import ConfigError, TgapError
from tgap.sweeps.outcomes import failure_of

LONGEST = 400
"""Characters of a launcher's reason: submitit's has a job's whole log in it."""


def kind_of(launcher: Mapping[str, Any]) -> str:
    """A launcher's class, e.g. ``SlurmLauncher``, from its node ``hydra.launcher``."""
    return str(launcher["_target_"]).rpartition(".")[2]


def check_launcher(launcher: Mapping[str, Any]) -> None:
    """Whether a launcher can work on this machine.

    Raises:
        ConfigError: If Slurm is not here.
    """
    if kind_of(launcher) == "SlurmLauncher" and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm needs Slurm's commands, and there is no 'srun' on this "
            "machine's PATH; start tgap on a login node of the cluster, or leave hydra/launcher "
            "out to do one run after another here"
        )


def without_earlier_workers(launcher: Mapping[str, Any]) -> None:
    """See that no process works for a launcher that an earlier sweep of this one began.

    joblib keeps its workers for minutes; they have the environment of the sweep that they began
    with: its ``TGAP_HOME``, its key.
    """
    if kind_of(launcher) == "JoblibLauncher":
        from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]

        get_reusable_executor(reuse=True).shutdown(wait=True)


def gave_up(launcher: Mapping[str, Any], error: Exception) -> str | None:
    """What to say of a launcher that raised an error instead of telling how its runs ended.

    Returns:
        A sentence; ``None`` if the error is not the launcher's own.
    """
    kind = kind_of(launcher)
    of_a_file = isinstance(error, OSError) and error.filename is not None
    if kind == "BasicLauncher" or isinstance(error, TgapError) or of_a_file:
        return None
    reason = " ".join(failure_of(error).split())
    reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]} ..."
    return (
        f"{kind} gave up: {reason}; runs that it has begun may go on, as `tgap status` shows; the "
        "same command again does what is missing"
    )
