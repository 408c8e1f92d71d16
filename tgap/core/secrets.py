"""Secrets are shown nowhere: what is logged or written down goes through here."""

import json
import logging
import os
import re
from collections.abc import Sequence
from typing import Any

from tgap.core.foreign import json_of

SECRET_NAME = re.compile(
    r"token(?!iz)|secret|passw|credential|api_?key|access_?key|private_?key", re.IGNORECASE
)
"""In names of environment variables, and of settings in an address."""
MASK = "***"
LEAST = 8
"""Letters of a value that is looked for: shorter ones are parts of ordinary words."""
_USER = re.compile(r"(?<=//)[^/\s\"']+@")
_QUERY = re.compile(
    r"(?i)\b((?:password|passwd|pwd|token|secret|api_?key|access_?key)=)[^&\s\"',;]+"
)


def masked(text: str) -> str:
    """A text without passwords of addresses in it, and without secrets of the environment.

    >>> masked("https://ada:hunter2@mlflow.example.org/x?token=abc&a=1")
    'https://mlflow.example.org/x?token=***&a=1'
    """
    return _without(_secrets(), text)


def masked_texts(value: Any) -> Any:
    """A JSON value with its texts masked; numbers stay, though a secret may have their digits."""
    return _inside(_secrets(), value)


def masked_file(text: str, name: str) -> str:
    """A text file's content, masked; JSON and YAML stay such, as only texts in them change."""
    if not name.endswith((".json", ".yaml")):
        return masked(text)
    import yaml  # type: ignore[import-untyped]

    as_json = name.endswith(".json")
    try:
        value = json_of(text) if as_json else yaml.safe_load(text)
        kept = masked_texts(value)
        if kept == value:
            return text
    except (ValueError, RecursionError, yaml.YAMLError):
        return masked(text)
    return json.dumps(kept) if as_json else str(yaml.safe_dump(kept, sort_keys=False))


def _secrets() -> list[str]:
    return [
        value
        for name, value in os.environ.items()
        if len(value) >= LEAST and SECRET_NAME.search(name) and not os.path.isabs(value)
    ]


def _without(secrets: Sequence[str], text: str) -> str:
    text = _QUERY.sub(rf"\1{MASK}", _USER.sub("", text))
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _inside(secrets: Sequence[str], value: Any) -> Any:
    if isinstance(value, str):
        return _without(secrets, value)
    if isinstance(value, dict):
        return {name: _inside(secrets, part) for name, part in value.items()}
    return [_inside(secrets, part) for part in value] if isinstance(value, list) else value


class MaskedFormatter(logging.Formatter):
    """Formats records of a log, masked."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as text, with its traceback."""
        return masked(super().format(record))
