"""A child process: a fresh interpreter that is told things, and says things, in lines of JSON."""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import IO, cast

from tgap.core.checkpoint import tell_saving
from tgap.pipeline.sharing.talking import ENDS, Message, Shown, heard, line_of

START = "import json, sys; sys.path[:] = json.loads(sys.argv[1])"
"""Modules come from where this process has them, and not from the current folder besides."""
MEMORY = "; the machine may have run out of memory" if os.name == "posix" else ""
LISTEN = 0.5
"""Seconds between two looks at signals and the time."""
DYING = 10.0
"""Seconds in which a process ends that has closed its end of the connection."""
LAST_WORDS = 50
"""Lines that a process wrote before it died, for the log file."""

log = logging.getLogger(__name__)


class Child:
    """A process that ends with this one, however this one ends.

    Args:
        program: Python code; it begins with ``START``.
        inbox: Takes what it says; several children may share one.
        number: Its number among them, from 0.
        environment: Variables that it has besides this process's.
        echo: Whether what libraries write to standard error is passed on.
    """

    def __init__(
        self,
        program: str,
        inbox: "Inbox",
        number: int = 0,
        environment: Mapping[str, str] = {},
        echo: bool = False,
    ) -> None:
        # A session of its own: Ctrl-C in a terminal reaches this process alone, which passes it on.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", program, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self.number, self._inbox, self._echoes = number, inbox, echo
        self.shown = Shown()
        self._closed = self._saving = False
        self._saved_at = 0.0
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        pipes = self.process.stdin, self.process.stdout, self.process.stderr
        self._stdin, stdout, stderr = (cast("IO[bytes]", pipe) for pipe in pipes)
        reads = ((self._read, stdout), (self._keep, stderr))
        self._readers = [threading.Thread(target=r, args=(s,), daemon=True) for r, s in reads]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for message, data in heard(stream):
                if message["event"] == "saving":
                    self._note_saving(message["going"])
                else:
                    self._inbox.put((self, message, data))
        if self._saving:  # it died while it saved
            self._note_saving(False)
        self._inbox.put((self, {"event": "gone"}, b""))

    def _note_saving(self, going: bool) -> None:
        """It saves a checkpoint, and whoever waits for this process is to know that too."""
        self._saving, self._saved_at = going, time.monotonic()
        tell_saving(going)

    def _keep(self, stream: IO[bytes]) -> None:
        """Keep the last that it writes; passed on, it stands above the bars if some are shown."""
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace")
                self._last_words.append(text)
                if self._echoes:
                    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                        sys.stderr.write(text)

    @property
    def alive(self) -> bool:
        """Whether it can be told anything."""
        return not self._closed and self.process.poll() is None

    def send(self, message: Message) -> None:
        """Send a message; of a process that died the reader tells."""
        with contextlib.suppress(OSError):
            self._stdin.write(line_of(message))
            self._stdin.flush()

    def stop(self, name: str, grace: float, longest: float) -> Message | None:
        """Let it end itself; it is not closed.

        Args:
            name: Of the signal that it gets: SIGINT is Ctrl-C.
            grace: Seconds that it has, after it was told or has saved a checkpoint.
            longest: Seconds that it has with the saving of a checkpoint.

        Returns:
            The last that it said, ``gone`` included; ``None`` if it had no more time.
        """
        with contextlib.suppress(OSError):
            if os.name == "posix":
                self.process.send_signal(getattr(signal, name))
            else:
                self.process.terminate()
        begun, told = time.monotonic(), False
        while time.monotonic() < self._deadline(begun, grace, longest):
            if self._saving and not told:
                told = True
                log.info("waiting for a checkpoint, at most %.0f s; not if stopped again", longest)
            said = next_said(self._inbox, [self])
            if said is not None and said[0] is self and said[1]["event"] in ENDS:
                return said[1]
        return None

    def _deadline(self, begun: float, grace: float, longest: float) -> float:
        if self._saving:
            return begun + longest
        return min(max(begun, self._saved_at) + grace, begun + longest)

    def death(self, who: str) -> str:
        """Of what it died, in words; it is closed.

        Args:
            who: It, in words, for the log: its last words stand there.
        """
        try:
            told = death(self.process.wait(DYING))
        except subprocess.TimeoutExpired:  # it lives: it closed its output, or wrote over it
            told = "it no longer spoke to the process that started it, and was killed"
        self.close()
        if self._last_words:
            log.debug("the last that %s wrote:\n%s", who, "".join(self._last_words))
        return told

    def close(self) -> None:
        """End the process and whatever it started."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._stdin.close()
        if os.name == "posix":
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(LISTEN)
        self.shown.end()


Said = tuple[Child, Message, bytes]
"""Who said something, what, and the bytes that came with it."""
Inbox = queue.SimpleQueue[Said]


def next_said(inbox: Inbox, of: Iterable[Child] = ()) -> Said | None:
    """What a child says next, shown if it is to be shown; ``None`` if none does for a moment.

    Args:
        inbox: Where children say it.
        of: Children that are waited for: of one that is dead ``gone`` is said, also if a process
            that it started still holds its end of the connection.
    """
    dead = [child for child in of if not child.alive]  # before: its last words come first
    try:
        said = inbox.get(timeout=LISTEN)
    except queue.Empty:
        return (dead[0], {"event": "gone"}, b"") if dead else None
    said[0].shown.show(said[1])
    return said


def death(code: int) -> str:
    """Of what a process died, in words.

    Args:
        code: Its exit code; negative is a signal's number.
    """
    if code >= 0:
        return f"it ended its process with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"it was killed by signal {-code} ({name}){MEMORY if name == 'SIGKILL' else ''}"
