"""Secrets are shown nowhere: what is logged or written down goes through here."""

import logging
import os
import re

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
    text = _QUERY.sub(rf"\1{MASK}", _USER.sub("", text))
    for name, value in os.environ.items():
        if len(value) >= LEAST and SECRET_NAME.search(name) and not os.path.isabs(value):
            text = text.replace(value, MASK)
    return text


class MaskedFormatter(logging.Formatter):
    """Formats records of a log, masked."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as text, with its traceback."""
        return masked(super().format(record))
