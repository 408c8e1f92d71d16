"""An event of a journal as a line of text holds it; a stranger's line is data that may be wrong."""

import json
from pathlib import PurePosixPath
from typing import Any

NUMBERS = ("values", "numbers")
"""Parts of an event that hold numbers by name: of MLflow's pages, and of the journal alone."""
TEXTS = ("params", "tags")
FIRST = {"name": str, "params": dict}
"""What the first event, ``start``, must say."""

Event = dict[str, Any]


def read_event(line: bytes) -> Event:
    """An event, with numbers as floats.

    Args:
        line: A line of a journal.

    Raises:
        ValueError: If it is none, or names a file outside the journal.
    """
    try:
        event = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(event, dict):
        raise ValueError("it is no object")
    needed = {"event": str, "time": int} | (FIRST if event.get("event") == "start" else {})
    needed |= {"step": int} if event.get("values") else {}
    needed |= {"path": str, "name": str} if event.get("event") == "artifact" else {}
    needed |= {"status": str} if event.get("event") == "end" else {}
    for name, kind in needed.items():
        if not isinstance(event.get(name), kind):
            raise ValueError(f"its '{name}' is missing or of the wrong kind")
    for name in (*NUMBERS, *TEXTS):
        if not isinstance(event.get(name, {}), dict):
            raise ValueError(f"its '{name}' are no pairs of a name and a value")
    for name in NUMBERS:
        if values := event.get(name):
            event[name] = {key: _number(value) for key, value in values.items()}
    if event["event"] == "artifact":
        for text in (event["path"], event["name"]):
            if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
                raise ValueError(f"it names '{text}', a file outside the journal")
    return event


def _number(value: Any) -> float:
    if not isinstance(value, int | float | str):
        raise ValueError(f"{value!r:.40} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("a number is too large") from error
