"""TIFF files that Pillow does not read: what they hold, without what Pillow logs of them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import BinaryIO

HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CHANNELS, _BITS, _NUMBERS = 277, 258, 339
_WORDS = {1: "whole numbers", 2: "signed whole numbers", 3: "floating point"}
_MOST = 4
_reading: ContextVar[bool] = ContextVar("_reading", default=False)


class _Unless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading.get()


_UNLESS = _Unless()


@contextmanager
def without_pillows_log() -> Iterator[None]:
    """Keep what Pillow logs of each TIFF from the terminal, in this thread alone.

    What it cannot read it raises too, and then tgap tells of it, once.
    """
    logging.getLogger("PIL.TiffImagePlugin").addFilter(_UNLESS)  # the same one is added once
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def unread_tiff(file: BinaryIO) -> str:
    """Why a TIFF is not read, by its first page's tags.

    Args:
        file: It, which Pillow has refused to open.

    Raises:
        Exception: Whatever Pillow's parser runs into, if the tags are broken too.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    file.seek(0)
    head = file.read(8)
    head += file.read(8) if 43 in head[2:4] else b""  # BigTIFF
    tags = ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    channels = tags.get(_CHANNELS, 1)
    bits, numbers = max(tags.get(_BITS, (1,))), _WORDS.get(tags.get(_NUMBERS, (1,))[0], "others")
    if channels > _MOST:
        return (
            f"a TIFF of {channels} channels is not read: write one of them, or three as RGB, to a "
            "file of its own"
        )
    return (
        f"a TIFF of {channels} channel{'' if channels == 1 else 's'} of {bits} bits ({numbers}) "
        "is not read; save it as 16 or 32 bit, of one channel or three"
    )
