"""Work on many files at once."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

R = TypeVar("R")


def in_threads(
    work: Callable[..., R], calls: Iterable[tuple[Any, ...]], workers: int
) -> Iterator[R]:
    """Results of calls in their order, few of which are begun before their turn.

    Arguments are made when a call is begun, so all of them together may be larger than memory.
    Threads suffice because Pillow frees Python's lock while it decodes and resamples.
    """
    with ThreadPoolExecutor(workers) as pool:
        jobs = (pool.submit(work, *call) for call in calls)
        waiting = deque(itertools.islice(jobs, 4 * workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(itertools.islice(jobs, 1))
