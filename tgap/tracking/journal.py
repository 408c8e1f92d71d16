"""The journal of a run: what is to be logged, on disk before MLflow hears of it.

A folder ``<home>/journal/<sweep key>/<run key>/`` with ``journal.jsonl`` (one event a line, only
ever appended to), ``files/`` (copies of logged files) and ``pushed.json`` (how much of it MLflow
has). A sweep is journalled like a run, under the run key ``sweep``.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tgap.core import StoreError
from tgap.core.files import locked, sync, writing
from tgap.core.secrets import masked
from tgap.tracking.event import NUMBERS, Event, read_event
from tgap.tracking.server import SQLITE, sqlite_file

SWEEP = "sweep"
"""Run key of a sweep's own journal: its parent run in MLflow."""
CURVE = "curve-"
"""What the run keys of a sweep's curves begin with, which are no runs of its own."""
SINGLE = "single"
"""Sweep key of runs that belong to no sweep."""


class Journal:
    """The journal in one folder.

    Args:
        folder: Made when the first event is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "journal.jsonl"

    @property
    def run_key(self) -> str:
        """The run's key."""
        return self.folder.name

    @property
    def sweep_key(self) -> str:
        """The key of the run's sweep, or ``single``."""
        return self.folder.parent.name

    def parent(self) -> "Journal | None":
        """The sweep's journal, if this is a run of a sweep that was opened."""
        parent = Journal(self.folder.parent / SWEEP)
        return parent if self.run_key != SWEEP and parent.count() else None

    def count(self) -> int:
        """How many events there are, counted without looking into them."""
        return len(self._lines())

    def events(self) -> list[Event]:
        """All events so far.

        Raises:
            StoreError: If a line is damaged.
        """
        events = []
        for number, line in enumerate(self._lines(), start=1):
            try:
                event = read_event(line)
            except ValueError as error:
                raise StoreError(
                    f"line {number} of {self._path} is damaged: {error}; delete the folder "
                    f"{self.folder} and start the run again: what is in the store is reused"
                ) from error
            events.append(event)
        return events

    def _lines(self) -> list[bytes]:
        """The lines that are whole: a crash may have cut off the last one."""
        if not self._path.exists():
            return []
        with writing("the journal", self.folder):
            return self._path.read_bytes().split(b"\n")[:-1]

    def append(self, kind: str, **content: Any) -> None:
        """Write an event.

        Args:
            kind: ``start``, ``resume``, ``metrics``, ``numbers``, ``tags``, ``artifact``, ``end``.
            content: JSON types; in ``values``, NaN and infinities too.

        Raises:
            StoreError: If the disk is full or may not be written to.
        """
        for name in NUMBERS:
            if values := content.get(name):  # what is no number in JSON becomes text
                content[name] = {k: v if math.isfinite(v) else str(v) for k, v in values.items()}
        event = {"event": kind, "time": time.time_ns() // 1_000_000, **content}
        line = masked(json.dumps(event, allow_nan=False)) + "\n"
        with writing("the journal", self.folder), self._path.open("a", encoding="utf-8") as file:
            file.write(line)  # not synced: that would cost more than the event; see to_disk

    def keep(self, content: Path | str, name: str) -> None:
        """Copy a file, or write a text, into the journal, to be logged under ``name``.

        A second one of that name replaces the first.
        """
        kept = self.folder / "files" / name
        with writing(name, kept.parent):
            kept.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, kept)
            else:
                kept.write_text(masked(content), "utf-8")
        self.append("artifact", path=f"files/{name}", name=name)

    def to_disk(self) -> None:
        """Wait until the events are on disk, so that MLflow never has more than the journal."""
        with writing("the journal", self.folder):
            sync(self._path)

    def pushed(self, uri: str) -> tuple[str | None, int]:
        """The run's id in the MLflow at ``uri``, and how many events are there: the first ones.

        ``None`` and 0 if nothing is known; nothing is lost: it is then looked up in MLflow itself.
        """
        pushed = self._pushed()
        known = pushed.get("tracking_uri") == self._place(uri)
        return (pushed["run_id"], pushed["events"]) if known else (None, 0)

    def _place(self, uri: str) -> str:
        """A uri that stays true when the folder of journal and database is moved or copied."""
        database, home = sqlite_file(uri), self.folder.absolute().parents[2]
        if database is not None and database.is_relative_to(home):
            return f"{SQLITE}{database.relative_to(home).as_posix()}"
        return masked(uri)

    def mlflow_id(self) -> str | None:
        """The run's id in the MLflow that it was pushed to last, if it was."""
        return self._pushed().get("run_id")

    def _pushed(self) -> dict[str, Any]:
        """What was written down of the last push; nothing if that is not there or is damaged."""
        try:
            pushed = json.loads((self.folder / "pushed.json").read_text("utf-8"))
            return {
                name: pushed[name] for name in ("tracking_uri", "run_id", "events", "experiment_id")
            }
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}

    def experiment_id(self) -> str | None:
        """The id of its experiment there."""
        return self._pushed().get("experiment_id")

    def set_pushed(self, uri: str, run_id: str, events: int, experiment_id: str) -> None:
        """Remember what MLflow has, in one step."""
        pushed = {
            "tracking_uri": self._place(uri),
            "run_id": run_id,
            "events": events,
            "experiment_id": experiment_id,
        }
        temporary = self.folder / "pushed.json.tmp"  # half a file would be no JSON
        with writing("pushed.json", self.folder):
            temporary.write_text(json.dumps(pushed), "utf-8")
            os.replace(temporary, self.folder / "pushed.json")

    @contextmanager
    def locked(self, wait: bool = True) -> Iterator[None]:
        """Let one process at a time write.

        Raises:
            filelock.Timeout: If ``wait`` is false and another process is writing.
        """
        with locked(self.folder / "lock", f"the journal of run {self.run_key}", wait=wait):
            self._drop_torn_line()
            yield

    def _drop_torn_line(self) -> None:
        """Cut off what a crash left of a last line, so that the next event starts a line."""
        if self._path.exists():
            with writing("the journal", self.folder):
                os.truncate(self._path, sum(len(line) + 1 for line in self._lines()))


def complete(events: list[Event]) -> bool:
    """Whether a run ended well: nothing more is to be logged."""
    return bool(events) and events[-1]["event"] == "end" and events[-1]["status"] == "FINISHED"
