"""How a run is repeated: its command, and all its settings, without this machine's folders."""

import re
import shlex
from pathlib import Path
from typing import Any

from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.schema import data_of
from tgap.core import TgapError
from tgap.pipeline.result import Result

PLACE = "PATH"
"""Stands for folders of the machine that the run was made on."""
_ABSOLUTE = re.compile(r"""(?:(?<==)|(?<=['"\[,]))(?:~[^/'"\],]*)?/(?:[^/'"\],]+/)*""")


def command_of(result: Result) -> str:
    """The command that makes the run; empty where it is not known.

    A run that was composed in Python has no words, or those of another one.
    """
    if result.words is None or not _leads_to(result.words, result):
        return ""
    return " ".join(["tgap run", *(shlex.quote(without_folders(word)) for word in result.words)])


def _leads_to(words: tuple[str, ...], result: Result) -> bool:
    try:
        with hydra_ready() as hydra:
            run = compose_run(hydra, words).fitted()
    except TgapError:  # files that are elsewhere now, or a folder of configs
        return len(words) > 0
    return data_of(run) == data_of(result.run)


def without_folders(word: str) -> str:
    """A word of a command line, absolute paths shortened to their last part.

    >>> without_folders("dataset.path=/home/ada/xrays"), without_folders("generator.path=a/b")
    ('dataset.path=PATH/xrays', 'generator.path=a/b')
    """
    return _ABSOLUTE.sub(f"{PLACE}/", word)


def settings_of_run(result: Result) -> dict[str, Any]:
    """All settings, absolute paths shortened likewise."""
    settings: dict[str, Any] = _shortened(data_of(result.run))
    return settings


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    if isinstance(value, str) and value.startswith(("/", "~")):
        return f"{PLACE}/{Path(value).name}"
    return value
