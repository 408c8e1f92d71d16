"""Finds components, derives their typed Hydra schema, and builds them from plain data.

A component's class is its own configuration (fields = hyper-parameters), so a parameter is written
once. A configuration is data: only subclasses of the group's base are ever built, and only from
tgap itself, from an installed entry point (group ``tgap.<group>``, e.g. ``tgap.selector``), or
from a package named in the environment variable ``TGAP_TRUSTED``.
"""

import contextlib
import dataclasses
import functools
import importlib
import inspect
import logging
import os
import pkgutil
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from tgap.classifiers.base import Classifier
from tgap.component import Checked, Component, field_problems
from tgap.datasets.base import Dataset
from tgap.embedders.base import Embedder
from tgap.errors import ConfigError, ContractError
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
from tgap.suggest import nearest

C = TypeVar("C", bound=Checked)

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
def _own(group: str) -> dict[str, type[Component]]:
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
def _installed(group: str) -> dict[str, EntryPoint]:
    """Other packages' components of a group, by entry point."""
    return {ep.name: ep for ep in entry_points(group=f"tgap.{group.replace('/', '.')}")}


def names(group: str) -> list[str]:
    """Names of all components of a group, sorted."""
    return sorted({*_own(group), *_installed(group)})


def component_class(group: str, name: str) -> type[Component]:
    """The class behind a name.

    Raises:
        ConfigError: If there is none; the nearest name is told.
    """
    if name in _own(group):
        return _own(group)[name]
    if name in _installed(group):
        return _loaded(group, _installed(group)[name])
    raise ConfigError([f"no {group} is named '{name}'{nearest(name, names(group))}"])


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
            [f"{where} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"]
        ) from error
    found = _subclass(cls, GROUPS[group].base, where)
    if found.stem() != entry_point.name:
        raise ConfigError(
            [f"{where} leads to the class {found.__name__}, whose stem is '{found.stem()}'; "
             "entry point and stem must be the same"]
        )  # fmt: skip
    return found


def load_problem(group: str, name: str) -> ConfigError | None:
    """Why an installed component of that name cannot be had, if there is one and it cannot."""
    if group in GROUPS and name in _installed(group):
        try:
            component_class(group, name)
        except ConfigError as error:
            return error
    return None


def _subclass(cls: Any, base: type[Component], where: str) -> type[Component]:
    if not (inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)):
        raise ConfigError([f"{where}: {cls!r} is no {base.__name__}; only components are built"])
    if vars(cls).get("__annotations__") and "__dataclass_fields__" not in vars(cls):
        raise ConfigError(
            [f"{where}: {cls.__name__} is no dataclass; put @dataclass(kw_only=True) above it"]
        )
    return cls


def _parts(cls: type[Checked]) -> dict[str, type[Checked]]:
    """Fields of a dataclass that hold components or other checked dataclasses, by name."""
    hints = typing.get_type_hints(cls)
    parts = {}
    for f in dataclasses.fields(cls):
        if typing.get_origin(hints[f.name]) is dict:
            continue
        for hint in (hints[f.name], *typing.get_args(hints[f.name])):
            if inspect.isclass(hint) and issubclass(hint, Checked):
                parts[f.name] = hint
    return parts


def _named_parts(cls: type[Checked]) -> dict[str, type[Component]]:
    """Fields that hold any number of components by name: ``dict[str, <base>]``."""
    found = {}
    for name, hint in typing.get_type_hints(cls).items():
        if typing.get_origin(hint) is dict:
            element = typing.get_args(hint)[1]
            if inspect.isclass(element) and issubclass(element, Component):
                found[name] = element
    return found


def _optional(cls: type[Checked], name: str) -> bool:
    return type(None) in typing.get_args(typing.get_type_hints(cls)[name])


