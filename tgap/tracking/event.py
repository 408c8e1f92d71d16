"""An event of a journal as a line of text holds it; a stranger's line is data that may be wrong."""

from pathlib import PurePosixPath
from typing import Any

from tgap.core.foreign import json_of

NUMBERS = ("values", "numbers")
"""Parts of an event that hold numbers by name: of MLflow's pages, and of the journal alone."""
TEXTS = ("params", "tags")
FIRST = {"name": str, "params": dict}
"""What the first event, ``start``, must say."""
LATEST = 253_402_128_000_000
"""Milliseconds from 1970 to the end of the year 9999."""

Event = dict[str, Any]


def read_event(line: bytes) -> Event:
    """An event, with numbers as floats.

    Args:
        line: A line of a journal.

    Raises:
        ValueError: If it is none, or names a file outside the journal.
    """
    event = json_of(line)
    if not isinstance(event, dict):
        raise ValueError("it is no object")
    needed = {"event": str, "time": int} | (FIRST if event.get("event") == "start" else {})
    needed |= {"step": int} if event.get("values") else {}
    needed |= {"path": str, "name": str} if event.get("event") == "artifact" else {}
    needed |= {"status": str} if event.get("event") == "end" else {}
    for name, kind in needed.items():
        if not isinstance(event.get(name), kind):
            raise ValueError(f"its '{name}' is missing or of the wrong kind")
    if not 0 <= event["time"] < LATEST:
        raise ValueError("its 'time' is none that a calendar has")
    for name in (*NUMBERS, *TEXTS):
        if not isinstance(event.get(name, {}), dict):
            raise ValueError(f"its '{name}' are no pairs of a name and a value")
    for name in NUMBERS:
        if values := event.get(name):
            event[name] = {key: _number(value) for key, value in values.items()}
    for name in TEXTS:
        if values := event.get(name):
            event[name] = {key: _text(value) for key, value in values.items()}
    if event["event"] == "artifact":
        for text in (event["path"], event["name"]):
            if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
                raise ValueError(f"it names '{text}', a file outside the journal")
    return event


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise ValueError(f"{value!r:.40} is no text")
    return value if isinstance(value, str) else str(value)


def _number(value: Any) -> float:
    if not isinstance(value, int | float | str):
        raise ValueError(f"{value!r:.40} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("a number is too large") from error
