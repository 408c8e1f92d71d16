"""What commands share: Hydra's overrides, with their completion, and the flags beside them.

Groups, options and keys come from Hydra's own completion, so configs of ``--config-dir`` and the
keys of the components that the line has chosen so far are offered too. Choices and booleans are
added from the components' fields, which Hydra's schema does not know.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tgap.core import TgapError
from tgap.core.files import expanded

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

    from tgap.core.component import Checked

Callback = TypeVar("Callback", bound=Callable[..., Any])


class _Path(click.Path):
    """A path, in which ``~`` is the home folder: a shell leaves it in ``--real=~/images``."""

    def convert(self, value: Any, *context: Any) -> Any:
        return super().convert(expanded(value), *context)


PATH = _Path(path_type=Path)
multirun_flag = click.option("-m", "--multirun", is_flag=True, help="sweep over values with commas")


def takes_overrides(callback: Callback) -> Callback:
    """Let a command take overrides, among its flags in any order, and a folder of configs."""
    return _takes(callback, "overrides", "[group=option ...] [key=value ...]")


def takes_run(callback: Callback) -> Callback:
    """Let a command take the name of a run as ``words``: a key, an id, or overrides."""
    return _takes(callback, "words", "RUN")


def _takes(callback: Callback, name: str, metavar: str) -> Callback:
    overrides = click.argument(
        name,
        nargs=-1,
        required=name == "words",
        type=click.UNPROCESSED,
        metavar=metavar,
        shell_complete=next_overrides,
    )
    config_dir = click.option(
        "-cd",
        "--config-dir",
        type=_Path(path_type=str),
        metavar="DIR",
        help="folder of further configs",
    )
    return overrides(config_dir(callback))


def next_overrides(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """Overrides that may stand in place of a line's last word.

    Args:
        context: With the overrides and the folder of configs that are there already.
        parameter: The overrides.
        word: The last word.

    Returns:
        Whole words, sorted; those that end in ``=``, ``.`` or ``/`` go on. None where a file may
        stand, or the line cannot be understood.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from tgap.composition.compose import hydra_ready
    from tgap.composition.typed import readable

    key, equals, value = word.partition("=")
    done, comma, rest = value.rpartition(",")  # several values of a sweep: the last is completed
    if rest.startswith((".", "/", "~")):
        return []
    try:
        with hydra_ready(context.params["config_dir"]) as hydra:
            typed = readable(context.params[parameter.name or ""], several=True)
            words = _query(hydra, typed, key + equals + rest)
    except (TgapError, HydraException, OmegaConfBaseException, ValueError):
        return []  # an unfinished or mistaken line; running it tells what is wrong
    if comma:
        words = [f"{key}={done},{text.removeprefix(key + '=')}" for text in words]
    return sorted(set(words))


def _query(hydra: "Hydra", overrides: Sequence[str], word: str) -> list[str]:
    """Groups and keys as Hydra's completion has them, and the values that a field may take."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.errors import HydraException
    from hydra.types import RunMode

    from tgap.composition.compose import CONFIG_NAME

    engine = BashCompletion(hydra.config_loader)
    groups, is_option = engine._query_config_groups(word, CONFIG_NAME, list(overrides))
    words = [name for group in groups for name in _ways_on(group)]
    if not is_option:
        try:
            config = hydra.config_loader.load_configuration(
                CONFIG_NAME, list(overrides), RunMode.MULTIRUN
            )
        except HydraException:  # another word is wrong; the groups are there all the same
            return words
        values = _values(config, word) if "=" in word else []
        words += values or _keys(config, engine._get_matches(config, word))
    return [name for name in words if word.startswith("hydra") or not name.startswith("hydra")]


def _ways_on(group: str) -> list[str]:
    """A group as Hydra names it; if it has sub-groups, both ways to go on."""
    from tgap.composition import registry

    if group[-1] in "=/" or "=" in group or group.startswith("~"):
        return [group]
    return [f"{group}=", f"{group}/"] if group in registry.GROUPS else [f"{group}/"]


def _keys(config: "DictConfig", matches: Iterable[str]) -> list[str]:
    """Keys without those of the registry; a list is given a value, and not gone into."""
    from omegaconf import OmegaConf

    keys = []
    for text in matches:
        if text.endswith(".") and OmegaConf.is_list(OmegaConf.select(config, text[:-1])):
            keys.append(f"{text[:-1]}=")
        elif "_target_" not in text:
            keys.append(text)
    return keys


def _values(config: Any, word: str) -> list[str]:
    """The values that the field of ``key=...`` may take; none if they are not a few."""
    from tgap.composition.config import Run
    from tgap.composition.fields import parts_of

    key, _, _ = word.partition("=")
    *path, name = key.split(".")
    cls: type[Checked] | None = Run
    for part in path:
        config = config.get(part)
        if config is None or cls is None:
            return []
        target = config.get("_target_")
        cls = _components().get(target) if target else parts_of(cls).get(part)
    if cls is None:
        return []
    choices = {f.name: f.metadata.get("choices") for f in dataclasses.fields(cls)}
    is_bool = name in choices and typing.get_type_hints(cls)[name] is bool
    values = ("false", "true") if is_bool else choices.get(name) or ()
    return [text for value in values if (text := f"{key}={value}").startswith(word)]


def _components() -> "dict[str, type[Checked]]":
    """All components by their ``_target_``: nothing that a config names is imported."""
    from tgap.composition.registry import GROUPS, component_class, names

    classes = [component_class(group, name) for group in GROUPS for name in names(group)]
    return {f"{cls.__module__}.{cls.__qualname__}": cls for cls in classes}