def schema(cls: type[Checked], group: str = "") -> type[Any]:
    """The structured config of a dataclass, which Hydra fills and type-checks.

    A field that holds a component becomes a config group of its own, ``<group>/<field>``, whose
    default is the class's default, or the ``choice`` that its metadata names; one that holds plain
    settings is nested as it is.
    """
    hints, parts = typing.get_type_hints(cls), _parts(cls)
    fields: list[tuple[str, Any, Any]] = []
    defaults: list[Any] = []
    if issubclass(cls, Component):
        target = f"{cls.__module__}.{cls.__qualname__}"
        fields.append(("_target_", str, dataclasses.field(default=target)))
    for f in dataclasses.fields(cls):
        part = parts.get(f.name)
        if part is not None and issubclass(part, Component):
            default = f.metadata.get("choice")
            if f.default_factory is not dataclasses.MISSING:
                default = f.default_factory().stem()
            if group:
                defaults.append({f.name: default})
            fields.append((f.name, Any, dataclasses.field(default=None if group else "???")))
        elif part is not None:
            nested = schema(part)
            fields.append((f.name, nested, dataclasses.field(default_factory=nested)))
        else:
            hint, default_ = (
                hints[f.name],
                {k: getattr(f, k) for k in ("default", "default_factory")},
            )
            if typing.get_origin(hint) is dict:
                default_ = {"default_factory": functools.partial(_open, f, hint)}
                hint = Any if f.name in _named_parts(cls) else hint
            if shared := f.metadata.get("shared"):
                default_ = {"default": f"${{{shared}}}"}
            fields.append((f.name, hint, dataclasses.field(**default_)))
    if issubclass(cls, Component):
        defaults += [
            {f"override /{other}@_global_.{other}": choice} for other, choice in cls.implies.items()
        ]
    if defaults:
        # Itself first: its empty fields are then filled by the parts' groups.
        factory = dataclasses.field(default_factory=lambda: ["_self_", *defaults])
        fields.append(("defaults", list[Any], factory))
    return dataclasses.make_dataclass(cls.__name__, fields, kw_only=True)


def _open(field: Any, hint: Any) -> Any:
    """A typed dictionary that takes new keys on the command line without a plus sign."""
    from omegaconf import DictConfig

    _, element_type = typing.get_args(hint)
    if not (inspect.isclass(element_type) and issubclass(element_type, int | float | str)):
        element_type = Any  # components
    return DictConfig(
        field.default_factory(), key_type=str, element_type=element_type, flags={"struct": False}
    )


