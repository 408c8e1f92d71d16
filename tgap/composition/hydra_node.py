"""What Hydra's own node may hold: it can build objects, load modules and write anywhere.

A file of a ``--config-dir`` or of ``hydra.searchpath`` may be a stranger's, so it sets a launcher's
numbers there and nothing else. What is typed may set more, but names no class that is not known
here. Both are looked at before Hydra makes a callback, a launcher, a sweeper or a log.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from tgap.core import ConfigError
from tgap.core.secrets import SECRET_NAME

if TYPE_CHECKING:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra
    from hydra.types import RunMode
    from omegaconf import DictConfig

LOG_CLASSES = (
    "colorlog.ColoredFormatter",
    "logging.FileHandler",
    "logging.NullHandler",
    "logging.StreamHandler",
    "tgap.core.progress.LogFile",
    "tgap.core.progress.LogLines",
    "tgap.core.secrets.MaskedFormatter",
)
"""Of handlers and formatters: the shipped ones and those of Hydra's own logging presets."""
EXTRAS = {
    "hydra_joblib_launcher": "joblib",
    "hydra_ray_launcher": "ray",
    "hydra_submitit_launcher": "slurm",
}
"""Packages of launchers that have a preset here, and the extra that installs each."""
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
LOG_FILE = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
BUILT = ("callbacks", "hydra_logging", "job_logging", "launcher", "sweeper")
"""Parts of Hydra's node of which objects are made."""
REFERENCES = (LOG_FILE, "${hydra.sweep.dir}/.submitit/%j", "${hydra.job.name}")
"""What may be referred to there: a reference may lead to anything that is looked at elsewhere."""
LAUNCHER_SETTINGS = frozenset(
    "account array_parallelism backend batch_size comment constraint cpus_per_gpu cpus_per_task "
    "exclude gpus_per_node gpus_per_task gres max_num_timeout mem_gb mem_per_cpu mem_per_gpu "
    "n_jobs name nodes num_cpus num_gpus partition pre_dispatch prefer qos signal_delay_s "
    "stderr_to_stdout tasks_per_node timeout timeout_min verbose".split()
)
"""Settings of launchers that say how much and where, and hold no command."""
PLAIN_VALUE = re.compile(r"[\w .,:=/@+%*-]*")
"""Of a launcher's setting: one line, which ends no line of a Slurm script."""
FROM_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:\s*(\w*)\s*([^\w\s,}])?")


def composed_safely(
    hydra: "Hydra", config_name: str, overrides: Sequence[str], run_mode: "RunMode"
) -> "DictConfig":
    """What Hydra composes, its own node included, if that runs nothing that is not known here.

    Args:
        hydra: Ready to compose.
        config_name: The first config.
        overrides: Words.
        run_mode: For one run, or for a sweep.

    Raises:
        ConfigError: If it would run something, or names a folder of configs that is not there.
    """
    from omegaconf import OmegaConf

    _require_none(_set_by_files(hydra, config_name, overrides, run_mode))
    try:
        config = hydra.compose_config(config_name, list(overrides), run_mode)
    except KeyError as error:  # as Hydra copies from the environment
        raise ConfigError(
            f"hydra.job.env_copy: the environment variable {error} is not set; leave it out"
        ) from error
    node: dict[str, Any] = OmegaConf.to_container(config.hydra)  # type: ignore[assignment]
    _require_none(_named_classes(node))
    _require_none([*_odd_folders(node), *secrets_in(OmegaConf.to_container(config))])
    return config


def _require_none(problems: Iterable[str]) -> None:
    if told := list(dict.fromkeys(problems)):
        raise ConfigError(*told)


def secrets_in(data: Any) -> list[str]:
    """References to environment variables that look like secrets: values are logged."""
    problems = []
    for path, value in _leaves(data, ""):
        for name, computed in FROM_ENVIRONMENT.findall(value) if isinstance(value, str) else ():
            if computed or not name or SECRET_NAME.search(name):
                shown = name or "a computed name"
                problems.append(
                    f"{path}: the environment variable {shown} may be a secret, and a "
                    "configuration's values are logged and shown; libraries read their secrets "
                    "from the environment themselves: leave it out here"
                )
    return problems


