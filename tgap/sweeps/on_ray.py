"""Ray, where ``hydra/launcher=ray``: begun here or running already, and told what a sweep is."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.core import ConfigError
from tgap.core.files import home_folder
from tgap.core.words import quoted
from tgap.sweeps.launching import kind_of
from tgap.sweeps.stopping import NOTE
from tgap.sweeps.task import RUNS_VARIABLE, SWEEP_VARIABLE

if TYPE_CHECKING:
    from omegaconf import DictConfig

LEAST_MEMORY = 78_643_200
"""Bytes for what Ray's processes share, as its launcher has it."""
SENT = (SWEEP_VARIABLE, RUNS_VARIABLE, NOTE)


@contextmanager
def ended_afterwards(launcher: Mapping[str, Any]) -> Iterator[None]:
    """End what ``begin`` starts inside; the next sweep may have other variables and folders."""
    if kind_of(launcher) != "RayLauncher":
        yield
        return
    import ray

    ours = not ray.is_initialized()
    try:
        yield
    finally:
        if ours:
            ray.shutdown()


def begin(launcher: Mapping[str, Any]) -> None:
    """Start what a launcher would start itself, so that its signal handlers are not the last ones.

    Ray ends a command at SIGTERM by a handler of its own, and its processes with it.

    Raises:
        ConfigError: If no cluster answers at an address.
    """
    if kind_of(launcher) != "RayLauncher":
        return
    import ray
    from omegaconf import OmegaConf

    init: Any = OmegaConf.to_container(launcher["ray"]["init"], resolve=True)
    if not init.get("address"):  # Ray would look for a cluster first
        init = {"object_store_memory": LEAST_MEMORY} | init | {"address": "local"}
    if ray.is_initialized():
        return
    try:
        ray.init(**init)
    except ConnectionError as error:
        raise ConfigError(
            f"no Ray cluster answers at hydra.launcher.ray.init.address={init['address']} "
            f"({error}); see that it runs (ray status); if ray start told that token "
            "authentication is enabled, set RAY_AUTH_MODE=token here too"
        ) from error


def reaching_workers(config: "DictConfig") -> None:
    """Have a launcher's processes work as if this one had begun them; changes the configuration.

    Ray's have the variables and the folder that ``ray start`` was typed in. Only ``TGAP_HOME`` and
    what a sweep sets itself are sent, as Ray writes them into its logs.

    Args:
        config: Of the sweep, with Hydra's node.
    """
    if kind_of(config.hydra.launcher) != "RayLauncher":
        return
    from omegaconf import OmegaConf, open_dict

    sent = {name: os.environ[name] for name in SENT if name in os.environ}
    sent["TGAP_HOME"] = str(home_folder())
    remote = config.hydra.launcher.ray.remote
    with open_dict(remote):
        asked: Any = OmegaConf.to_container(remote, resolve=True)
        runtime = asked.get("runtime_env") or {}
        remote.runtime_env = runtime | {"env_vars": sent | (runtime.get("env_vars") or {})}
    folder = quoted(str(Path(config.hydra.sweep.dir).absolute()))
    config.hydra.overrides.hydra.append(f"hydra.sweep.dir={folder}")
