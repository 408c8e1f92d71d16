"""Batches that are drawn at the same time, each by one thread of this process.

A small network's operations are too short to be shared by cores: at the end of each of them threads
wait for one another. So each core draws a batch of its own. Its images are those that one thread
draws, bit by bit, however many threads there are.
"""

import functools
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from tgap.core import Images, Sampler
from tgap.generators.base import Model
from tgap.generators.latent.model import StableDiffusionModel
from tgap.pipeline.sharing.crew import Batch

SMALL = 50_000_000
"""Weights of a denoiser at most: of a larger one an operation is long enough for all cores, and a
batch takes gigabytes."""

log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Nobody waits for what is being drawn."""


def drawn(model: Model, sampler: Sampler, batches: Sequence[Batch]) -> Generator[Images]:
    """Draw batches, several of a small model at the same time on a CPU, and yield them in order.

    Args:
        model: Draws.
        sampler: How.
        batches: Of prompts and noise seeds.
    """
    import torch

    threads = min(torch.get_num_threads(), len(batches))
    if threads > 1 and isinstance(model, StableDiffusionModel) and _is_small(model):
        log.info("drawing %d batches at the same time, each by one thread", threads)
        yield from _side_by_side(model, sampler, batches, threads)
    else:
        for prompts, seeds in batches:
            yield model.sample(prompts, seeds, sampler)


def _is_small(model: StableDiffusionModel) -> bool:
    weights = sum(each.numel() for each in model.denoiser.parameters())
    # Compiled code is for the number of threads that it was compiled under.
    return bool(model.device.type == "cpu" and weights <= SMALL and not model.compiled)


def _side_by_side(
    model: StableDiffusionModel, sampler: Sampler, batches: Sequence[Batch], threads: int
) -> Generator[Images]:
    """Closed before its end, it stops within one of the sampler's steps."""
    import torch

    stopped, before = threading.Event(), torch.get_num_threads()

    def go_on() -> None:
        if stopped.is_set():
            raise _StoppedError

    def draw(batch: Batch) -> Images:
        return model.sample(*batch, sampler, on_step=go_on)

    # Of each thread itself: the number of threads that torch's operations are shared by.
    alone = functools.partial(torch.set_num_threads, 1)
    pool = ThreadPoolExecutor(threads, "drawing", alone)
    try:
        yield from _in_order(pool, draw, batches, threads + 1)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _in_order(
    pool: ThreadPoolExecutor, draw: Callable[[Batch], Images], batches: Sequence[Batch], ahead: int
) -> Generator[Images]:
    """What is drawn, of so many batches at most that were begun and not yielded."""
    waiting: deque[Future[Images]] = deque()
    for batch in batches:
        waiting.append(pool.submit(draw, batch))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
