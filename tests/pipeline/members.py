"""Members of a crew that do what a test asks of them, without torch: ``main`` stands for theirs."""

import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tgap.pipeline.sharing.talking import Wire, connected, heard


@contextmanager
def _ends_with_its_starter(incoming) -> Iterator[queue.SimpleQueue]:
    inbox: queue.SimpleQueue = queue.SimpleQueue()

    def read() -> None:
        for message, _ in heard(incoming):
            inbox.put(message)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    yield inbox


def picture(prompt: str, seed: int) -> np.ndarray:
    return np.random.default_rng([len(prompt), seed]).integers(0, 256, (2, 3, 1), dtype=np.uint8)


def main() -> None:
    incoming, line = connected()
    with _ends_with_its_starter(incoming) as inbox:
        task = inbox.get()
        WAYS[task["way"]](task, inbox, line)
    os._exit(0)


def draw(task, inbox, line: Wire) -> None:
    """The first one is slow; the second one may end early."""
    for number in range(task.get("draws", 10**6)):
        asked = inbox.get()
        if task["rank"] == 0:
            time.sleep(0.05)
        pairs = zip(asked["prompts"], asked["seeds"], strict=True)
        images = np.stack([picture(*pair) for pair in pairs])
        shape = list(images.shape)
        line.say(images.tobytes(), event="images", number=asked["number"], shape=shape)
        if task["rank"] == 1 and number + 1 == task.get("then"):
            os.kill(os.getpid(), signal.SIGKILL)


def fail(task, inbox, line: Wire) -> None:
    """The second one fails; the first one notices, and speaks first."""
    if task["rank"] == 0:
        line.say(event="failed", failure="gone", told=True, lost=True, traceback="")
        time.sleep(60)
    time.sleep(0.2)
    told = {"told": task["told"], "lost": False, "traceback": "Traceback: here"}
    line.say(event="failed", failure="ValueError: of the second", **told)


def work(task, inbox, line: Wire) -> None:
    """Until it is told to stop; then the first one saves."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:  # it may be told as soon as it says something
        if task["rank"] == 0:
            line.say(event="bar", number=0, of=["working", 10, True, 0])
            line.say(event="advance", number=0, done=3)
        time.sleep(60)
    except KeyboardInterrupt:
        line.saving(True)
        time.sleep(task["seconds"])
        line.saving(False)
        with open(task["saves"], "w") as file:
            file.write(str(task["rank"]))
        line.say(event="failed", failure="KeyboardInterrupt", told=False, lost=False, traceback="")


def end(task, inbox, line: Wire) -> None:
    line.say(event="done", came_to={"rank": task["rank"]})


def orphan(task, inbox, line: Wire) -> None:
    """The second one is killed; a process that it forked lives on, with all its descriptors."""
    if task["rank"] == 1 and os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


WAYS = {"orphan": orphan, "draw": draw, "fail": fail, "work": work, "end": end}
