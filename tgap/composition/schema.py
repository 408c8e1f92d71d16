"""A component's typed Hydra schema, derived from its fields, and back to plain data."""

import dataclasses
import functools
import inspect
import typing
from typing import Any

from tgap.composition.fields import hints_of, named_parts_of, parts_of
from tgap.core import Component
from tgap.core.component import Checked


def schema(cls: type[Checked], group: str = "") -> type[Any]:
    """The structured config of a dataclass, which Hydra fills and type-checks.

    A field that holds a component becomes a config group of its own, ``<group>/<field>``, whose
    default is the class's default, or the ``choice`` that its metadata names; one that holds plain
    settings is nested as it is.
    """
    hints, parts = hints_of(cls), parts_of(cls)
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
                hint = Any if f.name in named_parts_of(cls) else hint
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


def data_of(value: Checked) -> dict[str, Any]:
    """The plain data that ``build`` makes an equal dataclass from, components by ``_target_``."""
    data: dict[str, Any] = {}
    several = named_parts_of(type(value))
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
