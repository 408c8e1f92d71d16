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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tgap.core import StoreError
from tgap.core.files import locked, sync, writing
from tgap.core.foreign import formed, json_in
from tgap.core.secrets import masked, masked_file, masked_texts
from tgap.tracking.event import NUMBERS, Event, read_event
from tgap.tracking.server import SQLITE, sqlite_file

SWEEP = "sweep"
"""Run key of a sweep's own journal: its parent run in MLflow."""
CURVE = "curve-"
"""What the run keys of a sweep's curves begin with, which are no runs of its own."""
SINGLE = "single"
"""Sweep key of runs that belong to no sweep."""

log = logging.getLogger(__name__)

AGAIN = 10.0
"""Seconds after which it is tried again to write what could not be written."""
TAIL = 2**14
"""Bytes in which the end of a run is looked for first."""
STATUSES = ("FINISHED", "FAILED", "KILLED")
TURNS = ("start", "resume", "end")
"""Events that begin a run, go on with it, and end it."""
PUSHED = {"tracking_uri": str, "run_id": str, "events": int, "experiment_id": str}
"""What is written down of a push."""


@dataclass
class _Held:
    """What a process knows of a journal that it writes, so that nothing is lost with the files.

    Args:
        lines: Of the journal.
        state: Size and time of the file after the last of them.
        files: Contents of files, or where they were copied from.
        tried: When it was last tried in vain to write all that; ``None`` if all is written.
    """

    lines: list[bytes]
    state: tuple[int, int] | None
    files: dict[str, Path | str] = field(default_factory=dict)
    tried: float | None = None


