"""A sign of life beside a journal, and how far its run is; it goes when the run ends."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tgap.core.foreign import formed, json_in
from tgap.core.progress import watched

log = logging.getLogger(__name__)

FILE = "progress.json"
INTERVAL = 5.0
"""Seconds between two signs."""
SILENCE = 600.0
"""Seconds without one, after which a run on another machine counts as dead."""
LATEST = 1e11
"""Seconds since 1970 that no clock shows."""


@dataclass(frozen=True)
class Beat:
    """A sign of life.

    Args:
        time: When, in seconds since 1970.
        host: Of the machine.
        pid: Of the process.
        doing: What is being done, e.g. ``fine-tuning``; empty if nothing told.
        done: How much of it.
        total: How much there is to do.
        since: When that was begun.
    """

    time: float
    host: str
    pid: int
    doing: str = ""
    done: int = 0
    total: int = 0
    since: float = 0.0

    def is_here(self) -> bool:
        """Whether it is of a process of this machine."""
        return self.host == socket.gethostname()

    def is_fresh(self) -> bool:
        """Whether there was one lately."""
        return time.time() - self.time < SILENCE


def beat_of(folder: Path) -> Beat | None:
    """The last sign of life in a journal's folder; ``None`` if there is none or it is damaged."""
    try:
        beat = formed(Beat, json_in(folder / FILE))
    except (OSError, ValueError):
        return None
    return beat if max(abs(beat.time), abs(beat.since)) < LATEST else None


@contextmanager
def beating(folder: Path) -> Iterator[None]:
    """Inside, there is a sign of life every few seconds; what hinders it is no matter.

    Args:
        folder: The journal's.
    """
    now: dict[str, float | int | str] = {"doing": "", "done": 0, "total": 0, "since": 0.0}
    ended = threading.Event()

    def told(doing: str, done: int, total: int) -> None:
        if doing != now["doing"] or done < int(now["done"]):
            now["since"] = time.time()
        now.update(doing=doing, done=done, total=total)

    def beat() -> None:
        while True:
            _write(folder, Beat(time.time(), socket.gethostname(), os.getpid(), **now))  # type: ignore[arg-type]
            if ended.wait(INTERVAL):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        with watched(told):
            yield
    finally:
        ended.set()
        thread.join(INTERVAL)
        with suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)


def _write(folder: Path, beat: Beat) -> None:
    beside = folder / f"{FILE}.tmp"
    with suppress(OSError):
        beside.write_text(json.dumps(asdict(beat)), "utf-8")
        beside.replace(folder / FILE)