def register(run_class: type[Checked]) -> None:
    """Tell Hydra about every component's schema and the run's own."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store(name="run_schema", node=schema(run_class), provider="tgap")
    for group in GROUPS:
        for name in sorted(_own(group).keys() & _installed(group).keys()):
            log.warning("entry point '%s' is not used: tgap has a %s of that name", name, group)
        for name in names(group):
            if problem := load_problem(group, name):  # told again if it is chosen
                log.warning("%s", problem)
            else:
                node = schema(component_class(group, name), group)
                store.store(group=group, name=name, node=node, provider="tgap")


def data_of(value: Checked) -> dict[str, Any]:
    """The plain data that ``build`` makes an equal dataclass from, components by ``_target_``."""
    data: dict[str, Any] = {}
    several = _named_parts(type(value))
    if isinstance(value, Component):
        data["_target_"] = f"{type(value).__module__}.{type(value).__qualname__}"
    for f in dataclasses.fields(value):
        content = getattr(value, f.name)
        if isinstance(content, Checked):
            content = data_of(content)
        elif f.name in several:
            content = {name: data_of(part) for name, part in content.items()}
        data[f.name] = content
    return data


def _located(target: str, base: type[Component], where: str) -> type[Component]:
    """Import the class that a ``_target_`` names, if its package may be trusted."""
    module_name, _, class_name = target.rpartition(".")
    if not module_name:
        raise ConfigError([f"{where}: _target_ must be a class with its module, got '{target}'"])
    root = module_name.partition(".")[0]
    trusted = {"tgap"} | {
        name.strip() for name in os.environ.get("TGAP_TRUSTED", "").split(",") if name.strip()
    }
    trusted |= {ep.value.partition(".")[0].partition(":")[0]
                for group in GROUPS for ep in _installed(group).values()}  # fmt: skip
    if root not in trusted:
        raise ConfigError(
            [
                f"{where}: '{target}' is not built, because the package '{root}' is not trusted "
                f"(trusted: {', '.join(sorted(trusted))}); a configuration may not run code: "
                f"if you trust that package, set the environment variable TGAP_TRUSTED={root}"
            ]
        )
    try:
        cls = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # whatever somebody's module does when it is imported
        raise ConfigError(
            [f"{where}: '{target}' cannot be imported: {error}; is its package installed, or its "
             "folder on PYTHONPATH?"]
        ) from error  # fmt: skip
    return _subclass(cls, base, where)


def build(cls: type[C], data: Mapping[str, Any], where: str = "") -> C:
    """Make a dataclass, and the components inside it, from plain data.

    Args:
        cls: The class, or for a component the base that ``data["_target_"]`` must derive from.
        data: Field values, JSON types; a component's hold its ``_target_``.
        where: Name of this node in messages, e.g. ``selector``.

    Raises:
        ConfigError: With every problem of the node and all nodes below it.
    """
    if not isinstance(data, Mapping):
        raise ConfigError([f"{where} must be chosen or left as it is, got {data!r}"])
    if issubclass(cls, Component):
        target = data.get("_target_")
        if not isinstance(target, str):
            raise ConfigError([f"{where} must name a component by its _target_, got {target!r}"])
        cls = typing.cast("type[C]", _located(target, cls, where))
    values, problems = _values(cls, data, where)
    if problems:
        # Without its parts it cannot be made; its other fields are checked all the same.
        for f in dataclasses.fields(cls):
            if f.name in values and not isinstance(values[f.name], Checked):
                path = f"{where}.{f.name}" if where else f.name
                problems += field_problems(values[f.name], f.metadata, path)
        raise ConfigError(problems)
    try:
        return cls(**values)
    except ConfigError as error:
        told = [f"{where}.{text}" if where else text for text in error.problems]
        raise ConfigError(told) from error
    except TypeError as error:
        raise ConfigError([f"{where or cls.__name__}: {error}"]) from error


def build_parts(cls: type[Checked], data: Mapping[str, Any]) -> dict[str, Any]:
    """The components and settings of a dataclass that are sound, whatever is wrong with others."""
    found: dict[str, Any] = {}
    for name, part in _parts(cls).items():
        with contextlib.suppress(ConfigError):
            found[name] = build(part, data[name], name)
    for name, base in _named_parts(cls).items():
        found[name] = {}
        for own, part in data[name].items():
            with contextlib.suppress(ConfigError):
                found[name][own] = build(base, part, f"{name}.{own}")
    return found


def _is_chosen(part: Any) -> bool:
    """Whether a named part is a component, or settings of one that nobody chose."""
    return not isinstance(part, Mapping) or "_target_" in part


def _values(
    cls: type[Checked], data: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[str]]:
    """A dataclass's field values, the components in them built, and what is wrong with the rest."""
    known = {f.name for f in dataclasses.fields(cls)}
    parts, several, hints = _parts(cls), _named_parts(cls), typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in data.items():
        path = f"{where}.{key}" if where else key
        if key in ("_target_", "defaults"):
            continue
        try:
            if key not in known:
                problems.append(f"unknown key '{path}'{nearest(key, sorted(known))}")
            elif key in parts and (value is not None or not _optional(cls, key)):
                values[key] = build(parts[key], value, path)
            elif typing.get_origin(hints[key]) is dict and not isinstance(value, Mapping):
                problems.append(
                    f"{path} must be pairs of a name and a value ({{a: b}}), got {value!r}"
                )
            elif key in several:
                base, chosen = several[key], [n for n, part in value.items() if _is_chosen(part)]
                problems += [
                    f"{path}.{n}: nothing of that name is chosen{nearest(n, chosen)}"
                    for n in value.keys() - set(chosen)
                ]
                values[key] = {n: build(base, value[n], f"{path}.{n}") for n in chosen}
            else:
                values[key] = value
        except ConfigError as error:
            problems += error.problems
    return values, problems
