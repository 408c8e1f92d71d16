"""The processes that share a stage of a run, seen from the one that starts them.

A member (``tgap.pipeline.sharing.member``) is a fresh interpreter, told by lines of JSON what run
and which stage it works on. It reads what the stage needs from the store; only the first one, or
this process, writes. They end with this process, however it ends, and with the first of them that
fails.
"""

import logging
import os
import queue
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from tgap.core import ConfigError, Images, TgapError
from tgap.core.device import too_few_devices
from tgap.pipeline.plan import Plan
from tgap.pipeline.sharing.child import START, Child, Inbox, Said, next_said
from tgap.pipeline.sharing.processes import plan_as_message
from tgap.pipeline.sharing.talking import Message, levels
from tgap.store import Store

PROGRAM = f"{START}; from tgap.pipeline.sharing.member import main; main()"
GRACE, LONGEST = 6.0, 22.0
"""Seconds that the first member has at an interruption; the second ones while it saves how far it
is: more than ``SAVING_SECONDS``."""
REASON = 5.0
"""Seconds to wait for a reason where a member only knows that another one is gone."""
AHEAD = 2
"""Batches that a member has been asked for and has not drawn: it does not wait for the next."""
VISIBLE = "CUDA_VISIBLE_DEVICES"

Batch = tuple[Sequence[str], Sequence[int]]
"""Prompts, and as many noise seeds."""

log = logging.getLogger(__name__)


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
        self._inbox: Inbox = queue.SimpleQueue()
        self._members: list[Child] = []
        self._done: set[Child] = set()
        self._meeting = tempfile.TemporaryDirectory(prefix="tgap")

    def __enter__(self) -> Self:
        # Here too: a launcher may have moved the run to another machine than the one that checked.
        if problems := too_few_devices(self._device, self._size):
            raise ConfigError(*problems)
        cpu = self._device == "cpu"
        log.info("%s is shared by %d processes", self._what, self._size)
        try:
            for number in range(self._size):
                environment = _surroundings(number, cpu)
                self._members.append(Child(PROGRAM, self._inbox, number, environment))
            meeting = str(Path(self._meeting.name) / "meeting")
            for member in self._members:
                task = {**self._task, "rank": member.number, "cpu": cpu, "meeting": meeting}
                member.send(task)
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
            while len(self._done) < self._size:
                member, message, _ = self._hear()
                if message["event"] == "done":
                    self._done.add(member)
                    came_to = message["came_to"] if member.number == 0 else came_to
        except KeyboardInterrupt:
            if self._members[0] not in self._done:
                self._members[0].stop("SIGINT", GRACE, LONGEST)
            raise
        return came_to

    def drawn(self, batches: Sequence[Batch]) -> Iterator[Images]:
        """Images of batches, in their order, each drawn by whichever member is free.

        Raises:
            TgapError: If a member failed or died.
        """
        waiting = iter(enumerate(batches))

        def ask(member: Child) -> None:
            for number, (prompts, seeds) in waiting:
                member.send({"number": number, "prompts": list(prompts), "seeds": list(seeds)})
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

    def _hear(self) -> Said:
        """The next thing that a member says, shown if it is to be shown."""
        while True:
            at_work = [member for member in self._members if member not in self._done]
            if (said := next_said(self._inbox, at_work)) is None:
                continue
            member, message, _ = said
            gone = message["event"] == "gone" and member not in self._done
            if message["event"] == "failed" or gone:
                raise self._failure(member, message)
            return said

    def _failure(self, member: Child, message: Message) -> TgapError:
        """Why it cannot go on, from the member that knows."""
        end = time.monotonic() + REASON
        others = [each for each in self._members if each is not member and each not in self._done]
        while message.get("lost") and time.monotonic() < end:
            said = next_said(self._inbox, others)
            if said and said[0] is not member and said[1]["event"] in ("failed", "gone"):
                member, message, _ = said
        which = f"process {member.number + 1} of {self._size}"
        if message["event"] == "failed":
            if message["traceback"]:
                log.debug("%s failed:\n%s", which, message["traceback"])
            if message["told"]:  # a message for people, which is not about processes
                return TgapError(message["failure"])
            return TgapError(f"{self._what}: {which} failed: {message['failure']}")
        return TgapError(f"{self._what}: {which} is gone: {member.death(which)}")


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
