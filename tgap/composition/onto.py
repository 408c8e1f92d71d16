"""Values put onto a composed configuration without copying all of it.

The runs of a sweep mostly differ from the one before in a number or two. To copy a whole
configuration and put all values onto it takes longer than all else that is done to check a run.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Composed:
    """A configuration that is not changed any more.

    Args:
        config: The configuration.
        values: That were put onto what the choices among groups compose; none if that is all.
        references: Keys of what may refer to something else in it (``${seed}``).
    """

    config: "DictConfig"
    values: Sequence["Override"] = ()
    references: Sequence[str] = ()

    def lacking(self, values: Sequence["Override"]) -> list["Override"] | None:
        """Which of these values are still to be put onto a copy, so that it has all of them.

        Returns:
            ``None`` if that does not suffice: if others than single values differ, or a value that
            differs is set twice.
        """
        if not self.values:
            return list(values)
        keys = [override.key_or_group for override in values]
        if [override.key_or_group for override in self.values] != keys:
            return None
        pairs = zip(self.values, values, strict=True)
        differing = [(old, new) for old, new in pairs if old.input_line != new.input_line]
        for old, new in differing:
            key = new.key_or_group
            others = [other for other in keys if f"{other}.".startswith(f"{key}.")]
            others += [other for other in keys if key.startswith(f"{other}.")]
            if others != [key] or not (_is_single(old) and _is_single(new)):
                return None
        return [new for _, new in differing]

    def copied(self, values: Sequence["Override"]) -> "DictConfig":
        """A copy that values can be put onto; what none of them touches is shared, if it can be."""
        # What refers to a value finds it by way of its parents, and shared nodes keep theirs.
        keys = [*self.references, *(override.key_or_group for override in values)]
        shared = _untouched(self.config, [key.split(".") for key in keys])
        return copy.deepcopy(self.config, {id(node): node for node in shared})


def references_in(values: Any, key: str = "") -> Iterator[str]:
    """Keys of what refers to something else.

    Args:
        values: Plain dictionaries, lists and values.
        key: Theirs, with a dot behind it.

    >>> list(references_in({"a": {"b": "${c}", "d": 1}, "c": ["x", "${a.d}"]}))
    ['a.b', 'c']
    """
    for name, value in values.items():
        if isinstance(value, dict):
            yield from references_in(value, f"{key}{name}.")
        elif "${" in str(value):
            yield f"{key}{name}"


def _is_single(override: "Override") -> bool:
    """Whether it sets one value in place of another: dictionaries are put together."""
    from hydra.core.override_parser.types import OverrideType

    plain = override.type is OverrideType.CHANGE
    return plain and not isinstance(override.value(), dict | list)


def _untouched(node: "DictConfig", paths: Sequence[Sequence[str]]) -> Iterator[Any]:
    """What lies beside these paths."""
    from omegaconf import DictConfig

    for name in node if isinstance(node._value(), dict) else ():
        child = node._get_node(name)
        below = [path[1:] for path in paths if path[0] == name]
        if not below:
            yield child  # with all that is in it
        elif all(below) and isinstance(child, DictConfig):
            yield from _untouched(child, below)
