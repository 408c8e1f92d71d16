"""From the words of a command line to checked runs: Hydra composes, tgap builds and explains.

Hydra stops at the first mistake. Here wrong values are gathered: the override that cannot be used
is noted and left out, and the rest is composed again, until nothing new is found.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap import registry
from tgap.config import Run
from tgap.errors import ConfigError
from tgap.suggest import nearest

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

CONFIG_NAME = "config"


def conf_folder() -> Path:
    """Folder of the configs: beside the package in a checkout, inside it when installed."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "conf"


@contextmanager
def hydra_ready(config_dir: str | None = None) -> Iterator["Hydra"]:
    """Hydra with tgap's configs and schemas, and those of ``config_dir`` before them."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton
    from hydra.version import setbase

    state = Singleton.get_state()
    setbase("1.3")
    registry.register(Run)
    search_path = create_config_search_path(str(conf_folder()))
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise ConfigError([f"--config-dir: there is no folder '{folder}'"])
        anchor = SearchPathQuery(provider="schema", path=None)
        search_path.prepend("command-line", f"file://{folder}", anchor)
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2(task_name="tgap", config_search_path=search_path)
    finally:
        GlobalHydra.instance().clear()
        Singleton.set_state(state)


def expand(hydra: "Hydra", overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of each run of a sweep, in Hydra's own order.

    Raises:
        ConfigError: If an override cannot be parsed, or Hydra would make other runs of them (a
            sweeper of its own, ``hydra.sweeper.params``), which could not be checked beforehand.
    """
    for override in overrides:
        if override.lstrip("+~").startswith(("hydra/sweeper", "hydra.sweeper")):
            raise ConfigError(
                [f"{override}: tgap checks every run of a sweep before the first one starts, so "
                 "it sweeps over commas on the command line only (key=1,2 -m)"]
            )  # fmt: skip
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create(hydra.config_loader).parse_overrides(list(overrides))
        batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except HydraException as error:
        raise ConfigError([f"the command line cannot be read: {error}"]) from error
    return [list(job) for batch in batches for job in batch]


def compose_run(hydra: "Hydra", overrides: Sequence[str]) -> Run:
    """Compose and build one run.

    Raises:
        ConfigError: With all wrong values together, or one unknown name.
    """
    from omegaconf.errors import OmegaConfBaseException

    problems: list[str] = []
    remaining = list(overrides)
    while True:
        try:
            config = _composed(hydra, remaining)
            break
        except _WrongValueError as wrong:
            problems.append(wrong.problem)
            kept = [o for o in remaining if _key(o) != wrong.key]
            if len(kept) == len(remaining):  # the wrong value is not an override: a file's
                raise ConfigError(problems) from wrong
            remaining = kept
        except _UnknownKeyError as unknown:
            others = [o for o in remaining if _key(o) != unknown.key]
            told = _unknown_key(hydra, unknown.key, others)
            raise ConfigError([*problems, told]) from unknown
    try:
        run = build_run(config)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from error
    except OmegaConfBaseException as error:
        raise ConfigError([*problems, f"a reference cannot be resolved: {error}"]) from error
    if problems:
        raise ConfigError(problems)
    return run


def build_run(config: "DictConfig") -> Run:
    """Build a run from a composed configuration."""
    from omegaconf import OmegaConf

    data: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return registry.build(Run, {key: value for key, value in data.items() if key != "hydra"})


def sound_parts(hydra: "Hydra", overrides: Sequence[str]) -> dict[str, Any]:
    """Of a run that cannot be built, the components and settings that can, by their names.

    None if it cannot even be composed.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = _composed(hydra, list(overrides))
        data: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except (ConfigError, OmegaConfBaseException, _UnknownKeyError, _WrongValueError):
        return {}
    return registry.build_parts(Run, data)


class _UnknownKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _WrongValueError(Exception):
    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key, self.problem = key, problem


def _composed(hydra: "Hydra", overrides: list[str]) -> "DictConfig":
    """Compose with Hydra, its errors put into words."""
    import yaml  # type: ignore[import-untyped]
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = hydra.compose_config(
            config_name=CONFIG_NAME,
            overrides=overrides,
            run_mode=RunMode.RUN,
            with_log_configuration=False,
        )
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explained(error) from error
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise ConfigError([f"a config file is no YAML: {told}"]) from error
    with open_dict(config):
        del config["hydra"]
    return config


def _explained(error: Exception) -> Exception:
    """A Hydra or OmegaConf error in words: a wrong value, or an unknown name."""
    cause = error.__cause__ or error
    text = f"{error}\n{cause}"
    group = re.search(r"Could not find '([\w/]+)/([\w.-]+)'", text)
    if group and group[1] in (*registry.GROUPS, "profile"):
        broken = registry.load_problem(group[1], group[2])
        return broken or ConfigError(
            [f"no {group[1]} is named '{group[2]}'{nearest(group[2], options(group[1]))}"]
        )
    several = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if several:
        return ConfigError([f"{several[1]} has several values: add -m to sweep over them"])
    override = re.search(r"Could not override '([^']+)'", text)
    part = re.search(r"Could not override '([^']+)'\.\s+No match in the defaults list", text)
    if part:
        head, _, last = part[1].rpartition("/")
        return ConfigError([f"{part[1]}: the {head or 'run'} that is chosen has no part '{last}'"])
    missing = re.search(r"Key '([^']+)' (?:is )?not in", text)
    if missing:
        return _UnknownKeyError(override[1] if override else missing[1])
    value = re.search(r"Value '(.*?)' .*?could not be converted to (\w+)", text, re.DOTALL)
    full_key = re.search(r"full_key: (\S+)", text)
    if value and full_key:
        kind = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
        wanted = kind.get(value[2], value[2])
        return _WrongValueError(full_key[1], f"{full_key[1]} must be {wanted}, got '{value[1]}'")
    merging = re.search(r"Error merging override ([^=]+)=", text)
    if merging and error.__cause__ is not None:
        return ConfigError([f"{merging[1]}: {str(cause).splitlines()[0]}"])
    return ConfigError([" ".join(line.strip() for line in str(error).splitlines() if line.strip())])


def options(group: str) -> list[str]:
    """All that may stand behind ``group=``: presets and bare components."""
    presets = {file.stem for file in (conf_folder() / group).glob("*.yaml")}
    return sorted(presets | set(registry.names(group) if group in registry.GROUPS else []))


def _unknown_key(hydra: "Hydra", key: str, overrides: list[str]) -> str:
    """A sentence about a key that does not exist, with the nearest of its level."""
    from omegaconf import OmegaConf

    head, _, last = key.rpartition(".")
    try:
        config = _composed(hydra, overrides)
    except (ConfigError, _UnknownKeyError, _WrongValueError):
        return f"unknown key '{key}'"  # another override is wrong too, so the level is not known
    level = OmegaConf.select(config, head) if head else config
    known = [str(name) for name in level if name != "_target_"] if hasattr(level, "keys") else []
    known += [] if head else ["profile"]
    return f"unknown key '{key}'{nearest(last, sorted(known))}"


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~").replace("/", ".")
