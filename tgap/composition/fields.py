"""What the fields of a dataclass hold, by their types."""

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from tgap.core import Component
from tgap.core.component import Checked

_hints: dict[type, Mapping[str, Any]] = {}
"""By class: a sweep of a thousand runs asks for them tens of thousands of times."""


def hints_of(cls: type) -> Mapping[str, Any]:
    """Types of a class's fields, by name."""
    if cls not in _hints:
        _hints[cls] = typing.get_type_hints(cls)
    return _hints[cls]


def parts_of(cls: type[Checked]) -> dict[str, type[Checked]]:
    """Fields of a dataclass that hold components or other checked dataclasses, by name."""
    hints = hints_of(cls)
    parts = {}
    for f in dataclasses.fields(cls):
        if typing.get_origin(hints[f.name]) is dict:
            continue
        for hint in (hints[f.name], *typing.get_args(hints[f.name])):
            if inspect.isclass(hint) and issubclass(hint, Checked):
                parts[f.name] = hint
    return parts


def named_parts_of(cls: type[Checked]) -> dict[str, type[Component]]:
    """Fields that hold any number of components by name: ``dict[str, <base>]``."""
    parts = {}
    for name, hint in hints_of(cls).items():
        if typing.get_origin(hint) is dict:
            element = typing.get_args(hint)[1]
            if inspect.isclass(element) and issubclass(element, Component):
                parts[name] = element
    return parts


def is_optional(cls: type[Checked], name: str) -> bool:
    """Whether a field may be ``None``."""
    return type(None) in typing.get_args(hints_of(cls)[name])


def bases_of(cls: type[Checked]) -> list[type[Component]]:
    """Bases of the components in a dataclass's fields, each once, in their order."""
    single, several = parts_of(cls), named_parts_of(cls)
    held = [single.get(f.name) or several.get(f.name) for f in dataclasses.fields(cls)]
    components = [part for part in held if part is not None and issubclass(part, Component)]
    return list(dict.fromkeys(components))
