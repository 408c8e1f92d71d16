"""Why two keys differ: setting by setting, and through what artifacts were made from."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tgap.store.catalogue import SHORT, stem_of

Content = Mapping[str, Any]
NOTHING = object()


def differences(contents: Mapping[str, Content], one: str, other: str) -> list[str]:
    """What differs between two keys, a line each, indented below what it is part of.

    Args:
        contents: What artifacts are, by key: the two, and what they were made from.
        one: A key.
        other: Another.
    """
    return list(_Comparison(contents).lines(one, other, 0)) or ["nothing: it is the same key"]


class _Comparison:
    def __init__(self, contents: Mapping[str, Content]) -> None:
        self.contents = contents
        self.told: set[tuple[str, str]] = set()

    def lines(self, one: str, other: str, depth: int) -> Iterator[str]:
        """Lines on a pair of keys."""
        if one == other:
            return
        indent = "  " * depth
        missing = [key[:SHORT] for key in (one, other) if key not in self.contents]
        if missing:
            yield f"{indent}what {' and '.join(missing)} is, neither store nor journal knows"
            return
        if (one, other) in self.told:
            yield f"{indent}as told above"
            return
        self.told.add((one, other))
        a, b = self.contents[one], self.contents[other]
        if a["stage"] != b["stage"]:
            yield f"{indent}one is of stage {a['stage']}, the other of {b['stage']}"
            return
        if a["layout"] != b["layout"]:
            yield f"{indent}the form of their files: layout {a['layout']} | {b['layout']}"
        for name, left, right in _flat_pairs(a["identity"], b["identity"], ""):
            yield f"{indent}{name}: {_shown(left)} | {_shown(right)}"
        yield from self._inputs(a["upstream"], b["upstream"], depth)

    def _inputs(
        self, one: Mapping[str, str], other: Mapping[str, str], depth: int
    ) -> Iterator[str]:
        indent = "  " * depth
        for role in sorted(one.keys() | other.keys()):
            left, right = one.get(role), other.get(role)
            if left is None or right is None:
                which, key = ("first", left) if right is None else ("second", right)
                yield f"{indent}{role}: only the {which} was made from one ({(key or '')[:SHORT]})"
            elif left != right:
                yield f"{indent}made from another {role} ({left[:SHORT]} | {right[:SHORT]}):"
                yield from self.lines(left, right, depth + 1)


def _flat_pairs(one: Any, other: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Settings that differ, by dotted names; of different components only their names."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        # 1 and 1.0 are different keys
        if type(one) is not type(other) or one != other:
            yield name, one, other
        return
    if "class" in one and "class" in other and stem_of(one) != stem_of(other):
        yield name, stem_of(one), stem_of(other)
        return
    for key in [*one, *(key for key in other if key not in one)]:
        inner = f"{name}.{key}" if name else key
        yield from _flat_pairs(one.get(key, NOTHING), other.get(key, NOTHING), inner)


def _shown(value: Any) -> str:
    if value is NOTHING:
        return "(not there)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
