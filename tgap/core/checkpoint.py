"""How far a long piece of work is, kept on the disk so that an interrupted one goes on.

A piece of work (fine-tuning, drawing, training a classifier) tells its ``Checkpoint`` at the end of
each step how far it is; now and then all that it needs to go on is written down: arrays and JSON
values, in a safetensors file with a digest. A file is written beside its place, brought to disk and
renamed, so it is whole or not there.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.errors import DataError
from tgap.core.files import PART, cannot_write, read_sealed, write_sealed
from tgap.core.foreign import formed, json_of
from tgap.core.interrupts import Interrupts, held

LEAST_SECONDS = 10.0
"""Between two savings."""
USUAL_SECONDS = 60.0
"""Between two savings at most, unless they would take more than ``MOST`` of the time."""
CHEAP, MOST = 0.01, 0.05
"""Share of the time that saving takes; it may be more than ``CHEAP`` only once a minute is lost."""
QUICK_SECONDS = 15.0
"""What is expected to be saved in less is saved when the work is interrupted, too."""
BYTES_PER_SECOND = 2e8
"""How fast saving is taken to be before it was measured."""

HEAD = {
    "owner": dict[str, Any],
    "place": dict[str, Any],
    "done": int,
    "after": int,
    "seconds": float,
}
"""What the head of a file has."""

STEM, ENDING = "checkpoint.", ".safetensors"
NUMBERS = "__numbers__"

log = logging.getLogger(__name__)


_listeners: list[Callable[[bool], None]] = []


@contextmanager
def saving_told(listener: Callable[[bool], None]) -> Iterator[None]:
    """Inside, a listener is told whenever the saving of a checkpoint begins (true) and ends."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell_saving(going: bool) -> None:
    """Tell the listeners that saving begins or ends, here or in a process that works for us."""
    for listener in _listeners:
        listener(going)


@dataclass(frozen=True)
class Saved:
    """What a piece of work needs to go on.

    Args:
        done: How many of its steps are done.
        arrays: By name; of pieces, only what is new since the last time.
        numbers: Everything else, as JSON values.
    """

    done: int
    arrays: Mapping[str, NDArray[Any]]
    numbers: Mapping[str, Any]


