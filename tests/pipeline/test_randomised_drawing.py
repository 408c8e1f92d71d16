"""Drawing with ranges and guides by a pipeline: in another order, cut, by threads, by processes."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import tgap
from tests.generators.conftest import base, folder, model
from tests.pipeline.conftest import CUT
from tgap.core import Images, Sampler
from tgap.core.checkpoint import Pieces
from tgap.core.randomised import drawing_order
from tgap.generators.latent.drawing.aids import Aids
from tgap.generators.latent.model import StableDiffusionModel
from tgap.pipeline import generation, stages
from tgap.pipeline.draws import Order, in_order
from tgap.pipeline.generation import asked_for, drawn_prompts, drawn_seeds
from tgap.pipeline.plan import plan
from tgap.pipeline.result import Result
from tgap.pipeline.sharing.threads import drawn
from tgap.store import Store

__all__ = ["base", "folder", "model"]  # fixtures

SAMPLER = Sampler(
    guidance=1, guidance_high=6, steps=1, steps_high=3, guide="dropout", dropout=0.1, batch_size=7
)
PROMPTS = ["odd", "even"] * 20
SEEDS = range(40)


def draw(model: StableDiffusionModel, order: Order, kept: Pieces | None = None) -> Images:
    def sample(batches):
        for prompts, seeds in batches:
            yield model.sample(prompts, seeds, SAMPLER)

    return generation.draw(sample, PROMPTS, SEEDS, 7, "images", kept, order=order)


def furthest(one: Images, other: Images) -> int:
    return int(np.abs(one.astype(int) - other).max())


def test_images_stand_in_their_places_whatever_the_order_of_drawing(model):
    order = partial(drawing_order, SAMPLER)
    assert order(SEEDS).tolist() != list(SEEDS)
    assert furthest(draw(model, order), draw(model, in_order)) <= 1


def test_cut_anywhere_it_draws_the_same(model, tmp_path):
    class Stops(Pieces):
        def offer(self, done, state):
            self._saved_at = float("-inf")
            super().offer(done, state)
            if done == 21:
                raise KeyboardInterrupt

    order = partial(drawing_order, SAMPLER)
    with pytest.raises(KeyboardInterrupt):
        draw(model, order, Stops(tmp_path, {}, "drawing"))
    last = Pieces(tmp_path, {}, "drawing")
    assert (draw(model, order, last) == draw(model, order)).all()


def test_threads_that_draw_side_by_side_do_not_get_each_others_masks(model):
    guided = model.aided(Aids(guide=model))
    batches = [(PROMPTS[n : n + 4], list(SEEDS[n : n + 4])) for n in range(0, 40, 4)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = list(drawn(guided, SAMPLER, batches))
        torch.set_num_threads(3)
        together = list(drawn(guided, SAMPLER, batches))
    finally:
        torch.set_num_threads(before)
    assert [each.tobytes() for each in together] == [each.tobytes() for each in alone]


ASKED = (
    "generator.device=cpu selector=random sampler.steps_high=2 sampler.batch_size=32 "
    "sampler.guidance=1 sampler.guidance_high=4 sampler.guide=untuned sampler.dropout=0.1 "
    "sampler.schedulers=[ddim,euler] finetuner.prior_weight=0 budget.train_per_label=12 "
    "budget.test_per_label=6"
).split()


def made(home: Path, *words: str) -> Result:
    """A run as far as its synthetic set."""
    store, result = Store(home / "store"), Result(plan(tgap.compose(*CUT, *ASKED, *words)))
    for stage in ("prepare", "embed", "select", "finetune", "generate"):
        getattr(stages, stage)(result, store)
    return result


def check(result: Result) -> None:
    """Each image is what the tuned model draws for its prompt and seed, away from the untuned."""
    model, sampler = generation.drawing(result, "synthetic")
    assert isinstance(model, StableDiffusionModel)
    assert model.aids.guide is result.run.pretrained.load()
    data = result.dataset()
    seeds = [seed for of_label in drawn_seeds(result.run, data) for seed in of_label]
    prompts = drawn_prompts(result, asked_for(result.run, data, result.split().pool))
    images = result.artifacts.synthetic.read_array("images.npy")
    assert furthest(model.sample(prompts, seeds, sampler), images) <= 1


def test_a_run_draws_with_ranges_away_from_the_untuned_model(tmp_path):
    check(made(tmp_path))


@pytest.mark.long
def test_processes_that_share_it_do_so_too(tmp_path):
    check(made(tmp_path, "devices=2"))


def test_prior_images_are_drawn_without_a_guide(tmp_path):
    run = tgap.compose(*CUT, "sampler.guide=untuned")
    model, sampler = generation.drawing(Result(plan(run)), "prior")
    assert isinstance(model, StableDiffusionModel)
    assert (model.aids.guide, sampler.guide) == (None, "empty")
