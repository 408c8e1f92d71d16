"""When memory runs out: a smaller batch where results stay the same, else words that help."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tgap.core.errors import TgapError

T = TypeVar("T")

CPU_WORDS = "can't allocate memory"
"""In what torch's allocator says on a CPU, where it has no error of its own for this."""

log = logging.getLogger(__name__)


class OutOfMemoryError(TgapError):
    """Something does not fit the memory of the device that it is on."""


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, on whichever device.

    >>> ran_out_of_memory(MemoryError()), ran_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and CPU_WORDS in str(error)
    )


@contextmanager
def memory_told(what: str, remedy: str) -> Iterator[None]:
    """Inside, memory that runs out is an error in words.

    Args:
        what: Is being done.
        remedy: What to set, after "set".

    Raises:
        OutOfMemoryError: Instead of torch's.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise OutOfMemoryError(f"{what} does not fit the memory ({first}); set {remedy}") from error


def batches_that_fit(
    count: int,
    size: int,
    work: Callable[[slice], T],
    what: str,
    on_halved: Callable[[int], None] = lambda size: None,
) -> Iterator[T]:
    """Work through items batch by batch, with half as many at once whenever they do not fit.

    For work whose results do not depend on the batch.

    Args:
        count: Items.
        size: At once.
        work: Done to a slice of them.
        what: The items, in words.
        on_halved: Told the new size.

    Yields:
        What ``work`` returned, in order.

    Raises:
        OutOfMemoryError: If not even one item fits.

    >>> def work(part: slice) -> int:
    ...     if part.stop - part.start > 2:
    ...         raise MemoryError
    ...     return part.stop
    >>> list(batches_that_fit(5, 4, work, "images"))
    [2, 4, 5]
    """
    start = 0
    while start < count:
        part = slice(start, min(start + size, count))
        at_once = part.stop - start
        try:
            if at_once == 1:
                with memory_told(f"one of the {what} alone", "a smaller size, or use more memory"):
                    done = work(part)
            else:
                done = work(part)
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error):
                raise
            size = at_once // 2
        else:
            start = part.stop
            yield done
            continue
        # Out of the handler, whose error held on to what the batch had taken.
        log.warning("%d %s at once do not fit the memory: %d from now on", at_once, what, size)
        _give_back()
        on_halved(size)


def _give_back() -> None:
    """Let other batches have what torch keeps for later."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
