"""What an artifact is: a specification, whose canonical JSON is hashed to the artifact's key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tgap.core import ContractError
from tgap.core.digest import canonical_json, plain_json, text_digest
from tgap.core.foreign import formed

LAYOUT = 3
"""Part of every key: raised by hand when files of artifacts change their form or meaning."""

RESERVED = ("tmp", "locks", "partial", "damaged", "unsent", "vouched")
"""Folders of the store that are no stage."""


CONTENT = {"layout": int, "stage": str, "identity": dict[str, Any], "upstream": dict[str, str]}
"""What the content of a specification has."""


def content_of(value: object) -> dict[str, Any]:
    """A specification's content as somebody wrote it down.

    Raises:
        ValueError: If it is none.
        ContractError: If something in it has no key.
    """
    content = formed(dict[str, Any], value, "a specification")
    for name, kind in CONTENT.items():
        formed(kind, content.get(name), f"'{name}' of a specification")
    key_of(content)
    return content


def key_of(content: Mapping[str, Any]) -> str:
    """The key of a specification's content; see ``Spec.key``."""
    return text_digest(canonical_json(content))[:20]


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
        return key_of(self.content())

    def content(self) -> dict[str, Any]:
        """What is hashed, and recorded in the manifest."""
        # Neither tgap's version nor a library's: an update must not make hours of work again.
        return {
            "layout": LAYOUT,
            "stage": self.stage,
            "identity": self.identity,
            "upstream": self.upstream,
        }

    def __str__(self) -> str:
        return f"{self.stage} {self.key}"
