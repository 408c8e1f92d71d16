"""Finds components, derives their typed Hydra schema, and builds them from plain data.

A component's class is its own configuration (fields = hyper-parameters), so a parameter is written
once. A configuration is data: only subclasses of the group's base are ever built, and only from
tgap itself, from an installed entry point (group ``tgap.<group>``, e.g. ``tgap.selector``), or
from a package named in the environment variable ``TGAP_TRUSTED``.
"""

import importlib
import inspect
import logging
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from tgap.composition.config import Run
from tgap.composition.fields import bases_of, parts_of
from tgap.core import Component, ConfigError, ContractError, nearest

log = logging.getLogger(__name__)

Base = type[Component]


def package_of(base: Base) -> str:
    """The package that holds a group's base and, beside it, tgap's own components."""
    return base.__module__.rpartition(".")[0]


@cache
def components_beside(base: Base) -> dict[str, Base]:
    """Tgap's own components with a base: a file ``x.py`` beside it holds the class with stem ``x``.

    Raises:
        ContractError: If a file holds none, or one with another stem.
    """
    components: dict[str, Base] = {}
    for info in pkgutil.iter_modules(importlib.import_module(package_of(base)).__path__):
        if info.ispkg or info.name == "base":
            continue
        module = importlib.import_module(f"{package_of(base)}.{info.name}")
        classes = [
            cls
            for _, cls in inspect.getmembers(module, inspect.isclass)
            if cls.__module__ == module.__name__ and issubclass(cls, base)
            if not inspect.isabstract(cls)
        ]
        if not classes:
            raise ContractError(
                f"{module.__name__} holds no {base.__name__}; a group's folder holds its base and "
                "its components, so put helpers into a folder that is named for what they do"
            )
        for cls in classes:
            if cls.stem() != info.name:
                raise ContractError(
                    f"{module.__name__}.{cls.__name__} has the stem '{cls.stem()}', "
                    f"but its file is named '{info.name}'; one of the two must be renamed"
                )
            components[info.name] = cls
    return components


def _nested(group: str, base: Base, tops: list[Base]) -> Iterator[tuple[str, Base]]:
    """Groups of the parts that a group's components have; what stands at the top ends there."""
    for cls in components_beside(base).values():
        for name, part in parts_of(cls).items():
            if issubclass(part, Component):
                yield f"{group}/{name}", part
                if part not in tops:
                    yield from _nested(f"{group}/{name}", part, tops)


def _groups() -> dict[str, Base]:
    """Every config group and its base, from the types of fields: the run's, then components'."""
    tops = bases_of(Run)
    groups: dict[str, Base] = {}
    for base in tops:
        groups[base.stem()] = base
        groups |= dict(_nested(base.stem(), base, tops))
    return groups


GROUPS = _groups()
"""Config groups by name, such as ``selector`` and ``selector/pick``, and what may stand there."""


def own_components(group: str) -> dict[str, Base]:
    """Tgap's own components of a group, by name."""
    return components_beside(GROUPS[group])


@cache
def installed_components(group: str) -> dict[str, EntryPoint]:
    """Other packages' components of a group, by entry point."""
    found = _declared(tuple(sys.path)).select(group=f"tgap.{group.replace('/', '.')}")
    return {ep.name: ep for ep in found}


@cache
def _declared(path: tuple[str, ...]) -> Any:
    """All packages' entry points: to read them takes as long for all groups as for one."""
    return entry_points()


def names(group: str) -> list[str]:
    """Names of all components of a group, sorted."""
    return sorted({*own_components(group), *installed_components(group)})


def component_class(group: str, name: str) -> type[Component]:
    """The class behind a name.

    Raises:
        ConfigError: If there is none; the nearest name is told.
    """
    if name in own_components(group):
        return own_components(group)[name]
    if name in installed_components(group):
        return _loaded(group, installed_components(group)[name])
    raise ConfigError(f"no {group} is named '{name}'{nearest(name, names(group))}")


@cache
def _loaded(group: str, entry_point: EntryPoint) -> type[Component]:
    """Another package's component.

    Raises:
        ConfigError: If it cannot be imported, is none, or is named otherwise.
    """
    package = entry_point.dist.name if entry_point.dist else "?"
    where = f"entry point '{entry_point.name}' (tgap.{group.replace('/', '.')}) of '{package}'"
    try:
        cls = entry_point.load()
    except Exception as error:  # whatever somebody's module does when it is imported
        raise ConfigError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"
        ) from error
    component = require_component(cls, GROUPS[group], where)
    if component.stem() != entry_point.name:
        raise ConfigError(
            f"{where} leads to the class {component.__name__}, whose stem is '{component.stem()}'; "
            "entry point and stem must be the same"
        )
    return component


def load_problem(group: str, name: str) -> ConfigError | None:
    """Why an installed component of that name cannot be had, if there is one and it cannot."""
    if group in GROUPS and name in installed_components(group):
        try:
            component_class(group, name)
        except ConfigError as error:
            return error
    return None


def require_component(cls: Any, base: type[Component], where: str) -> type[Component]:
    """See that something is a component of a group.

    Raises:
        ConfigError: If it is not.
    """
    if not (inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)):
        raise ConfigError(f"{where}: {cls!r} is no {base.__name__}; only components are built")
    if vars(cls).get("__annotations__") and "__dataclass_fields__" not in vars(cls):
        raise ConfigError(
            f"{where}: {cls.__name__} is no dataclass; put @dataclass(kw_only=True) above it"
        )
    return cls


def conf_folder() -> Path:
    """Folder of the configs: beside the package in a checkout, inside it when installed."""
    packaged = Path(__file__).parents[1] / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def options(group: str) -> list[str]:
    """All that may stand behind ``group=``: presets and bare components."""
    presets = {file.stem for file in (conf_folder() / group).glob("*.yaml")}
    return sorted(presets | set(names(group) if group in GROUPS else []))
