"""From the words of a command line to checked runs: Hydra composes, tgap builds and explains.

Hydra stops at the first mistake. Here wrong values are gathered: the override that cannot be used
is noted and left out, and the rest is composed again, until nothing new is found.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from tgap.composition import building, schema
from tgap.composition.config import Run
from tgap.composition.explain import UnknownKeyError, WrongValueError, explained, key_of, unresolved
from tgap.composition.registry import conf_folder
from tgap.composition.typed import readable, require_texts
from tgap.core import ConfigError, nearest

if TYPE_CHECKING:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

CONFIG_NAME = "config"


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
    schema.register(Run)
    search_path = create_config_search_path(str(conf_folder()))
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise ConfigError(f"--config-dir: there is no folder '{folder}'")
        anchor = SearchPathQuery(provider="schema", path=None)
        search_path.prepend("command-line", f"file://{folder}", anchor)
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2(task_name="tgap", config_search_path=search_path)
    finally:
        GlobalHydra.instance().clear()
        Singleton.set_state(state)


def compose_run(hydra: "Hydra", overrides: Sequence[str]) -> Run:
    """Compose and build one run.

    Raises:
        ConfigError: With all wrong values together, or one unknown name.
    """
    from omegaconf.errors import OmegaConfBaseException

    config, problems = _without_wrong_values(hydra, overrides)
    try:
        run = build_run(config)
    except ConfigError as error:
        raise ConfigError(*problems, *error.problems) from error
    except OmegaConfBaseException as error:
        raise ConfigError(*problems, unresolved(error)) from error
    if problems:
        raise ConfigError(*problems)
    return run


def require_composable(
    hydra: "Hydra", overrides: Sequence[str], part: str | None, resolve: bool
) -> None:
    """See that Hydra can show a configuration, whether or not it is one of a run.

    Args:
        hydra: Ready to compose.
        overrides: The words of one run.
        part: That is to be shown, if not all.
        resolve: Whether references are to be put in.

    Raises:
        ConfigError: If it cannot.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config, problems = _without_wrong_values(hydra, overrides)
    if problems:
        raise ConfigError(*problems)
    if part and not part.startswith("hydra") and OmegaConf.select(config, part) is None:
        raise ConfigError(f"--package: there is no '{part}'{nearest(part, [*map(str, config)])}")
    try:
        OmegaConf.to_container(config, resolve=resolve)
    except OmegaConfBaseException as error:
        raise ConfigError(unresolved(error)) from error


def _without_wrong_values(
    hydra: "Hydra", overrides: Sequence[str]
) -> "tuple[DictConfig, list[str]]":
    """What words compose but for those whose value has the wrong type, and what is wrong there."""
    problems: list[str] = []
    remaining = readable(overrides)
    while True:
        try:
            return composed(hydra, remaining), problems
        except WrongValueError as wrong:
            problems.append(wrong.problem)
            kept = [o for o in remaining if key_of(o) != wrong.key]
            if len(kept) == len(remaining):  # the wrong value is not an override: a file's
                raise ConfigError(*problems) from wrong
            remaining = kept
        except UnknownKeyError as unknown:
            others = [o for o in remaining if key_of(o) != unknown.key]
            problem = unknown.problem or _unknown_key(hydra, unknown.key, others)
            raise ConfigError(*problems, problem) from unknown


def build_run(config: "DictConfig") -> Run:
    """Build a run from a composed configuration."""
    from omegaconf import OmegaConf

    data: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return building.build(Run, {key: value for key, value in data.items() if key != "hydra"})


def sound_parts(hydra: "Hydra", overrides: Sequence[str]) -> dict[str, Any]:
    """Of a run that cannot be built, the components and settings that can, by their names.

    None of them if it cannot even be composed.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = composed(hydra, list(overrides))
        data: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except (ConfigError, OmegaConfBaseException, UnknownKeyError, WrongValueError):
        return {}
    return building.build_parts(Run, data)


_bases: "WeakKeyDictionary[Hydra, dict[tuple[str, ...], DictConfig]]" = WeakKeyDictionary()
"""By the words that choose among groups: a sweep's runs mostly differ in plain values only, and
Hydra takes a tenth of a second to compose one."""


def composed(hydra: "Hydra", overrides: list[str]) -> "DictConfig":
    """Compose with Hydra, its errors put into words.

    Raises:
        UnknownKeyError: If there is no key or part that a word names.
        WrongValueError: If a value is of the wrong type.
        ConfigError: If it cannot be composed for another reason.
    """
    import yaml  # type: ignore[import-untyped]
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    bases = _bases.setdefault(hydra, {})
    try:
        parsed = OverridesParser.create(hydra.config_loader).parse_overrides(overrides)
        values = plain_values(hydra, parsed)
        choices = tuple(o for o, read in zip(overrides, parsed, strict=True) if read not in values)
        if choices not in bases:
            bases[choices] = _composed_by_hydra(hydra, choices)
        config: DictConfig = copy.deepcopy(bases[choices])
        require_texts(values, config)
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise explained(error) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"a config file is no YAML: {' '.join(str(error).split())}") from error
    return config


def plain_values(hydra: "Hydra", overrides: Sequence["Override"]) -> list["Override"]:
    """The overrides of values, which Hydra puts one after another onto what the others compose.

    As Hydra divides them: a dictionary is a value, also where it is given to a group.
    """
    loader = cast("ConfigLoaderImpl", hydra.config_loader)
    return [
        override
        for override in overrides
        if not (override.is_hydra_override() or override.is_sweep_override() or override.package)
        if isinstance(override.value(), dict)
        or not loader.repository.group_exists(override.key_or_group)
    ]


def _composed_by_hydra(hydra: "Hydra", overrides: Sequence[str]) -> "DictConfig":
    from hydra.types import RunMode
    from omegaconf import open_dict

    config = hydra.compose_config(
        config_name=CONFIG_NAME,
        overrides=list(overrides),
        run_mode=RunMode.RUN,
        with_log_configuration=False,
    )
    with open_dict(config):
        del config["hydra"]
    return config


def _unknown_key(hydra: "Hydra", key: str, overrides: list[str]) -> str:
    """A sentence about a key that does not exist, with the nearest of its level."""
    from omegaconf import OmegaConf

    head, _, last = key.rpartition(".")
    try:
        config = composed(hydra, overrides)
    except (ConfigError, UnknownKeyError, WrongValueError):
        return f"unknown key '{key}'"  # another override is wrong too, so the level is not known
    level = OmegaConf.select(config, head) if head else config
    keys = [str(name) for name in level if name != "_target_"] if hasattr(level, "keys") else []
    keys += [] if head else ["profile"]
    return f"unknown key '{key}'{nearest(last, sorted(keys))}"