class Journal:
    """The journal in one folder.

    Args:
        folder: Made when the first event is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "journal.jsonl"
        self._held: _Held | None = None

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

    def turn(self) -> Event | None:
        """How it stands: the last event that began or ended it, from the end of the file.

        ``None`` if there is none.
        """
        if not self._path.exists():
            return None
        with writing("the journal", self.folder), self._path.open("rb") as file:
            file.seek(max(self._path.stat().st_size - TAIL, 0))
            for line in reversed(file.read().split(b"\n")[:-1]):
                if line.startswith(tuple(b'{"event": "%s"' % kind.encode() for kind in TURNS)):
                    with suppress(ValueError):
                        return read_event(line)
        return last_turn(self.events())

    def ended(self) -> bool:
        """Whether nothing goes on: it ended, or was never begun."""
        last = self.turn()
        return last is None or last["event"] == "end"

    def events(self) -> list[Event]:
        """All events so far.

        Raises:
            StoreError: If a line is damaged.
        """
        self._put_back()
        events = []
        for number, line in enumerate(self._lines(), start=1):
            try:
                events.append(read_event(line))
            except ValueError as error:
                raise StoreError(
                    f"line {number} of {self._path} is damaged: {error}; start the run again: its "
                    "record is mended, and what is in the store is reused"
                ) from error
        return events

    def mend(self) -> None:
        """Set a damaged journal aside and go on with the lines that are sound.

        It then counts as not ended, so that what is missing is logged again. Its lock is held.
        """
        lines = []
        for line in self._lines():
            with suppress(ValueError):
                if read_event(line)["event"] != "end":
                    lines.append(line)
        if not lines or read_event(lines[0])["event"] != "start":
            lines = []  # what it was is not known: it begins anew
        aside = self.folder / f"journal.damaged-{time.time_ns()}.jsonl"
        log.warning("%s is damaged: it is kept as %s, and mended", self._path, aside.name)
        with writing("the journal", self.folder):
            os.replace(self._path, aside)
            self._write_lines(lines)
        self._held = _Held(lines, self._state())

    def _put_back(self, *, at_once: bool = False) -> None:
        """Write the journal again if it could not be written, or something else changed it.

        Args:
            at_once: Whether to try it though that was in vain a moment ago.
        """
        held = self._held
        if held is None or (held.tried is None and held.state == self._state()):
            return
        if held.tried is None:
            log.warning(
                "the record %s was removed or changed while its run went on: it is written again",
                self.folder,
            )
        elif not at_once and time.monotonic() - held.tried < AGAIN:
            return
        with self._or_later():
            for name, content in held.files.items():  # first, as lines name them
                lost = not (self.folder / "files" / name).exists()
                if lost and (isinstance(content, str) or content.exists()):
                    self._copy(content, name)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_lines(held.lines)
            held.tried, held.state = None, self._state()

    @contextmanager
    def _or_later(self) -> Iterator[None]:
        """Inside, what cannot be written is held until it can, if the record was begun."""
        try:
            with writing("the journal", self.folder):
                yield
        except StoreError as error:
            held = self._held
            gone = isinstance(error.__cause__, FileNotFoundError)  # what is to be copied
            if held is None or not held.lines or gone:
                raise
            if held.tried is None:
                log.warning("%s; the run goes on, and this is tried again", error)
            held.tried = time.monotonic()

    def _write_lines(self, lines: Sequence[bytes]) -> None:
        beside = self.folder / "journal.jsonl.tmp"
        try:
            beside.write_bytes(b"".join(line + b"\n" for line in lines))
            os.replace(beside, self._path)
        finally:
            beside.unlink(missing_ok=True)

    def _state(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns

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
            StoreError: If the first one cannot be written; later ones are held and tried again.
        """
        for name in NUMBERS:
            if values := content.get(name):  # what is no number in JSON becomes text
                content[name] = {k: v if math.isfinite(v) else str(v) for k, v in values.items()}
        if kind != "artifact":  # names of files, and ways to end, are no secrets
            plain = {k: v for k, v in content.items() if k == "status" and v in STATUSES}
            content = masked_texts(content) | plain
        event = {"event": kind, "time": time.time_ns() // 1_000_000, **content}
        line = json.dumps(event, allow_nan=False).encode()
        self._put_back(at_once=kind == "end")
        held = self._held
        if held is None or held.tried is None:
            with self._or_later(), self._path.open("ab") as file:
                file.write(line + b"\n")  # not synced: that would cost more than an event: to_disk
        if held is not None:
            held.lines.append(line)
            held.state = self._state()

    def keep(self, content: Path | str, name: str) -> None:
        """Copy a file, or write a text, into the journal, to be logged under ``name``.

        A second one of that name replaces the first.
        """
        with self._or_later():
            self._copy(content, name)
        if self._held is not None:
            self._held.files[name] = content
        self.append("artifact", path=f"files/{name}", name=name)

    def _copy(self, content: Path | str, name: str) -> None:
        kept = self.folder / "files" / name
        with writing(name, kept.parent):
            kept.parent.mkdir(parents=True, exist_ok=True)
            try:
                if isinstance(content, str):
                    kept.write_text(masked_file(content, name), "utf-8")
                else:
                    shutil.copyfile(content, kept)
            except OSError:
                kept.unlink(missing_ok=True)  # half of it counts as none
                raise

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
            pushed = formed(dict[str, Any], json_in(self.folder / "pushed.json"))
            return {name: formed(kind, pushed.get(name), name) for name, kind in PUSHED.items()}
        except (OSError, ValueError):
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
    def locked(self, wait: bool | float = True) -> Iterator[None]:
        """Let one process at a time write.

        Args:
            wait: For another one that is writing, as in ``tgap.core.files.locked``.

        Raises:
            filelock.Timeout: If another process is writing for longer than that.
            StoreError: If the lock, or at the end what is held, cannot be written.
        """
        with locked(self.folder / "lock", f"the journal of run {self.run_key}", wait=wait):
            self._drop_torn_line()
            self._held = _Held(self._lines(), self._state())
            try:
                yield
                self._put_back(at_once=True)
                if self._held is not None and self._held.tried is not None:
                    raise StoreError(
                        f"the record {self.folder} could not be written to its end; make room and "
                        "start the run again: what is in the store is reused"
                    )
            finally:
                self._held = None

    def _drop_torn_line(self) -> None:
        """Cut off what a crash left of a last line, so that the next event starts a line."""
        if self._path.exists():
            with writing("the journal", self.folder):
                os.truncate(self._path, sum(len(line) + 1 for line in self._lines()))


def last_turn(events: Sequence[Event]) -> Event | None:
    """How a run stands: the last event that began or ended it; tags may be set after its end."""
    return next((event for event in reversed(events) if event["event"] in TURNS), None)


def complete(events: Sequence[Event]) -> bool:
    """Whether a run ended well: nothing more is to be logged."""
    last = last_turn(events)
    return last is not None and last["event"] == "end" and last["status"] == "FINISHED"


def place_of(home: Path, run_key: str, sweep_key: str) -> Journal:
    """Where a run is recorded: where it was before, by whichever command, else in its sweep.

    So a run has one record, however many sweeps it belongs to, also if two of them begin it at the
    same time.

    Args:
        home: Folder of the journals.
        run_key: The run.
        sweep_key: The sweep that it is begun by now.
    """
    folder = home / "journal"
    with locked(folder / "lock", "the journals"), writing("the journal", folder):
        own = folder / sweep_key / run_key
        places = [own, *sorted(p for p in folder.glob(f"*/{run_key}") if p != own)]
        there = [Journal(place) for place in places if place.is_dir()]
        for journal in there:  # homes of earlier versions may have several
            with suppress(StoreError):
                turn = journal.turn()
                if turn is not None and complete([turn]):
                    return journal
        if not there:
            own.mkdir(parents=True)
        return there[0] if there else Journal(own)
