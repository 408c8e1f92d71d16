"""JSON that a stranger may have written: values of the form asked for, or a ``ValueError``."""

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
NESTED = 100
"""Lists and objects in one another: more have no meaning, and would end whoever walks them."""
LARGEST = 2**63
"""Whole numbers from here on are none that tgap writes."""


def json_of(text: str | bytes) -> Any:
    """The value of a JSON text, of whatever form.

    Raises:
        ValueError: If it is none, or nested too deeply.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    brackets = "[{" if isinstance(text, str) else (b"[", b"{")
    if sum(map(text.count, brackets)) > NESTED and _depth(value) > NESTED:  # type: ignore[arg-type]
        raise ValueError("it is nested too deeply")
    return value


def _depth(value: Any) -> int:
    """How many lists and objects lie in one another."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        level = [part for one in level for part in (one.values() if type(one) is dict else one)]
    return depth


def json_in(path: Path) -> Any:
    """The value of a JSON file, of whatever form.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it holds none.
    """
    return json_of(path.read_text("utf-8"))


def formed(kind: type[T], value: Any, where: str = "it") -> T:
    """A value, seen to be of a kind, which is a dataclass if the value has names.

    Args:
        kind: ``str``, ``bool``, ``int``, ``float``, ``list[...]``, ``dict[str, ...]``, a union of
            such, or a dataclass of them.
        value: From JSON.
        where: What errors call it.

    Raises:
        ValueError: If it is none: a wrong type, a number that is not finite or has more than 64
            bits, a name too many or too few.

    >>> formed(dict[str, float], {"a": 1})
    {'a': 1.0}
    """
    found: T = _formed(kind, value, where)
    return found


def _formed(kind: Any, value: Any, where: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return _one_of(parts, value, where)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _built(kind, value, where)
    if origin in (list, Sequence) and isinstance(value, list):
        return [_formed(parts[0], one, f"{where}[{n}]") for n, one in enumerate(value)]
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {name: _formed(parts[1], one, f"{where}.{name}") for name, one in value.items()}
    if kind in (int, float):
        return _number(kind, value, where)
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise _wrong(kind, value, where)


def _one_of(kinds: Sequence[Any], value: Any, where: str) -> Any:
    for kind in kinds:
        try:
            return _formed(kind, value, where)
        except ValueError:
            continue
    raise _wrong(" or ".join(_name(kind) for kind in kinds), value, where)


def _number(kind: type, value: Any, where: str) -> Any:
    whole = type(value) is int and -LARGEST <= value < LARGEST
    if not whole and not (kind is float and type(value) is float and math.isfinite(value)):
        raise _wrong(kind, value, where)
    return kind(value)


def _built(cls: Any, value: Mapping[str, Any], where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if unknown := [name for name in value if name not in fields]:
        raise ValueError(f"{where} has '{unknown[0]:.40}', which nobody knows")
    for name, field in fields.items():
        needed = field.default is field.default_factory is dataclasses.MISSING
        if name not in value and needed:
            raise ValueError(f"{where} has no '{name}'")
    kinds = _kinds(cls)
    return cls(**{name: _formed(kinds[name], one, f"'{name}'") for name, one in value.items()})


@functools.cache
def _kinds(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _name(kind: Any) -> str:
    words: dict[Any, str] = {type(None): "null", dict: "an object", list: "a list", str: "text"}
    words |= {int: "a whole number of 64 bits", float: "a finite number", bool: "true or false"}
    words |= {Mapping: "an object", Sequence: "a list"}
    plain: Any = get_origin(kind) or kind
    return "an object" if dataclasses.is_dataclass(plain) else words.get(plain, str(kind))


def _wrong(kind: Any, value: Any, where: str) -> ValueError:
    told = kind if isinstance(kind, str) else _name(kind)
    kinds: dict[Any, str] = {dict: "an object", list: "a list"}
    got = kinds.get(type(value)) or f"{str(value)[:40]!r}"
    return ValueError(f"{where} must be {told}, got {got}")
