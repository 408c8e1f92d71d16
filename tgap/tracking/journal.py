"""The journal of a run: what is to be logged, on disk before MLflow hears of it.

A folder ``<home>/journal/<sweep key>/<run key>/`` with ``journal.jsonl`` (one event a line, only
ever appended to), ``files/`` (copies of logged files) and ``pushed.json`` (how much of it MLflow
has). A sweep is journalled like a run, under the run key ``sweep``.
"""

import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from tgap.core.errors import StoreError
from tgap.core.files import sync, writing

SWEEP = "sweep"
"""Run key of a sweep's own journal: its parent run in MLflow."""
SINGLE = "single"
"""Sweep key of runs that belong to no sweep."""

Event = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pushed:
    """How much of a journal is in MLflow.

    Args:
        tracking_uri: Which MLflow, without user name and password.
        run_id: MLflow's id of the run.
        events: The first so many events are there.
        done: Whether these are all, up to the run's success.
    """

    tracking_uri: str
    run_id: str
    events: int
    done: bool


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
        return parent if self.run_key != SWEEP and parent.exists() else None

    def exists(self) -> bool:
        """Whether anything was written."""
        return self._path.exists()

    def events(self) -> list[Event]:
        """All events so far; a last line that was cut off by a crash does not count.

        Raises:
            StoreError: If an earlier line is damaged.
        """
        if not self.exists():
            return []
        with writing("the journal", self.folder):
            lines = self._path.read_text("utf-8").split("\n")[:-1]
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(_decoded(json.loads(line)))
            except (ValueError, AttributeError) as error:
                raise StoreError(
                    f"line {number} of {self._path} is damaged: {error}; delete the folder "
                    f"{self.folder} and start the run again: what is in the store is reused"
                ) from error
        return found

    def append(self, kind: str, **content: Any) -> None:
        """Write an event.

        Args:
            kind: ``start``, ``resume``, ``metrics``, ``tags``, ``artifact`` or ``end``.
            content: JSON types; NaN and infinities are kept.

        Raises:
            StoreError: If the disk is full or may not be written to.
        """
        event = {"event": kind, "time": time.time_ns() // 1_000_000, **content}
        line = json.dumps(_encoded(event), allow_nan=False) + "\n"
        with writing("the journal", self.folder), self._path.open("a", encoding="utf-8") as file:
            file.write(line)

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
                kept.write_text(content, "utf-8")
        self.append("artifact", path=kept.relative_to(self.folder).as_posix(), name=name)

    def to_disk(self) -> None:
        """Wait until the events are on disk, so that MLflow never has more than the journal."""
        with writing("the journal", self.folder):
            sync(self._path)

    def pushed(self, uri: str) -> Pushed | None:
        """What the MLflow at ``uri`` has of it; ``None`` if nothing is known."""
        try:
            found = Pushed(**json.loads((self.folder / "pushed.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None  # nothing is lost: the run is then looked up in MLflow itself
        return found if found.tracking_uri == uri else None

    def set_pushed(self, pushed: Pushed) -> None:
        """Remember what MLflow has, in one step."""
        temporary = self.folder / "pushed.json.tmp"
        with writing("pushed.json", self.folder):
            temporary.write_text(json.dumps(asdict(pushed)), "utf-8")
            os.replace(temporary, self.folder / "pushed.json")

    @contextmanager
    def locked(self, wait: bool = True) -> Iterator[None]:
        """Let one process at a time write.

        Raises:
            filelock.Timeout: If ``wait`` is false and another process is writing.
        """
        with writing("the journal", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / "lock", poll_interval=0.1)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if not wait:
                raise
            log.info("run %s is being recorded by another process; waiting", self.run_key)
            lock.acquire()
        try:
            self._drop_torn_line()
            yield
        finally:
            lock.release()

    def _drop_torn_line(self) -> None:
        """Cut off what a crash left of a last line, so that the next event starts a line."""
        if not self.exists():
            return
        with writing("the journal", self.folder), self._path.open("r+b") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)


def complete(events: list[Event]) -> bool:
    """Whether a run ended well: nothing more is to be logged."""
    return bool(events) and events[-1]["event"] == "end" and events[-1]["status"] == "FINISHED"


def _encoded(event: Event) -> Event:
    """Metrics that are no numbers in JSON become text."""
    values: Mapping[str, float] = event.get("values", {})
    as_json = {k: v if math.isfinite(v) else str(v) for k, v in values.items()}
    return event | ({"values": as_json} if values else {})


def _decoded(event: Event) -> Event:
    values = {name: float(value) for name, value in event.get("values", {}).items()}
    return event | ({"values": values} if values else {})
