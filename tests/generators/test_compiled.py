"""Blocks are compiled where that works, and run as they are, in one line, where it does not."""

import logging
import shutil

import numpy as np
import pytest
import torch
from torch._dynamo import config as dynamo

from tgap.core import Budget, Sampler
from tgap.core.compiled import _InALine, compile_blocks
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.dreambooth_lora import DreamboothLora
from tgap.generators.stable_diffusion import StableDiffusion

PROMPTS = ["an image of odd digit", "an image of even digit"]


@pytest.fixture(autouse=True)
def as_before():
    """Nothing compiled stays, nor what is done about what cannot be."""
    logger, before = logging.getLogger("torch._dynamo.convert_frame"), dynamo.suppress_errors
    limit = dynamo.recompile_limit
    yield
    for one in [one for one in logger.filters if isinstance(one, _InALine)]:
        logger.removeFilter(one)
    dynamo.suppress_errors, dynamo.recompile_limit = before, limit
    torch._dynamo.reset()


def generator(**fields):
    return StableDiffusion(packaged="tiny_ldm", device="cpu", **fields)


def drawn(model):
    return model.sample(PROMPTS, [1, 2], Sampler(scheduler="ddim", steps=2, guidance=2.0))


def tuned(model, finetuner):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
    label = np.arange(4, dtype=np.int64) % 2
    texts = tuple(PROMPTS[i] for i in label)
    losses = []
    made = finetuner.finetune(
        model,
        PromptedImages(images, texts, np.ones(4), label),
        None,
        Budget(steps=2, batch_size=2),
        np.random.default_rng(0),
        lambda step, values: losses.append(values["loss"]),
    )
    return made, losses


def test_what_cannot_be_compiled_is_run_as_it_is_and_told_once(monkeypatch, caplog) -> None:
    plain = drawn(generator().load())

    def refuses(graph, inputs):
        raise RuntimeError("no compiler is to be found")

    compiling = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **words: compiling(self, backend=refuses, **words)
    )
    with caplog.at_level(logging.WARNING):
        found = drawn(generator(compile=True).load())
    assert (found == plain).all()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("blocks that cannot be compiled are run as they are: ")
    assert "no compiler is to be found" in line
    assert "\n" not in line


def test_a_network_without_such_blocks_is_told(caplog) -> None:
    compile_blocks(torch.nn.Linear(2, 2))
    assert "Linear has no blocks that repeat; nothing of it is compiled" in caplog.text


@pytest.mark.parametrize("finetuner", [Dreambooth(prior_weight=0), DreamboothLora(prior_weight=0)])
def test_tuned_copies_are_compiled_too(finetuner, monkeypatch) -> None:
    """By a back end that takes no compiler, and changes nothing."""
    compiling, graphs = torch.nn.Module.compile, []

    def counts(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **words: compiling(self, backend=counts, **words)
    )
    plain, losses = tuned(generator().load(), finetuner)
    assert not graphs
    made, losses_compiled = tuned(generator(compile=True).load(), finetuner)
    assert graphs
    assert losses_compiled == losses
    torch._dynamo.reset()
    before = len(graphs)
    assert (drawn(made) == drawn(plain)).all()
    assert len(graphs) > before, "the tuned model draws by its compiled blocks"


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("c++"), reason="takes a C++ compiler")
def test_compiled_blocks_draw_and_tune_the_same_but_for_rounding() -> None:
    (plain, losses), (made, losses_compiled) = (
        tuned(generator(compile=chosen).load(), Dreambooth(prior_weight=0))
        for chosen in (False, True)
    )
    np.testing.assert_allclose(losses_compiled, losses, rtol=1e-4)
    assert np.abs(drawn(made).astype(int) - drawn(plain).astype(int)).max() <= 1


def test_what_is_compiled_is_another_model() -> None:
    assert generator(compile=True).identity() != generator().identity()


class Block(torch.nn.Module):
    def forward(self, x):
        return x * 2


class Blocks(torch.nn.Module):
    _repeated_blocks = ("Block",)

    def __init__(self):
        super().__init__()
        self.each = torch.nn.ModuleList([Block() for _ in range(12)])


def test_blocks_of_more_shapes_than_torch_allows_by_itself_are_compiled(monkeypatch) -> None:
    graphs = []
    compile_with = torch.nn.Module.compile

    def counted(self, **options):
        compile_with(self, backend=lambda graph, inputs: graphs.append(1) or graph, **options)

    monkeypatch.setattr(torch.nn.Module, "compile", counted)
    network = Blocks()
    compile_blocks(network)
    for width, block in enumerate(network.each, start=2):
        assert block(torch.ones(width)).tolist() == [2.0] * width
    assert len(graphs) == 12 > 8
