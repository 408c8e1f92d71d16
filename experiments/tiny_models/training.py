"""What the training scripts share: chance, the loop, and images as tensors."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from experiments.tiny_models.letters import Letters, make_letters
from experiments.tiny_models.tokenizer import TOKENS

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

log = logging.getLogger(__name__)

LETTER_COUNT = 20_000
CAPTIONS_EACH = 4


def start(seed: int, threads: int) -> Letters:
    """Fix all chance and draw the training images.

    Args:
        seed: Of the letters, the weights and the batches.
        threads: Sums depend on their number, so it belongs to the seed.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    began = time.monotonic()
    letters = make_letters(LETTER_COUNT, CAPTIONS_EACH, np.random.default_rng(seed))
    log.info("%d letters drawn in %.0f s", LETTER_COUNT, time.monotonic() - began)
    return letters


def to_pixels(images: NDArray[np.uint8]) -> Tensor:
    """``(N, H, W)`` uint8 -> ``(N, 1, H, W)`` float32 in [-1, 1]."""
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1).unsqueeze(1)


def tokenize(tokenizer: "CLIPTokenizer", captions: list[list[str]]) -> Tensor:
    """Token ids ``(N, captions each, TOKENS)``.

    Raises:
        ValueError: If a caption is too long: cut off, it would lose its meaning.
    """
    flat = [caption for group in captions for caption in group]
    if max(len(ids) for ids in tokenizer(flat).input_ids) > TOKENS:
        raise ValueError(f"a caption has more than {TOKENS} tokens; shorten the templates")
    ids = tokenizer(flat, padding="max_length", return_tensors="pt").input_ids
    return ids.view(len(captions), -1, TOKENS)


def fit(
    name: str,
    parameters: Iterable[nn.Parameter],
    loss_of: Callable[[], Tensor],
    *,
    steps: int,
    learning_rate: float,
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Minimise a loss by AdamW on a one-cycle schedule.

    Args:
        name: For the log.
        parameters: What is trained.
        loss_of: Draws a batch and gives its loss.
        steps: Optimizer steps.
        learning_rate: The cycle's highest.
        after_step: Told the number of steps done.
    """
    parameters = list(parameters)
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=1e-3)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.1
    )
    began, recent = time.monotonic(), []
    for step in range(1, steps + 1):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        cycle.step()
        after_step(step)
        recent.append(loss.item())
        if step % 100 == 0 or step == steps:
            seconds = time.monotonic() - began
            log.info("%s step %d loss %.4f, %.0f s", name, step, np.mean(recent[-100:]), seconds)
