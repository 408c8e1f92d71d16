"""Sending to the second level behind the work: one thread of a process, one artifact at a time.

What is to be sent has a note in ``<root>/unsent`` from before it stands until it is there. So what
a process could not send that was killed, or whose second level was away, is found: by the next run
on this store, or by ``tgap store push``.
"""

import logging
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock

from tgap.core import StoreError
from tgap.core.files import locked
from tgap.store.manifest import file_problems, form_problem, read_manifest
from tgap.store.remote import remote
from tgap.store.vouched import Vouched

UNSENT = "unsent"
"""The folder in the store for the notes."""
AHEAD = 32
"""Artifacts that wait to be sent; who makes one more waits until one of them is sent."""
LEFT_SECONDS = 30.0
"""That the end of a run waits for what earlier processes left, of which there may be very much."""

Place = tuple[str, str]
"""Stage and key of an artifact."""

log = logging.getLogger(__name__)


class Unsent:
    """Notes of what the second level does not have yet.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / UNSENT

    def note(self, place: Place) -> None:
        """Write that an artifact is to be sent."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "-".join(place)).touch()

    def drop(self, place: Place) -> None:
        """It has been sent, or need not be."""
        (self._folder / "-".join(place)).unlink(missing_ok=True)

    def noted(self) -> list[Place]:
        """What is to be sent."""
        names = (
            sorted(path.name for path in self._folder.iterdir()) if self._folder.exists() else []
        )
        found = (re.fullmatch("([a-z][a-z0-9_]*)-([0-9a-f]{20})", name) for name in names)
        return [(name[1], name[2]) for name in found if name]


class Sender:
    """Sends what this process made, in the order in which it is told, then what others left.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._unsent = root, Unsent(root)
        self._made: deque[Place] = deque()
        self._left: deque[Place] = deque()
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="sending", daemon=True).start()

    def send(self, place: Place) -> None:
        """Send an artifact of this process; wait if ``AHEAD`` of them are not sent yet."""
        with self._changed:
            if place not in self._made:
                self._changed.wait_for(lambda: len(self._made) < AHEAD)
                self._made.append(place)
                self._changed.notify_all()

    def send_left(self, places: Sequence[Place]) -> None:
        """Send what others left, when nothing else is to be sent; nobody waits for room."""
        with self._changed:
            self._left += [place for place in places if place not in self._left]
            self._changed.notify_all()

    def wait(self) -> None:
        """Until all that this process made is sent, or has failed; not long for what is left."""
        with self._changed:
            if number := len(self._made):
                log.info("the last %d artifacts are being sent to the second level", number)
            self._changed.wait_for(lambda: not self._made)
            self._changed.wait_for(lambda: not self._left, LEFT_SECONDS)
            if number := len(self._left):
                log.info(
                    "%d artifacts of earlier processes are not sent yet: the next run goes on with "
                    "them, or `tgap store push`",
                    number,
                )

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._made or self._left)
                places = self._made or self._left
            try:
                self._send(places[0])
            except filelock.Timeout:
                log.debug("another process sends %s %s", *places[0])
            except Exception as error:  # whatever it is: without this thread all would wait forever
                log.warning(
                    "cannot send %s %s to the second level: %s",
                    *places[0],
                    error or type(error).__name__,
                )
                log.debug("it is", exc_info=error)
            finally:
                with self._changed:
                    places.popleft()
                    self._changed.notify_all()

    def _send(self, place: Place) -> None:
        folder, level = self._root.joinpath(*place), remote()
        with sending(self._root, place):
            if not folder.exists():  # removed, or its maker was killed: nothing to be sent
                self._unsent.drop(place)
                return
            manifest = read_manifest(folder)
            problem = form_problem(manifest) or next(
                file_problems(folder, manifest, Vouched(folder)), None
            )
            if problem:
                raise StoreError(f"it is damaged ({problem}); the next run that needs it mends it")
            if level is not None:
                level.send(folder, manifest)
                if not level.is_away:
                    self._unsent.drop(place)


@contextmanager
def sending(root: Path, place: Place) -> Iterator[None]:
    """Inside, no other process sends or removes an artifact.

    Raises:
        filelock.Timeout: If one does.
    """
    name = "-".join(place)
    with locked(root / "locks" / f"sending-{name}.lock", f"sending {name}", wait=False):
        yield


_senders: dict[Path, Sender] = {}
"""This process's, by the store's folder."""


def _sender(root: Path) -> Sender:
    if root not in _senders:
        _senders[root] = Sender(root)
    return _senders[root]


def send_behind(root: Path, place: Place) -> None:
    """Have an artifact sent by this process's thread; ``AHEAD`` may wait."""
    _sender(root).send(place)


def send_left(root: Path) -> None:
    """Have sent what earlier processes left, if there is a second level."""
    level = remote()
    left = Unsent(root).noted() if level is not None and not level.is_away else []
    if left:
        log.info("%d artifacts that were not sent to the second level yet are sent now", len(left))
        _sender(root).send_left(left)


def wait_until_sent(root: Path) -> None:
    """Wait for this process's thread; what failed has been told, and keeps its note.

    What earlier processes left is waited for ``LEFT_SECONDS``.
    """
    if root in _senders:
        _senders[root].wait()
