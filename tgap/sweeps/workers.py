"""How many runs a launcher does at a time."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from tgap.core import ConfigError
from tgap.sweeps.launching import kind_of

LEAST = {
    "array_parallelism": 1,
    "timeout_min": 1,
    "cpus_per_task": 1,
    "gpus_per_node": 0,
    "ray.init.num_cpus": 1,
    "ray.init.num_gpus": 0,
    "ray.remote.num_cpus": 1,
    "ray.remote.num_gpus": 0,
}
"""The least that a launcher's numbers may be, where they are set."""

log = logging.getLogger(__name__)


def workers_of(launcher: Mapping[str, Any], runs: int) -> int:
    """How many runs a launcher does at a time.

    Args:
        launcher: Its node, ``hydra.launcher``.
        runs: Of the sweep; as many at a time where the launcher has no limit that is known here.

    Raises:
        ConfigError: If it is to do none, or has other numbers that cannot be meant.
    """
    _require_numbers(launcher)
    kind = kind_of(launcher)
    if kind == "BasicLauncher":
        return 1
    if kind == "JoblibLauncher":
        return min(_jobs(launcher["n_jobs"]), runs)
    if kind == "RayLauncher" and not launcher["ray"]["init"].get("address"):
        return max(min(_of_ray(launcher["ray"]["init"], launcher["ray"]["remote"]), runs), 1)
    return min(launcher.get("array_parallelism") or runs, runs)


def cores() -> int:
    """That this process may use."""
    from joblib import cpu_count  # type: ignore[import-untyped]

    return int(cpu_count())


def gpus() -> int:
    """That this process may use."""
    import torch

    return int(torch.cuda.device_count())


def _of_ray(there: Mapping[str, Any], each: Mapping[str, Any]) -> int:
    """For how many runs a machine has room: cores, and GPUs where a run takes some."""
    room = (there.get("num_cpus") or cores()) / (each.get("num_cpus") or 1)
    if each.get("num_gpus"):
        has = there.get("num_gpus")
        room = min(room, (gpus() if has is None else has) / each["num_gpus"])
    return int(room)


def _require_numbers(launcher: Mapping[str, Any]) -> None:
    problems = []
    for path, least in LEAST.items():
        value: Any = launcher
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value < math.inf:
            problems.append(f"hydra.launcher.{path} must be at least {least}, got {value}")
    if problems:
        raise ConfigError(*problems)


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
