"""The processes that share a stage of a run, seen from the one that starts them.

A member (``tgap.pipeline.sharing.member``) is a fresh interpreter, told by lines of JSON what run
and which stage it works on. It reads what the stage needs from the store; only the first one, or
this process, writes. They end with this process, however it ends, and with the first of them that
fails.
"""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self, cast

import numpy as np

from tgap.core import ConfigError, Images, TgapError
from tgap.core.device import too_few_devices
from tgap.pipeline.plan import Plan
from tgap.pipeline.sharing.processes import START, death, plan_as_message
from tgap.pipeline.sharing.talking import Message, Shown, heard, levels, line_of
from tgap.store import Store

PROGRAM = f"{START}; from tgap.pipeline.sharing.member import main; main()"
GRACE = 6.0
"""Seconds that the first member has, at an interruption, to save how far it is."""
REASON = 5.0
"""Seconds to wait for a reason where a member only knows that another one is gone."""
LISTEN = 0.5
"""Seconds between two looks at signals."""
AHEAD = 2
"""Batches that a member has been asked for and has not drawn: it does not wait for the next."""
LAST_WORDS = 50
"""Lines that a member wrote before it died, for the log file."""
VISIBLE = "CUDA_VISIBLE_DEVICES"

Batch = tuple[Sequence[str], Sequence[int]]
"""Prompts, and as many noise seeds."""

log = logging.getLogger(__name__)


