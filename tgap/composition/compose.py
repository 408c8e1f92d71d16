"""From the words of a command line to checked runs: Hydra composes, tgap builds and explains.

Hydra stops at the first mistake. Here wrong values are gathered: the override that cannot be used
is noted and left out, and the rest is composed again, until nothing new is found.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from tgap.composition import building
from tgap.composition.config import Run
from tgap.composition.explain import UnknownKeyError, WrongValueError, explained, key_of, unresolved
from tgap.composition.hydra_node import composed_safely, secrets_in
from tgap.composition.onto import Composed, references_in
from tgap.composition.registry import conf_folder
from tgap.composition.typed import parsed, readable, require_options, require_texts
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
    from hydra.version import setbase

    from tgap.composition.config_store import register

    search_path = create_config_search_path(str(conf_folder()))
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise ConfigError(f"--config-dir: there is no folder '{folder}'")
        anchor = SearchPathQuery(provider="schema", path=None)
        search_path.prepend("command-line", f"file://{folder}", anchor)
    with _hydras_state_kept():
        setbase("1.3")
        register(Run)
        GlobalHydra.instance().clear()
        yield Hydra.create_main_hydra2(task_name="tgap", config_search_path=search_path)


@contextmanager
def _hydras_state_kept() -> Iterator[None]:
    """Afterwards Hydra's global state is what it was: it may be that of another program.

    Hydra's own way copies each schema before, and imports each plugin anew afterwards, which takes
    longer than to compose a run.
    """
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins
    from hydra.core.singleton import Singleton
    from omegaconf.basecontainer import BaseContainer

    Plugins.instance()  # whose schemas are to be in the store every time
    store = ConfigStore.instance()
    shared = (Plugins, ConfigStore, SourcesRegistry)
    instances = {
        cls: one if cls in shared else deepcopy(one) for cls, one in Singleton._instances.items()
    }
    repository, resolvers = _folders_copied(store.repo), dict(BaseContainer._resolvers)
    try:
        yield
    finally:
        Singleton._instances = instances
        store.repo, BaseContainer._resolvers = repository, resolvers


def _folders_copied(folder: dict[str, Any]) -> dict[str, Any]:
    """Of Hydra's store; what is in them is the same."""
    return {
        name: _folders_copied(node) if isinstance(node, dict) else node
        for name, node in folder.items()
    }


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
) -> "DictConfig":
    """A configuration that Hydra can show, whether or not it is one of a run.

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
    return config


def job_in_yaml(config: "DictConfig", part: str | None, resolve: bool) -> str:
    """What Hydra's ``--cfg job`` prints, which would compose it a second time.

    Args:
        config: From ``require_composable``.
        part: That is to be shown, if not all.
        resolve: Whether references are put in.
    """
    from omegaconf import Container, OmegaConf

    shown = config if part in (None, "_global_") else OmegaConf.select(config, part)
    if not isinstance(shown, Container):
        return f"{shown}\n"
    if resolve:
        OmegaConf.resolve(shown)
    return (f"# @package {part}\n" if shown is not config else "") + OmegaConf.to_yaml(shown)


def composed_sweep(hydra: "Hydra", overrides: Sequence[str]) -> "DictConfig":
    """What Hydra composes of a whole sweep: where it writes, and what launches the runs.

    Args:
        hydra: Ready to compose.
        overrides: Words, what is swept as a choice; see ``all_swept``.

    Raises:
        ConfigError: If it cannot, e.g. because a launcher has no such setting.
    """
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf.errors import OmegaConfBaseException

    try:
        return composed_safely(hydra, CONFIG_NAME, overrides, RunMode.MULTIRUN)
    except (HydraException, OmegaConfBaseException) as error:
        told = explained(error)
    if isinstance(told, UnknownKeyError):
        others = [word for word in overrides if key_of(word) != told.key]
        told = ConfigError(told.problem or _unknown_key(hydra, told.key, others))
    raise ConfigError(told.problem) if isinstance(told, WrongValueError) else told


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


_bases: "WeakKeyDictionary[Hydra, dict[tuple[str, ...], list[Composed]]]" = WeakKeyDictionary()
"""By the words that choose among groups what they compose, and what the newest run made of it: a
sweep's runs mostly differ in plain values only, and Hydra takes a tenth of a second for one."""
_groups: "WeakKeyDictionary[Hydra, dict[str, bool]]" = WeakKeyDictionary()
"""Whether a key is a group's, which Hydra looks up in all folders of configs."""


