"""What processes of tgap say to each other: lines of JSON, never a pickle, and bytes of arrays."""

import contextlib
import faulthandler
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any, BinaryIO

from tgap.core.progress import Advance, progress

Message = dict[str, Any]
INTERVAL = 0.1
"""Seconds between two messages of a bar."""
SIZE = "bytes"
"""Of a message: how many bytes follow its line."""
ENDS = ("done", "ended", "failed", "gone")
"""Events after which nothing more comes of what a process was told to do."""


def line_of(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def heard(stream: IO[bytes]) -> Iterator[tuple[Message, bytes]]:
    """Messages, and the bytes that came with each, until the other end is gone."""
    for line in stream:
        try:
            message: Message = json.loads(line)
        except ValueError:  # a dying process's half line
            return
        data = stream.read(message.get(SIZE, 0))
        if len(data) < message.get(SIZE, 0):
            return
        yield message, data


def connected() -> tuple[BinaryIO, "Wire"]:
    """Standard input and output as a connection, out of reach of libraries that read or print."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    faulthandler.enable()
    return os.fdopen(incoming, "rb"), Wire(os.fdopen(outgoing, "wb"))


class Wire(logging.Handler):
    """Says things to the process at the other end, log lines among them."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._sending = threading.Lock()
        self._bars = itertools.count()

    def say(self, data: bytes = b"", **message: Any) -> None:
        """Send a message, and bytes; if nobody listens any more, they are lost."""
        if data:
            message[SIZE] = len(data)
        with self._sending, contextlib.suppress(OSError):
            self._stream.write(line_of(message))
            self._stream.write(data)
            self._stream.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a log line."""
        self.say(**record_as_message(record))

    def saving(self, going: bool) -> None:
        """Tell that the saving of a checkpoint begins or ends: for ``saving_told``."""
        self.say(event="saving", going=going)

    @contextmanager
    def bar(self, description: str, total: int, counted: bool, before: int) -> Iterator[Advance]:
        """Show progress at the other end: a relay of ``tgap.core.progress``."""
        number = next(self._bars)
        self.say(event="bar", number=number, of=[description, total, counted, before])
        last = 0.0

        def advance(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if done >= total or now - last >= INTERVAL:
                last = now
                self.say(event="advance", number=number, done=done)

        try:
            yield advance
        finally:
            self.say(event="bar ended", number=number)


class Shown:
    """Log lines and bars of another process, in this one's log and on its display."""

    def __init__(self) -> None:
        self._bars: dict[int, tuple[ExitStack, Advance]] = {}

    def show(self, message: Message) -> None:
        """Show a message of ``Wire``, if it is a log line or of a bar."""
        number = message.get("number", 0)
        if message["event"] == "log":
            tell(message)
        elif message["event"] == "bar":
            stack = ExitStack()
            self._bars[number] = stack, stack.enter_context(progress(*message["of"]))
        elif message["event"] == "advance" and number in self._bars:
            self._bars[number][1](message["done"])
        elif message["event"] == "bar ended" and number in self._bars:
            self._bars.pop(number)[0].close()

    def end(self) -> None:
        """End the bars that are left."""
        for stack, _ in reversed(self._bars.values()):
            stack.close()
        self._bars.clear()


def levels() -> dict[str, int]:
    """Levels of loggers that were set, so that what nobody wants to see is not sent."""
    loggers = logging.root.manager.loggerDict
    found = {n: one.level for n, one in loggers.items() if isinstance(one, logging.Logger)}
    return {"": logging.root.level} | {name: level for name, level in found.items() if level}


def set_levels(found: Mapping[str, int]) -> None:
    """Set levels of another process in this one."""
    for name, level in found.items():
        logging.getLogger(name).setLevel(level)


def record_as_message(record: logging.LogRecord) -> Message:
    """A log line, with its traceback as text."""
    text = record.exc_text
    if record.exc_info and not text:
        text = logging.Formatter().formatException(record.exc_info)
    return {
        "event": "log",
        "name": record.name,
        "levelno": record.levelno,
        "levelname": record.levelname,
        "msg": record.getMessage(),
        "created": record.created,
        "msecs": record.msecs,
        "exc_text": text,
    }


def tell(message: Message) -> None:
    """Hand a log line to this process's loggers."""
    record = logging.makeLogRecord({k: v for k, v in message.items() if k != "event"})
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)
