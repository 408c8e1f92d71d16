"""How many runs a launcher does at a time."""

import logging
from collections.abc import Mapping
from typing import Any

from tgap.core import ConfigError
from tgap.sweeps.launching import kind_of

log = logging.getLogger(__name__)


def workers_of(launcher: Mapping[str, Any], runs: int) -> int:
    """How many runs a launcher does at a time.

    Args:
        launcher: Its node, ``hydra.launcher``.
        runs: Of the sweep; as many at a time where the launcher has no limit that is known here.

    Raises:
        ConfigError: If it is to do none.
    """
    kind = kind_of(launcher)
    if kind == "BasicLauncher":
        return 1
    if kind == "JoblibLauncher":
        return min(_jobs(launcher["n_jobs"]), runs)
    if kind == "RayLauncher" and not launcher["ray"]["init"].get("address"):
        here = launcher["ray"]["init"].get("num_cpus") or cores()
        return max(min(int(here / max(launcher["ray"]["remote"].get("num_cpus") or 1, 1)), runs), 1)
    return min(launcher.get("array_parallelism") or runs, runs)


def cores() -> int:
    """That this process may use."""
    from joblib import cpu_count  # type: ignore[import-untyped]

    return int(cpu_count())


def _jobs(asked: Any) -> int:
    """What joblib makes of its ``n_jobs``."""
    there = cores()
    if not isinstance(asked, int) or asked == 0 or asked <= -1 - there:
        raise ConfigError(
            "hydra.launcher.n_jobs must be the number of runs at a time, or -1 for one for each "
            f"core ({there} here); got {asked}"
        )
    if asked > there:
        log.warning(
            "hydra.launcher.n_jobs=%d runs at a time, but there are %d cores: they slow each other "
            "down, and each takes a gigabyte of memory and more; set n_jobs=%d, or leave it out",
            asked,
            there,
            there,
        )
    return asked if asked > 0 else there + 1 + asked