class _Member:
    """One process of a crew."""

    def __init__(self, number: int, cpu: bool, inbox: "queue.SimpleQueue[_Said]") -> None:
        # A session of its own: Ctrl-C in a terminal reaches this process alone, which passes it on.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | _surroundings(number, cpu),
            start_new_session=True,
        )
        self.number, self.shown, self.done = number, Shown(), False
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)
        pipes = self.process.stdin, self.process.stdout, self.process.stderr
        self._stdin, stdout, stderr = (cast("IO[bytes]", pipe) for pipe in pipes)
        self._readers = [
            threading.Thread(target=self._read, args=(stdout, inbox), daemon=True),
            threading.Thread(target=self._keep, args=(stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[bytes], inbox: "queue.SimpleQueue[_Said]") -> None:
        with stream:
            for message, data in heard(stream):
                inbox.put((self, message, data))
        inbox.put((self, {"event": "gone"}, b""))

    def _keep(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self.last_words.append(line.decode("utf-8", "replace"))

    def send(self, **message: Any) -> None:
        """Send a message; of a process that died the reader tells."""
        with contextlib.suppress(OSError):
            self._stdin.write(line_of(message))
            self._stdin.flush()

    def interrupt(self) -> None:
        """As Ctrl-C."""
        with contextlib.suppress(OSError):
            self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(LISTEN)
        self.shown.end()


_Said = tuple[_Member, Message, bytes]


class Crew:
    """Processes that share a stage, one for each device; a context that ends them.

    Args:
        plan: Of the run.
        store: Where the stage's inputs are.
        work: What they do, as ``member`` knows it.
        what: The same in words, e.g. ``fine-tuning``.
        size: How many there are.
        task: What else they are told, as JSON values.

    Raises:
        ConfigError: When it is entered, if this machine has not as many devices.
    """

    def __init__(
        self, plan: Plan, store: Store, work: str, what: str, size: int, **task: Any
    ) -> None:
        self._what, self._size = what, size
        self._task = {
            **plan_as_message(plan),
            "work": work,
            "store": str(store.root),
            "size": size,
            "levels": levels(),
            **task,
        }
        self._device = plan.run.pretrained.device
        self._inbox: queue.SimpleQueue[_Said] = queue.SimpleQueue()
        self._members: list[_Member] = []
        self._meeting = tempfile.TemporaryDirectory(prefix="tgap")

    def __enter__(self) -> Self:
        # Here too: a launcher may have moved the run to another machine than the one that checked.
        if problems := too_few_devices(self._device, self._size):
            raise ConfigError(*problems)
        cpu = self._device == "cpu"
        log.info("%s is shared by %d processes", self._what, self._size)
        try:
            for number in range(self._size):
                self._members.append(_Member(number, cpu, self._inbox))
            meeting = str(Path(self._meeting.name) / "meeting")
            for member in self._members:
                member.send(**self._task, rank=member.number, cpu=cpu, meeting=meeting)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all members."""
        for member in self._members:
            member.close()
        self._meeting.cleanup()

    def finished(self) -> Mapping[str, Any]:
        """Wait until all members have done their part; what the first one's came to.

        Raises:
            TgapError: If one failed or died.
            KeyboardInterrupt: If this process is told to stop; the first member was given time to
                save how far it is.
        """
        came_to: Mapping[str, Any] = {}
        try:
            while not all(member.done for member in self._members):
                member, message, _ = self._hear()
                if message["event"] == "done":
                    member.done = True
                    came_to = message["came_to"] if member.number == 0 else came_to
        except KeyboardInterrupt:
            self._stop()
            raise
        return came_to

    def drawn(self, batches: Sequence[Batch]) -> Iterator[Images]:
        """Images of batches, in their order, each drawn by whichever member is free.

        Raises:
            TgapError: If a member failed or died.
        """
        waiting = iter(enumerate(batches))

        def ask(member: _Member) -> None:
            for number, (prompts, seeds) in waiting:
                member.send(number=number, prompts=list(prompts), seeds=list(seeds))
                return

        for _ in range(AHEAD):
            for member in self._members:
                ask(member)
        ready: dict[int, Images] = {}
        for number in range(len(batches)):
            while number not in ready:
                member, message, data = self._hear()
                if message["event"] == "images":
                    ask(member)
                    pixels = np.frombuffer(data, np.uint8)
                    ready[message["number"]] = pixels.reshape(message["shape"])
            yield ready.pop(number)

    def _hear(self) -> _Said:
        """The next thing that a member says, shown if it is to be shown."""
        while True:
            try:
                said = self._inbox.get(timeout=LISTEN)
            except queue.Empty:
                continue
            member, message, _ = said
            member.shown.show(message)
            if message["event"] == "failed" or (message["event"] == "gone" and not member.done):
                raise self._failure(member, message)
            return said

    def _failure(self, member: _Member, message: Message) -> TgapError:
        """Why it cannot go on, from the member that knows."""
        end = time.monotonic() + REASON
        while message.get("lost") and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                other, said, _ = self._inbox.get(timeout=LISTEN)
                if said["event"] in ("failed", "gone") and other is not member:
                    member, message = other, said
        which = f"process {member.number + 1} of {self._size}"
        if message["event"] == "failed":
            if message["traceback"]:
                log.debug("%s failed:\n%s", which, message["traceback"])
            if message["told"]:  # a message for people, which is not about processes
                return TgapError(message["failure"])
            return TgapError(f"{self._what}: {which} failed: {message['failure']}")
        code = member.process.wait()
        member.close()
        if member.last_words:
            log.debug("the last that %s wrote:\n%s", which, "".join(member.last_words))
        return TgapError(f"{self._what}: {which} is gone: {death(code)}")

    def _stop(self) -> None:
        """Let the first member save how far it is, and hear of it."""
        first = self._members[0]
        first.interrupt()
        end = time.monotonic() + GRACE
        while not first.done and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                member, message, _ = self._inbox.get(timeout=LISTEN)
                member.shown.show(message)
                if member is first and message["event"] in ("failed", "done", "gone"):
                    return


def _surroundings(number: int, cpu: bool) -> dict[str, str]:
    """Environment of a member: a device of its own, and as many threads as this process has.

    With as many threads it adds up as this process would: drawn images are the same bit by bit.
    """
    import torch

    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    if cpu:
        return threads
    visible = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    return {**threads, VISIBLE: visible[number] if visible else str(number)}
