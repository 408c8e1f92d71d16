"""What an artifact is: a specification, whose canonical JSON is hashed to the artifact's key."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tgap.errors import ContractError

LAYOUT = 3
"""Part of every key: raised by hand when files of artifacts change their form or meaning."""
RESERVED = ("tmp", "locks", "partial")
"""Folders of the store that are no stage."""


@dataclass(frozen=True)
class Spec:
    """What an artifact is; its key is a hash of this.

    Args:
        stage: Kind of artifact, e.g. ``selection``: lower-case letters, digits, underscores.
        identity: Whatever changes the result: components' ``identity()``, settings, seeds. JSON
            types only.
        upstream: Keys of the artifacts that it is made from, by role.

    Raises:
        ContractError: If the stage's name is not allowed or something is not a JSON value.

    >>> Spec("selection", {"size": 500}, {"split": "0a1b"}).key
    '47c96045569965d3a0e6'
    """

    stage: str
    identity: Mapping[str, Any]
    upstream: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.stage) or self.stage in RESERVED:
            raise ContractError(
                "stage must be lower-case letters, digits and underscores, and not one of "
                f"{', '.join(RESERVED)}; got {self.stage!r}"
            )
        # Plain copies: nobody can change what a key stands for.
        for name in ("identity", "upstream"):
            value = plain_json(getattr(self, name), f"{name} of {self.stage}")
            object.__setattr__(self, name, value)

    @cached_property
    def key(self) -> str:
        """The first 20 hexadecimal digits of SHA-256 over the canonical JSON of the content."""
        return text_digest(canonical_json(self.content()))[:20]

    def content(self) -> dict[str, Any]:
        """What is hashed, and recorded in the manifest."""
        return {
            "layout": LAYOUT,
            "stage": self.stage,
            "identity": self.identity,
            "upstream": self.upstream,
        }

    def __str__(self) -> str:
        return f"{self.stage} {self.key}"


def plain_json(value: Any, where: str = "value", *, finite: bool = True) -> Any:
    """Copy a value to plain JSON types: dict, list, str, int, float, bool, None.

    Args:
        value: Mappings with text keys, lists, tuples, text, numbers, booleans, None.
        where: Name of the value in the error text.
        finite: Refuse NaN and infinities.

    Raises:
        ContractError: If anything else is in it, naming the place.

    >>> plain_json({"sizes": (1, 2)})
    {'sizes': [1, 2]}
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if finite and not math.isfinite(value):
            raise ContractError(f"{where} must be a finite number, got {value!r}")
        return float(value)
    if isinstance(value, list | tuple):
        return [plain_json(v, f"{where}[{i}]", finite=finite) for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ContractError(f"{where} must have text as keys, got {key!r}")
        return {key: plain_json(v, f"{where}.{key}", finite=finite) for key, v in value.items()}
    raise ContractError(
        f"{where} must be a JSON value (text, number, true, false, null, list or mapping), "
        f"got {type(value).__name__}: {value!r}; NumPy values need int(), float() or .tolist()"
    )


def canonical_json(value: Any, where: str = "value") -> str:
    """The one JSON text of a value: keys sorted, no spaces, ASCII, floats by ``repr``.

    ``1`` and ``1.0`` differ, a tuple and a list do not, and the order of a mapping does not count.

    Args:
        value: See ``plain_json``; NaN and infinities are refused.
        where: Name of the value in the error text.

    Raises:
        ContractError: If the value is not JSON.

    >>> canonical_json({"b": (1, 2.5), "a": None})
    '{"a":null,"b":[1,2.5]}'
    """
    return json.dumps(plain_json(value, where), sort_keys=True, separators=(",", ":"))


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
