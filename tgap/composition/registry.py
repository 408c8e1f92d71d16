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
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from tgap.classifiers.base import Classifier
from tgap.composition import registry
from tgap.core.component import Component
from tgap.core.errors import ConfigError, ContractError, nearest
from tgap.datasets.base import Dataset
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluator
from tgap.finetuners.base import Finetuner
from tgap.finetuners.oracles.base import Oracle
from tgap.finetuners.oracles.scores.base import Score
from tgap.generators.base import Generator
from tgap.prompts.base import Prompts
from tgap.protocols.base import Protocol
from tgap.selectors.allocations.base import Allocation
from tgap.selectors.base import Selector
from tgap.selectors.clusterers.base import Clusterer
from tgap.selectors.picks.base import Pick

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """A config group: the package that holds its components, and their base."""

    package: str
    base: type[Component]


GROUPS: dict[str, Group] = {
    "dataset": Group("tgap.datasets", Dataset),
    "dataset/tuning": Group("tgap.datasets", Dataset),
    "dataset/real": Group("tgap.datasets", Dataset),
    "protocol": Group("tgap.protocols", Protocol),
    "selector": Group("tgap.selectors", Selector),
    "selector/embedder": Group("tgap.embedders", Embedder),
    "selector/cluster": Group("tgap.selectors.clusterers", Clusterer),
    "selector/allocate": Group("tgap.selectors.allocations", Allocation),
    "selector/pick": Group("tgap.selectors.picks", Pick),
    "prompts": Group("tgap.prompts", Prompts),
    "generator": Group("tgap.generators", Generator),
    "generator/images": Group("tgap.datasets", Dataset),
    "generator/tuned_on": Group("tgap.datasets", Dataset),
    "finetuner": Group("tgap.finetuners", Finetuner),
    "finetuner/oracle": Group("tgap.finetuners.oracles", Oracle),
    "finetuner/oracle/score": Group("tgap.finetuners.oracles.scores", Score),
    "finetuner/oracle/score/embedder": Group("tgap.embedders", Embedder),
    "finetuner/oracle/embedder": Group("tgap.embedders", Embedder),
    "classifier": Group("tgap.classifiers", Classifier),
    "classifier/embedder": Group("tgap.embedders", Embedder),
    "evaluator": Group("tgap.evaluators", Evaluator),
    "evaluator/embedder": Group("tgap.embedders", Embedder),
}


@cache
def own_components(group: str) -> dict[str, type[Component]]:
    """The group's components in tgap: a file ``x.py`` holds the class whose stem is ``x``."""
    package, base = GROUPS[group].package, GROUPS[group].base
    found: dict[str, type[Component]] = {}
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if info.ispkg or info.name == "base":
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or not issubclass(cls, base):
                continue
            if inspect.isabstract(cls):
                continue
            if cls.stem() != info.name:
                raise ContractError(
                    f"{module.__name__}.{cls.__name__} has the stem '{cls.stem()}', "
                    f"but its file is named '{info.name}'; one of the two must be renamed"
                )
            found[info.name] = cls
    return found


@cache
def installed_components(group: str) -> dict[str, EntryPoint]:
    """Other packages' components of a group, by entry point."""
    return {ep.name: ep for ep in entry_points(group=f"tgap.{group.replace('/', '.')}")}


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
    found = require_component(cls, GROUPS[group].base, where)
    if found.stem() != entry_point.name:
        raise ConfigError(
            f"{where} leads to the class {found.__name__}, whose stem is '{found.stem()}'; "
            "entry point and stem must be the same"
        )
    return found


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
    return sorted(presets | set(registry.names(group) if group in registry.GROUPS else []))