class Checkpoint:
    """Keeps the last state of a piece of work.

    Args:
        folder: Where; ``None`` keeps nothing. What is of no use there is removed.
        owner: What the work is, as JSON values: the artifact's key, the code, versions. What was
            kept by another owner is told and removed.
        what: The work in words, e.g. ``fine-tuning``.
        place: By what it is computed, as JSON values: threads, GPU. What was begun by something
            else is gone on with, which is told, as results then differ by rounding.
    """

    keeps_all = False
    """Whether what was saved before is still needed."""

    def __init__(
        self,
        folder: Path | None = None,
        owner: Mapping[str, Any] | None = None,
        what: str = "work",
        place: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder, self._owner, self._what = folder, dict(owner or {}), what
        self._place = dict(place or {})
        self._begun = self._saved_at = time.monotonic()
        self._took: float | None = None
        self._failed = 0
        self._interrupts = Interrupts()
        self.earlier = 0.0
        """Seconds that the work took before it was interrupted."""
        self._found = self._read()
        self.done = self._found[-1].done if self._found else 0
        """How many steps were done when it was interrupted."""

    def load(self, unit: str, total: int) -> Saved | None:
        """What to go on with, if anything, which is told; asked once.

        Args:
            unit: What the steps are, e.g. ``step``.
            total: How many there are.
        """
        if self._found:
            log.info("going on with %s at %s %d of %d", self._what, unit, self.done, total)
        found, self._found = self._found, []
        return found[-1] if found else None

    @contextmanager
    def steps(self) -> Iterator[None]:
        """Inside, Ctrl-C and SIGTERM wait for the end of a step (``offer``), if not for long."""
        if self._folder is None:
            yield
            return
        with held() as interrupts:
            self._interrupts = interrupts
            try:
                yield
            finally:
                self._interrupts = Interrupts()

    def offer(self, done: int, state: Callable[[], Saved]) -> None:
        """Told at the end of a step, and saves if it is time to.

        Args:
            done: Steps that are done.
            state: What is needed to go on; asked only if it is saved.

        Raises:
            KeyboardInterrupt: If the work was interrupted, after saving where that is quick.
        """
        interrupted = self._interrupts.waiting
        if self._folder is not None and (interrupted or self._due()):
            saved = state()
            if not interrupted or self._is_quick(saved):
                with self._told():
                    self._save(self._folder, saved)
        self._interrupts.let_through()

    def _due(self) -> bool:
        took = self._took or 0.0
        wait = max(LEAST_SECONDS, min(took / CHEAP, USUAL_SECONDS), took / MOST)
        return time.monotonic() - self._saved_at >= wait

    def _is_quick(self, saved: Saved) -> bool:
        """Whether it can be saved on the way out; if not, that is told."""
        size = sum(array.nbytes for array in saved.arrays.values())
        took = size / BYTES_PER_SECOND if self._took is None else self._took
        if took > QUICK_SECONDS:
            log.info(
                "%s was interrupted at %d; to save that would take about %.0f s, so it goes on at "
                "%d another time",
                self._what,
                saved.done,
                took,
                self.done,
            )
        return took <= QUICK_SECONDS

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Inside, whoever waits for this process knows that a checkpoint is being saved."""
        interrupts = self._interrupts
        interrupts.saving = True
        tell_saving(True)
        try:
            yield
        finally:
            interrupts.saving = False
            tell_saving(False)

    def _save(self, folder: Path, saved: Saved) -> None:
        start = time.monotonic()
        head = {
            "owner": self._owner,
            "place": self._place,
            "done": saved.done,
            "after": self.done if self.keeps_all else 0,
            "seconds": self.earlier + start - self._begun,
        }
        # As an array: a file's head has a limit that the losses of a long training would reach.
        numbers = np.frombuffer(json.dumps(saved.numbers).encode(), np.uint8)
        path = folder / f"{STEM}{saved.done:010d}{ENDING}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_sealed(path, head, {**saved.arrays, NUMBERS: numbers})
            for other in () if self.keeps_all else self._files():
                if other != path:
                    other.unlink()
            self.done = saved.done
            if self._failed:
                log.info("how far %s is was saved, after %d in vain", self._what, self._failed)
            self._failed = 0
        except OSError as error:
            # The work itself can go on; whether its result can be written is told at its end.
            log.log(
                logging.DEBUG if self._failed else logging.WARNING,
                "%s; the work goes on, saving is tried again, and until then an interruption sets "
                "it back to %d",
                cannot_write(f"how far {self._what} is", folder, error),
                self.done,
            )
            self._failed += 1
        self._saved_at = time.monotonic()
        self._took = self._saved_at - start

    def _files(self) -> list[Path]:
        """What was saved, oldest first."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(self._folder.glob(f"{STEM}*{ENDING}"))

    def _read(self) -> list[Saved]:
        """What can be gone on with; the rest is removed."""
        found: list[Saved] = []
        begun: list[str] = []
        lost: list[str] = []
        for path in self._files() if self.keeps_all else self._files()[::-1]:
            if found and not self.keeps_all:
                path.unlink()  # older
                continue
            try:
                saved, others = self._read_one(path, found[-1].done if found else 0)
                found.append(saved)
                begun += [other for other in others if other not in begun]
            except OSError as error:  # perhaps passing: no reason to throw it away
                log.warning("%s cannot read %s: %s; it begins before it", self._what, path, error)
                break
            except (DataError, ValueError) as error:
                lost.append(f"{path}: {error}")
                path.unlink()
        if lost:  # of pieces, those after one that is damaged are of no use either
            log.warning(
                "%s cannot go on from what an interrupted process left in %s; it is removed%s, and "
                "made again",
                self._what,
                lost[0],
                f" with {len(lost) - 1} more" if lost[1:] else "",
            )
        for path in () if self._folder is None else self._folder.glob(f"*{PART}"):
            path.unlink()  # killed while it was written
        if begun:
            log.warning(
                "%s was begun with another %s: it goes on, and what comes of it may differ by "
                "rounding from what would come of one place",
                self._what,
                ", ".join(begun),
            )
        return found

    def _read_one(self, path: Path, after: int) -> tuple[Saved, list[str]]:
        """What was saved, and in what its place differs, in words."""
        found, arrays = read_sealed(path)
        head: dict[str, Any] = {
            name: formed(kind, found.get(name), f"'{name}' of its head")
            for name, kind in HEAD.items()
        }
        if others := _differing(head["owner"], self._owner):
            raise DataError(f"it is of another {', '.join(others)}")
        if self.keeps_all and head["after"] != after:
            raise DataError("what was made before it is not there")
        if NUMBERS not in arrays:
            raise DataError("it has no numbers")
        numbers = formed(dict[str, Any], json_of(arrays.pop(NUMBERS).tobytes()), "its numbers")
        self.earlier = head["seconds"]
        place = head["place"]
        others = [f"{name} ({place.get(name)})" for name in _differing(place, self._place)]
        return Saved(head["done"], arrays, numbers), others


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    return [name for name, own in ours.items() if theirs.get(name) != own]


class Pieces(Checkpoint):
    """Keeps the pieces of a result, each of them once, as they are made."""

    keeps_all = True

    def pieces(self, unit: str, total: int | None = None) -> Iterator[Saved]:
        """Those that are there, in the order that they were made in; each is forgotten then.

        Args:
            unit: What is counted, e.g. ``image``.
            total: How many there will be, if that is known.
        """
        if self._found:
            of = "" if total is None else f" of {total}"
            log.info("going on with %s at %s %d%s", self._what, unit, self.done, of)
        while self._found:
            yield self._found.pop(0)