def composed(hydra: "Hydra", overrides: list[str]) -> "DictConfig":
    """Compose with Hydra, its errors put into words.

    Raises:
        UnknownKeyError: If there is no key or part that a word names.
        WrongValueError: If a value is of the wrong type.
        ConfigError: If it cannot be composed for another reason.
    """
    import yaml  # type: ignore[import-untyped]
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    bases, choices = _bases.setdefault(hydra, {}), tuple(overrides)
    try:
        read = [parsed(word) for word in overrides]
        require_options(read)
        values = plain_values(hydra, read)
        choices = tuple(o for o, word in zip(overrides, read, strict=True) if word not in values)
        if choices not in bases:
            base = _composed_by_hydra(hydra, choices)
            references = references_in(OmegaConf.to_container(base))
            bases[choices] = [Composed(base, references=tuple(references))]
        config = _with_values(bases[choices], values)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise explained(error) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"a config file is no YAML: {' '.join(str(error).split())}") from error
    except (OSError, RecursionError) as error:
        why = "refers to itself" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(
            f"a config file that {' '.join(choices) or 'the run'} leads to cannot be read ({why}); "
            "it must hold lines 'name: value', and no reference to itself"
        ) from error
    return config


def _with_values(bases: list[Composed], values: Sequence["Override"]) -> "DictConfig":
    """Values put onto what was composed; it becomes the newest.

    Args:
        bases: What the choices among groups compose, and the newest run that was made of it.
        values: Of this run.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    base, new = bases[-1], bases[-1].lacking(values)
    if new is None:
        base, new = bases[0], list(values)
    config = base.copied(new)
    require_texts(new, config)
    ConfigLoaderImpl._apply_overrides_to_config(new, config)
    if problems := secrets_in({o.key_or_group: o.value() for o in new}):
        raise ConfigError(*problems)
    referring = (o.key_or_group for o in new if "${" in str(o.input_line))
    bases[1:] = [Composed(config, values, (*base.references, *referring))]
    return config


def plain_values(hydra: "Hydra", overrides: Sequence["Override"]) -> list["Override"]:
    """The overrides of values, which Hydra puts one after another onto what the others compose.

    As Hydra divides them: a dictionary is a value, also where it is given to a group.
    """
    return [
        override
        for override in overrides
        if not (_is_of_hydra(override) or override.is_sweep_override() or override.package)
        if isinstance(override.value(), dict) or not _is_group(hydra, override.key_or_group)
    ]


def _is_group(hydra: "Hydra", key: str) -> bool:
    known = _groups.setdefault(hydra, {})
    if key not in known:
        loader = cast("ConfigLoaderImpl", hydra.config_loader)
        known[key] = loader.repository.group_exists(key)
    return known[key]


def _is_of_hydra(override: "Override") -> bool:
    return override.key_or_group == "hydra" or override.is_hydra_override()


def _composed_by_hydra(hydra: "Hydra", overrides: Sequence[str]) -> "DictConfig":
    from hydra.types import RunMode
    from omegaconf import open_dict

    config = composed_safely(hydra, CONFIG_NAME, overrides, RunMode.RUN)
    with open_dict(config):
        del config["hydra"]
    return config


def _unknown_key(hydra: "Hydra", key: str, overrides: list[str]) -> str:
    """A sentence about a key that does not exist, with the nearest where it leaves what is there.

    Args:
        hydra: Ready to compose.
        key: With dots.
        overrides: The other words.
    """
    from omegaconf import DictConfig

    try:
        hydras = key.startswith("hydra")
        level: Any = _hydras(hydra, overrides) if hydras else composed(hydra, overrides)
    except (ConfigError, UnknownKeyError, WrongValueError):
        return f"unknown key '{key}'"  # another override is wrong too, so the level is not known
    names, path = key.split("."), list[str]()
    if key.startswith("hydra"):
        level = {"hydra": level}
    while len(names) > 1 and names[0] in level:
        level, path = level[names[0]], [*path, names.pop(0)]
        if not isinstance(level, DictConfig):
            return f"unknown key '{key}': {'.'.join(path)} has no settings of its own"
    there = [str(name) for name in level if name != "_target_"]
    there += [] if path else ["profile"]
    return f"unknown key '{key}'{nearest(names[0], sorted(there))}"


def _hydras(hydra: "Hydra", overrides: Sequence[str]) -> "DictConfig":
    """Hydra's own node, as it is when nothing is said but which launcher."""
    from hydra.types import RunMode

    launcher = [word for word in overrides if word.startswith("hydra/launcher=")]
    node: DictConfig = hydra.compose_config(CONFIG_NAME, launcher, RunMode.RUN).hydra
    return node