def _leaves(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Values with their paths, keys included."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list | tuple):
        for number, value in enumerate(data):
            yield from _leaves(value, f"{path}.{number}")
    else:
        yield path, data


def _set_by_files(
    hydra: "Hydra", config_name: str, overrides: Sequence[str], run_mode: "RunMode"
) -> Iterator[str]:
    """What files of further folders set in Hydra's node."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.defaults_list import create_defaults_list
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    loader = cast("ConfigLoaderImpl", hydra.config_loader)
    # Read here again, which takes a tenth of a second: only where there are such folders.
    named = any("searchpath" in word for word in overrides)
    if not named and not any(_is_further(one.provider) for one in loader.get_sources()):
        return
    words, repository = ConfigLoaderImpl._parse_overrides_and_create_caching_repo(
        loader, config_name, list(overrides)
    )
    further = [one for one in repository.get_sources() if _is_further(one.provider)]
    for source in further:
        if not source.available():
            yield (
                f"hydra.searchpath: there is no '{source.full_path()}'; name folders of configs "
                "by file:///FOLDER, and packages by pkg://PACKAGE"
            )
    if not any(source.available() for source in further):
        return
    found = create_defaults_list(
        repo=repository,
        config_name=config_name,
        overrides_list=words,
        prepend_hydra=True,
        skip_missing=run_mode == RunMode.MULTIRUN,
    )
    for default in found.defaults:
        loaded = repository.load_config(default.config_path) if default.config_path else None
        if loaded is None or not _is_further(loaded.provider):
            continue
        content: Any = OmegaConf.to_container(loaded.config)
        for name in reversed((default.package or "").split(".")):
            content = {name: content} if name else content
        for path, value in _leaves(content.get("hydra") or {}, "hydra"):
            if not _is_launcher_setting(path, value):
                yield (
                    f"{default.config_path}.yaml: a file may not set {path}, because Hydra's own "
                    "settings can run code and write anywhere; of hydra.launcher it may set "
                    f"numbers and names such as timeout_min; if you mean it, type {path}=... in "
                    "the command"
                )


def _is_further(provider: str) -> bool:
    """Whether a folder of configs is neither tgap's, Hydra's nor an installed plugin's."""
    return provider == "command-line" or provider.startswith("hydra.searchpath")


def _is_launcher_setting(path: str, value: Any) -> bool:
    *above, name = path.split(".")
    plain = not isinstance(value, str) or PLAIN_VALUE.fullmatch(value) is not None
    return above[:2] == ["hydra", "launcher"] and name in LAUNCHER_SETTINGS and plain


def _named_classes(node: Mapping[str, Any]) -> Iterator[str]:
    """Classes and functions that Hydra, or Python's logging for it, would load and call."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.launcher import Launcher
    from hydra.plugins.sweeper import Sweeper

    plugins = Plugins.instance().class_name_to_class
    kinds = {"hydra.launcher._target_": Launcher, "hydra.sweeper._target_": Sweeper}
    for path, value in _leaves(node, "hydra"):
        name = path.rpartition(".")[2]
        in_logging = path.startswith(("hydra.job_logging.", "hydra.hydra_logging."))
        text = value if isinstance(value, str) else ""
        allowed: Sequence[str] | None = None
        if name == "_target_":
            kind = kinds.get(path)
            allowed = [n for n, cls in plugins.items() if kind and issubclass(cls, kind)]
        elif in_logging and name in ("class", "()"):
            allowed = LOG_CLASSES
        elif in_logging and ("://" in text or ".." in path):
            allowed = [*STREAMS, LOG_FILE]
        elif "${" in text and path.split(".")[1] in BUILT:
            allowed = REFERENCES
        if allowed is None or value in allowed:
            continue
        package = text.split(".")[1] if text.startswith("hydra_plugins.") else ""
        if path == "hydra.launcher._target_" and package in EXTRAS:
            yield (
                f"hydra/launcher: {package} is not installed; install it by "
                f"pip install 'tgap[{EXTRAS[package]}]', or leave hydra/launcher out to do one "
                "run after another"
            )
        else:
            there = f"known here: {', '.join(sorted(allowed))}" if allowed else "nothing may be"
            yield (
                f"{path}: '{value}' is not loaded, because a configuration may not run code "
                f"({there}); leave it out"
            )


def _odd_folders(node: Mapping[str, Any]) -> Iterator[str]:
    """Hydra's folders without a name, and modes that tgap's own flags choose."""
    for path in ("run.dir", "sweep.dir", "sweep.subdir"):
        part, name = path.split(".")
        if not str(node[part][name]).strip():
            yield (
                f"hydra.{path} must name a folder for logs and pictures, got ''; leave it out for "
                "outputs/DATE/TIME (multirun/DATE/TIME with -m)"
            )
    subdir = node["output_subdir"]
    if (subdir is not None and len(PurePath(subdir).parts) != 1) or subdir == "..":
        yield (
            "hydra.output_subdir must be one folder's name, such as .hydra, or null, got "
            f"'{subdir}'"
        )
    for name in (*node["job"]["env_set"], *node["job"]["env_copy"]):
        if SECRET_NAME.search(name) or name == "TGAP_TRUSTED":
            yield f"hydra.job.env_set: {name} is kept in no file; export it in the shell instead"
    if node["mode"] is not None and str(node["mode"]).rpartition(".")[2] != "RUN":
        yield "hydra.mode is chosen by a flag: leave it out, and add -m for a sweep"
