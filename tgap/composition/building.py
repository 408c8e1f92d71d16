"""Components built from plain data, and from trusted packages only."""

import contextlib
import dataclasses
import importlib
import os
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tgap.composition.config import Run
from tgap.composition.fields import hints_of, is_optional, named_parts_of, parts_of
from tgap.composition.registry import GROUPS, installed_components, options, require_component
from tgap.core import Component, ConfigError, nearest
from tgap.core.component import Checked, field_problems

C = TypeVar("C", bound=Checked)


def _located(target: str, base: type[Component], where: str) -> type[Component]:
    """Import the class that a ``_target_`` names, if its package may be trusted."""
    module_name, _, class_name = target.rpartition(".")
    if not module_name:
        raise ConfigError(f"{where}: _target_ must be a class with its module, got '{target}'")
    root = module_name.partition(".")[0]
    trusted = {"tgap"} | {
        name.strip() for name in os.environ.get("TGAP_TRUSTED", "").split(",") if name.strip()
    }
    trusted |= {
        ep.value.partition(".")[0].partition(":")[0]
        for group in GROUPS
        for ep in installed_components(group).values()
    }
    if root not in trusted:
        raise ConfigError(
            f"{where}: '{target}' is not built, because the package '{root}' is not trusted "
            f"(trusted: {', '.join(sorted(trusted))}); a configuration may not run code: "
            f"if you trust that package, set the environment variable TGAP_TRUSTED={root}"
        )
    try:
        cls = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # whatever somebody's module does when it is imported
        raise ConfigError(
            f"{where}: '{target}' cannot be imported: {error}; is its package installed, or its "
            "folder on PYTHONPATH?"
        ) from error
    return require_component(cls, base, where)


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
        groups = [group for group, base in GROUPS.items() if base is cls]
        there = options(groups[0]) if groups else []
        below = where.partition(".")[0] in named_parts_of(Run)
        word = f"{groups[0]}@{where}" if groups and below else where.replace(".", "/")
        raise ConfigError(
            f"{where} must be chosen, {word}=..., got {data!r}{nearest(str(data), there)}"
        )
    if issubclass(cls, Component):
        target = data.get("_target_")
        if not isinstance(target, str):
            raise ConfigError(f"{where} must name a component by its _target_, got {target!r}")
        cls = typing.cast("type[C]", _located(target, cls, where))
    values, problems = _values(cls, data, where)
    if problems:
        # Without its parts it cannot be made; its other fields are checked all the same.
        for f in dataclasses.fields(cls):
            if f.name in values and not isinstance(values[f.name], Checked):
                path = f"{where}.{f.name}" if where else f.name
                problems += field_problems(values[f.name], f.metadata, path)
        raise ConfigError(*problems)
    try:
        return cls(**values)
    except ConfigError as error:
        problems = [f"{where}.{text}" if where else text for text in error.problems]
        raise ConfigError(*problems) from error
    except TypeError as error:
        raise ConfigError(f"{where or cls.__name__}: {error}") from error


def build_parts(cls: type[Checked], data: Mapping[str, Any]) -> dict[str, Any]:
    """The components and settings of a dataclass that are sound, whatever is wrong with others."""
    parts: dict[str, Any] = {}
    for name, part in parts_of(cls).items():
        with contextlib.suppress(ConfigError):
            parts[name] = build(part, data[name], name)
    for name, base in named_parts_of(cls).items():
        parts[name] = {}
        held = data[name] if isinstance(data[name], Mapping) else {}  # else told by build
        for own, part in held.items():
            with contextlib.suppress(ConfigError):
                parts[name][own] = build(base, part, f"{name}.{own}")
    return parts


def _is_chosen(part: Any) -> bool:
    """Whether a named part is a component, or settings of one that nobody chose."""
    return not isinstance(part, Mapping) or "_target_" in part


def _values(
    cls: type[Checked], data: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[str]]:
    """A dataclass's field values, the components in them built, and what is wrong with the rest."""
    names = {f.name for f in dataclasses.fields(cls)}
    parts, several, hints = parts_of(cls), named_parts_of(cls), hints_of(cls)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in data.items():
        path = f"{where}.{key}" if where else key
        if key in ("_target_", "defaults"):
            continue
        try:
            if key not in names:
                problems.append(f"unknown key '{path}'{nearest(key, sorted(names))}")
            elif key in parts and (value is not None or not is_optional(cls, key)):
                values[key] = build(parts[key], value, path)
            elif key in several and not isinstance(value, Mapping):
                group = several[key].stem()
                problems.append(
                    f"{path} holds {group}s by name, got {value!r}; "
                    f"+{group}@{path}.NAME=... adds one, ~{group}@{path}.NAME leaves one out"
                )
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
