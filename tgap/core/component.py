"""What every pluggable class is: a keyword-only dataclass whose fields are its hyper-parameters."""

import dataclasses
import hashlib
import math
import operator
import re
import sys
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tgap.core.errors import ConfigError

BOUNDS = (
    ("low", operator.ge, "at least"),
    ("high", operator.le, "at most"),
    ("above", operator.gt, "above"),
)


def option(
    default: Any,
    help: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: Sequence[str] | None = None,
    in_key: bool = True,
    shared: str | None = None,
) -> Any:
    """A hyper-parameter: its default, its allowed range, and whether it changes the result.

    Args:
        default: Default value; a list or a dictionary becomes a fresh copy for each instance.
        help: One line for ``--help``.
        low: Smallest allowed value, inclusive.
        high: Largest allowed value, inclusive.
        above: Exclusive lower bound.
        choices: The allowed strings.
        in_key: False for fields that do not change the result (device, batch sizes, names), which
            then do not enter an artifact's key.
        shared: Where in a composed run the default stands instead (``clip.model``), so that one
            setting serves all components, and a profile can set it whichever are chosen.
    """
    metadata = {
        "help": help,
        "low": low,
        "high": high,
        "above": above,
        "choices": None if choices is None else tuple(choices),
        "in_key": in_key,
        "shared": shared,
    }
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    return field(default=default, metadata=metadata)


def field_problems(value: Any, metadata: Any, name: str) -> list[str]:
    """What is wrong with one field's value, as sentences (none when it is in range)."""
    if value is None:
        return []
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{name} must be a finite number, got {value!r}"]
    choices = metadata.get("choices")
    if choices is not None and value not in choices:
        return [f"{name} must be one of {', '.join(choices)}, got {value!r}"]
    for bound, holds, words in BOUNDS:
        limit = metadata.get(bound)
        if limit is not None and not holds(value, limit):
            return [f"{name} must be {words} {shown_limit(limit)}, got {value!r}"]
    return []


def shown_limit(limit: float) -> str:
    """A limit as it is typed.

    >>> shown_limit(1_000_000), shown_limit(0.50)
    ('1000000', '0.5')
    """
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


@dataclass(kw_only=True)
class Checked:
    """A dataclass whose ``option`` fields are checked when it is made.

    Raises:
        ConfigError: With every wrong field at once.
    """

    def __post_init__(self) -> None:
        problems = [
            problem
            for f in dataclasses.fields(self)
            for problem in field_problems(getattr(self, f.name), f.metadata, f.name)
        ]
        problems += self.problems()
        if problems:
            raise ConfigError(*problems)

    def problems(self) -> list[str]:
        """What a subclass finds wrong with its fields taken together, as sentences."""
        return []

    def identity(self) -> dict[str, Any]:
        """The fields that change the result, nested ones included, as JSON types."""
        identity: dict[str, Any] = {}
        for f in dataclasses.fields(self):
            if f.metadata.get("in_key", True):
                value = getattr(self, f.name)
                identity[f.name] = value.identity() if isinstance(value, Checked) else value
        return identity


@dataclass(kw_only=True)
class Component(Checked, ABC):
    """Base of all groups' bases.

    Instances hold hyper-parameters only: a call leaves them unchanged, and gets arrays, numbers
    and a random generator, never the configuration, the store or the tracker.
    """

    version: ClassVar[int] = 1
    """Raised by hand when the mathematics changes, so that old artifacts are not reused."""

    implies: ClassVar[Mapping[str, str]] = {}
    """Choices of other groups that come with choosing this one, unless told otherwise."""

    name: str = option("", "shown in tables; a preset's own name", in_key=False)

    @classmethod
    def stem(cls) -> str:
        """The snake-case name by which Hydra, MLflow and tables know the class.

        >>> class KCenter(Component): ...
        >>> KCenter.stem()
        'k_center'
        """
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def title(self) -> str:
        """The preset's name, or the class's stem."""
        return self.name or self.stem()

    def parts(self) -> dict[str, "Component"]:
        """The components that it makes use of, by the fields that hold them."""
        held = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: part for name, part in held.items() if isinstance(part, Component)}

    def check(self) -> list[str]:
        """What can be known to go wrong before anything runs, as sentences.

        Files and packages that are missing, devices that are not there; without the network. Its
        parts are asked by themselves.
        """
        return []

    def may_fetch(self) -> bool:
        """Whether ``fetch`` may ask the network; if none may, nobody asks whether it is there."""
        return type(self).fetch is not Component.fetch

    def fetch(self) -> list[str]:
        """Download what it needs; what cannot be had, as sentences.

        Before anything runs, so that nobody learns of it hours later, and once no component finds
        anything else wrong, or where there is no network: then it must answer at once.
        """
        return []

    def identity(self) -> dict[str, Any]:
        """What this component is, for an artifact's key: class, version, fields in the key.

        Of a class outside tgap its file's content too, so that whoever is writing one is not given
        the results of an earlier state.
        """
        cls = type(self)
        head = {"class": f"{cls.__module__}.{cls.__qualname__}", "version": cls.version}
        if not cls.__module__.startswith("tgap."):
            head["source"] = _source_digest(cls.__module__)
        return head | super().identity()


def walk(components: Mapping[str, Component]) -> Iterator[tuple[str, Component]]:
    """Components and, after each, its parts, with the paths of their settings.

    Args:
        components: By path, such as ``classifier``.

    Yields:
        ``("classifier", ...)``, ``("classifier.embedder", ...)`` and so on.
    """
    for path, component in components.items():
        yield path, component
        yield from walk({f"{path}.{name}": part for name, part in component.parts().items()})


def _source_digest(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
