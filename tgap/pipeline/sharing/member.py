"""A process that shares a stage of a run with others: ``crew`` starts it."""

import logging
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import numpy as np

from tgap.core import TgapError
from tgap.core.checkpoint import saving_told
from tgap.core.progress import Advance, relayed
from tgap.core.team import PeerLostError, Together, joined
from tgap.pipeline import generation
from tgap.pipeline.sharing.processes import plan_of
from tgap.pipeline.sharing.talking import Message, Wire, connected, heard, set_levels
from tgap.pipeline.stored import stored
from tgap.store import Spec, Store

STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
"""A cluster may tell all processes of a job: the one that started this one decides what comes."""

Inbox = queue.SimpleQueue[Message]


def main() -> NoReturn:
    """Do what this process is told, and end."""
    incoming, line = connected()
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, inbox), daemon=True).start()
    task = inbox.get()
    set_levels(task["levels"])
    for name in STOPS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if task["rank"] == 0:
        logging.root.addHandler(line)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with relayed(line.bar if task["rank"] == 0 else _silent), saving_told(line.saving):
        try:
            line.say(event="done", came_to=WORKS[task["work"]](task, inbox, line))
        except BaseException as error:
            line.say(
                event="failed",
                failure=_in_words(error),
                told=isinstance(error, TgapError),
                lost=isinstance(error, PeerLostError),
                traceback="".join(traceback.format_exception(error)),
            )
    os._exit(0)  # no library's last words to processes that are gone


def _read(incoming: BinaryIO, inbox: Inbox) -> None:
    """Hand messages on; at their end the process that sends them is gone."""
    for message, _ in heard(incoming):
        inbox.put(message)
    os._exit(1)


def _tune(task: Message, inbox: Inbox, line: Wire) -> Mapping[str, float]:
    """A part of each step of fine-tuning; the first process writes."""
    plan, store = plan_of(task), Store(Path(task["store"]))
    result = stored(plan, store)
    team = Together(task["rank"], task["size"], Path(task["meeting"]), task["cpu"])
    with joined(team):
        return generation.tune(result, Path(task["folder"]), cast("Spec", plan.generator))


def _draw(task: Message, inbox: Inbox, line: Wire) -> Mapping[str, float]:
    """Batches of images, as long as somebody asks for them."""
    plan, store = plan_of(task), Store(Path(task["store"]))
    model, sampler = generation.drawing(stored(plan, store), task["stage"])
    while True:
        asked = inbox.get()
        images = model.sample(asked["prompts"], asked["seeds"], sampler)
        data = np.ascontiguousarray(images).tobytes()
        line.say(data, event="images", number=asked["number"], shape=list(images.shape))


WORKS: Mapping[str, Callable[[Message, Inbox, Wire], Mapping[str, float]]] = {
    "tune": _tune,
    "draw": _draw,
}


@contextmanager
def _silent(description: str, total: int, counted: bool, before: int) -> Iterator[Advance]:
    """Of what all processes do, the first one tells."""
    yield lambda done: None


def _in_words(error: BaseException) -> str:
    text = str(error).strip()
    if isinstance(error, TgapError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
