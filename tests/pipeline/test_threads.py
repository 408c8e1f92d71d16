"""Batches that are drawn at the same time, by the packaged model."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tgap.core import DataError, Sampler
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.pipeline.sharing import threads
from tgap.pipeline.sharing.crew import Batch
from tgap.pipeline.sharing.threads import drawn

SAMPLER = Sampler(scheduler="ddim", steps=3, guidance=2.0, batch_size=4)


@pytest.fixture(scope="module")
def model() -> StableDiffusionModel:
    return StableDiffusion(packaged="tiny_ldm", device="cpu").load()


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def batches(count: int = 5, size: int = 4) -> list[Batch]:
    return [(["an image of a"] * size, list(range(n * size, (n + 1) * size))) for n in range(count)]


def drawing() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("drawing")]


def test_images_are_those_that_one_thread_draws_in_their_order(model: StableDiffusionModel) -> None:
    torch.set_num_threads(1)
    alone = list(drawn(model, SAMPLER, batches()))
    torch.set_num_threads(3)
    images = drawn(model, SAMPLER, batches())
    first = next(images)
    assert len(drawing()) == 3
    together = [first, *images]
    assert [each.tobytes() for each in together] == [each.tobytes() for each in alone]
    assert len(np.unique(np.concatenate(together), axis=0)) == 20
    assert not drawing()
    assert torch.get_num_threads() == 3


def test_of_a_large_model_one_batch_after_another_is_drawn(
    model: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "SMALL", 1000)
    images = drawn(model, SAMPLER, batches())
    next(images)
    assert not drawing()


def test_each_batch_has_one_thread(model: StableDiffusionModel) -> None:
    seen = set()
    hook = model.denoiser.register_forward_pre_hook(
        lambda *_: seen.add((threading.current_thread().name, torch.get_num_threads()))
    )
    try:
        list(drawn(model, SAMPLER, batches()))
    finally:
        hook.remove()
    assert sorted(seen) == [("drawing_0", 1), ("drawing_1", 1), ("drawing_2", 1)]


def test_prompts_are_read_one_batch_at_a_time(model: StableDiffusionModel) -> None:
    """Lengths are looked at without padding, and what is encoded is padded, by one tokenizer."""

    def read(number: int) -> set[tuple[int, ...]]:
        texts = [f"an image of {'a ' * (number % 7)}"]
        return {tuple(model.condition(texts)["encoder_hidden_states"].shape) for _ in range(40)}

    with ThreadPoolExecutor(8) as pool:
        assert set.union(*pool.map(read, range(16))) == {(1, 64, 64)}


def test_a_batch_that_fails_ends_the_others(model: StableDiffusionModel) -> None:
    unusual = [*batches(2), (["word " * 200] * 4, [1, 2, 3, 4]), *batches(9)]
    with pytest.raises(DataError, match="tokens"):
        list(drawn(model, SAMPLER, unusual))
    assert not drawing()
    assert torch.get_num_threads() == 3


def test_an_interruption_ends_it_within_a_step(model: StableDiffusionModel) -> None:
    """To its end each batch would take 900."""
    steps = 0

    def interrupting(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 20:
            os.kill(os.getpid(), signal.SIGINT)

    long = Sampler(scheduler="ddim", steps=900, guidance=2.0, batch_size=4)
    hook = model.denoiser.register_forward_pre_hook(interrupting)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(drawn(model, long, batches(6, 2)))
    finally:
        hook.remove()
    assert not drawing()
    assert steps < 300
