"""What every oracle must keep, with every score, whichever it is."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from tgap.composition import registry
from tgap.core import Budget
from tgap.embedders.pixels import Pixels
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.oracles.base import Oracle, Tuning
from tgap.finetuners.oracles.scores.base import Score
from tgap.finetuners.training.gate import Gate

from .interrupting import interrupted
from .toy_models import ToyModel, toy_images, weights_of

GROUP = "finetuner/oracle"
KNOWN = {"boundary", "inverse", "none", "quantile", "random_skip", "similarity"}
KNOWN_SCORES = {"generated", "loss", "one_step"}
IMAGES = toy_images(20)
IMAGES.images.setflags(write=False)
BATCHES = np.random.default_rng(5).integers(0, 20, (6, 8))


def make(group: str, name: str, **settings):
    """A component, its embedder (where it must have one) being the pixels."""
    cls = registry.component_class(group, name)
    if "embedder" in (f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING):
        settings["embedder"] = Pixels()
    return cls(**settings)


def arms() -> list[tuple[str, str, str]]:
    """Every oracle with every unit, and with every score if it has one."""
    found = []
    for name in registry.names(GROUP):
        cls = registry.component_class(GROUP, name)
        scored = "score" in (f.name for f in dataclasses.fields(cls))
        scores = registry.names(f"{GROUP}/score") if scored else [""]
        found += [(name, score, unit) for score in scores for unit in cls.units]
    return found


each_oracle = pytest.mark.parametrize("name", registry.names(GROUP))
each_score = pytest.mark.parametrize("score", registry.names(f"{GROUP}/score"))
each_arm = pytest.mark.parametrize(("name", "score", "unit"), arms())


def oracle_of(name: str, score: str, unit: str, **settings) -> Oracle:
    if score:
        settings["score"] = make(f"{GROUP}/score", score)
    return make(GROUP, name, unit=unit, **settings)


def toy_tuning(steps: int = 10) -> Tuning:
    model = ToyModel()
    model.denoiser.train().requires_grad_(True)
    return Tuning(model, IMAGES, model.moments(IMAGES.images), steps)


def test_known_ones_are_found():
    assert set(registry.names(GROUP)) >= KNOWN
    assert set(registry.names(f"{GROUP}/score")) >= KNOWN_SCORES


@each_oracle
def test_an_oracle_says_what_it_is(name):
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Oracle)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_score
def test_a_score_says_what_it_is(score):
    cls = registry.component_class(f"{GROUP}/score", score)
    assert issubclass(cls, Score)
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")


@each_arm
def test_judgements_have_their_shapes_and_a_batch_is_kept_whole_or_not(name, score, unit):
    judge = oracle_of(name, score, unit).judge(toy_tuning(), np.random.default_rng(0))
    for rows in BATCHES:
        said = judge(rows)
        assert said.keep.shape == rows.shape
        assert said.keep.dtype == np.bool_
        assert unit == "sample" or said.keep.all() == said.keep.any()
        if said.scores is not None:
            assert said.scores.shape == rows.shape
            assert said.scores.dtype == np.float64
            assert np.isfinite(said.scores).all()


@each_arm
def test_the_same_random_stream_gives_the_same_judgements(name, score, unit):
    oracle = oracle_of(name, score, unit)
    fields = dataclasses.asdict(oracle)
    judges = [oracle.judge(toy_tuning(), np.random.default_rng(3)) for _ in range(2)]
    for rows in BATCHES:
        first, second = (judge(rows) for judge in judges)
        assert (first.keep == second.keep).all()
        assert first.scores is None or (first.scores == second.scores).all()
    assert dataclasses.asdict(oracle) == fields


@each_arm
def test_it_only_looks(name, score, unit):
    tuning = toy_tuning()
    weights, moments = weights_of(tuning.model), tuning.moments.clone()
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    judge = oracle_of(name, score, unit).judge(tuning, np.random.default_rng(0))
    for rows in BATCHES:
        judge(rows)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])
    assert torch.equal(weights_of(tuning.model), weights)
    assert torch.equal(tuning.moments, moments)
    assert tuning.model.denoiser.training
    assert all(p.grad is None for p in tuning.model.denoiser.parameters())


@each_arm
def test_counts_add_up(name, score, unit):
    tuning = toy_tuning()
    oracle = oracle_of(name, score, unit, warmup=0.0)
    gate = Gate(oracle, tuning, np.random.default_rng(0))
    kept = [gate.keep(rows) for rows in BATCHES]
    assert all(np.isin(some, rows).all() for some, rows in zip(kept, BATCHES, strict=True))
    counts = gate.counts()
    assert counts["images_seen"] == BATCHES.size
    assert counts["images_kept"] == sum(map(len, kept))
    assert 0 <= counts["images_forced"] <= counts["images_kept"]
    drawn, asked = len(tuning.model.calls["drawn"]), tuning.model.calls["passes"]
    steps = getattr(getattr(oracle, "score", None), "steps", 0)
    assert counts["oracle_passes"] == drawn * steps + asked
    assert (counts["oracle_seconds"] > 0) == oracle.selects


@each_arm
@pytest.mark.parametrize("limit", ["steps", "work"])
def test_a_model_is_tuned_with_it(name, score, unit, limit):
    finetuner = Dreambooth(oracle=oracle_of(name, score, unit), prior_weight=0.0)
    logged = []
    tuned = finetuner.finetune(
        ToyModel(),
        IMAGES,
        None,
        Budget(steps=6, batch_size=4, limit=limit),
        np.random.default_rng(0),
        lambda step, values: logged.append((step, values)),
    )
    assert not torch.equal(weights_of(tuned), weights_of(ToyModel()))
    steps, last = len(logged), logged[-1][1]
    assert steps == 6 if limit == "steps" else 1 <= steps <= 6
    assert last["work"] == 3 * 4 * steps + last["oracle_passes"]
    assert last["images_kept"] >= 4 * steps
    if limit == "work" and steps < 6:
        assert last["work"] > 3 * 4 * 5, "stopped before the work was done"


@each_arm
def test_an_interrupted_tuning_goes_on_as_if_it_had_not_been(name, score, unit):
    """What an oracle remembers lies in ``Tuning.new_memory``, and its draws are its stream's."""
    finetuner = Dreambooth(oracle=oracle_of(name, score, unit), prior_weight=0.0)

    def tune(checkpoint=None):
        logged, rng = [], np.random.default_rng(0)
        budget = Budget(steps=40, batch_size=4)
        model = finetuner.finetune(
            ToyModel(), IMAGES, None, budget, rng, lambda *told: logged.append(told), checkpoint
        )
        kept = [(step, without_seconds(values)) for step, values in logged]
        return weights_of(model), kept

    weights, logged = tune()
    again, logged_again = interrupted(tune, 13, 29)
    assert torch.equal(weights, again)
    assert logged == logged_again


def without_seconds(values):
    return {name: value for name, value in values.items() if not name.endswith("seconds")}
