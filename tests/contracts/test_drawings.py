"""What every drawing, and every judge of one, must keep, whichever it is."""

import dataclasses
import random
from collections import Counter

import numpy as np
import pytest
import torch

from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.composition import registry
from tgap.core import ContractError, DataError, ImageSet
from tgap.drawings.base import Drawing
from tgap.drawings.judges.base import Judge, Means
from tgap.drawings.judges.classifier import ClassifierJudge
from tgap.drawings.rewards.base import Grounds, Reward
from tgap.drawings.rewards.uncertainty import Uncertainty
from tgap.embedders.pixels import Pixels

from .simulated_drawing import Simulated

GROUP, JUDGES, REWARDS = "drawing", "drawing/judge", "drawing/reward"
KNOWN = {"plain", "rejection", "variation", "best_of", "value_based"}
KNOWN_REWARDS = {"label", "uncertainty", "novelty", "likeness"}
KNOWN_JUDGES = {"classifier", "clip", "features"}
MEANS = Means(LogisticRegression(embedder=Pixels()), ("an image of dark", "an image of light"))

each_drawing = pytest.mark.parametrize("name", registry.names(GROUP))
each_reward = pytest.mark.parametrize("reward", registry.names(REWARDS))
each_judge = pytest.mark.parametrize("judge", registry.names(JUDGES))


def drawing_of(name: str) -> Drawing:
    cls = registry.component_class(GROUP, name)
    parts = {"judge": ClassifierJudge(), "reward": Uncertainty()}
    return cls(**{f.name: parts[f.name] for f in dataclasses.fields(cls) if f.name in parts})


def judge_of(name: str, **settings) -> Judge:
    cls = registry.component_class(JUDGES, name)
    if "embedder" in (f.name for f in dataclasses.fields(cls)):
        settings["embedder"] = registry.component_class(f"{JUDGES}/embedder", "clip")()
    return cls(**settings)


def films(count: int, seed: int = 0) -> ImageSet:
    """Dark and light images in turn."""
    rng, light = np.random.default_rng(seed), np.arange(count) % 2 == 1
    images = rng.integers(0, 100, (count, 8, 8, 1)) + 100 * light[:, None, None, None]
    return ImageSet(
        images=images.astype(np.uint8),
        labels=np.stack([~light, light], axis=1),
        label_names=("dark", "light"),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count, dtype=np.int64),
    )


def test_known_ones_are_found():
    assert set(registry.names(GROUP)) >= KNOWN
    assert set(registry.names(JUDGES)) >= KNOWN_JUDGES
    assert set(registry.names(REWARDS)) >= KNOWN_REWARDS


@each_drawing
def test_a_drawing_says_what_it_is(name):
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Drawing)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_drawing
def test_each_label_has_as_many_images_as_are_wanted_and_each_its_own_seed(name):
    world = Simulated((0.5, 0.9), 60)
    made = drawing_of(name).draw(world.wanted(), np.random.default_rng(0))
    assert made.images.shape[0] == len(made.rows) == len(made.seeds) == 120
    assert made.images.dtype == np.uint8
    assert (made.images[:, 0, 0, 0] == np.repeat([0, 1], 60)).all()
    assert len(set(made.seeds)) == 120
    for image, row, seed in zip(made.images, made.rows.tolist(), made.seeds, strict=True):
        assert (row, seed) in world.drawn
        assert (image == world.image_of(row, seed)).all()


@each_drawing
def test_it_counts_what_it_draws(name):
    world = Simulated((0.5, 0.9), 60)
    made = drawing_of(name).draw(world.wanted(), np.random.default_rng(0))
    assert made.trials == len(world.drawn) >= 120
    assert made.judged == world.judged
    assert max(Counter(world.drawn).values()) == 1
    assert all(np.isfinite(value) for value in made.metrics.values())


@each_drawing
def test_the_same_stream_gives_the_same_set_and_nothing_else_is_moved(name):
    drawing = drawing_of(name)
    fields = repr(drawing)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    sets = [
        drawing.draw(Simulated((0.4, 0.8), 40).wanted(), np.random.default_rng(2)) for _ in range(2)
    ]
    assert sets[0].seeds == sets[1].seeds
    assert (sets[0].images == sets[1].images).all()
    assert repr(drawing) == fields
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])


@each_judge
def test_a_judge_says_what_it_is(judge):
    cls = registry.component_class(JUDGES, judge)
    assert issubclass(cls, Judge)
    assert cls.stem() == judge
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")


@each_judge
def test_scores_have_their_shape_and_what_passes_is_a_flag_for_each_image(judge):
    judge = judge_of(judge, least_auroc=0.5)
    data = films(120)
    weights = {}
    if judge.learns:
        weights, reached = judge.fit(data, films(60, 1), MEANS, np.random.default_rng(0))
        assert min(reached.values()) > 0.95
    scores = judge.scores(weights, data.images, MEANS)
    assert scores.shape == (120, 2)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    passed = judge.passes(weights, data.images, data.labels, MEANS)
    assert passed.dtype == np.bool_
    assert passed.mean() > 0.95 or not judge.learns
    swapped = judge.passes(weights, data.images, data.labels[:, ::-1], MEANS)
    assert not (passed & swapped).any()


@each_judge
def test_a_judge_refuses_one_label_and_too_few_images(judge):
    judge, data = judge_of(judge), films(120)
    one = dataclasses.replace(data, labels=data.labels[:, :1], label_names=("dark",))
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"there is one only \(dark\); choose drawing=plain"):
        judge.fit(one, one, MEANS, rng)
    with pytest.raises(DataError, match=r"at least 20 images .* 'dark' in the checking half"):
        judge.fit(data, films(39), MEANS, rng)


@each_judge
def test_a_judge_that_knows_no_better_than_chance_is_refused(judge):
    data, rng = films(400), np.random.default_rng(0)
    labels = data.labels[rng.permutation(400)]
    lots = dataclasses.replace(data, labels=labels)
    with pytest.raises(DataError, match=r"tells '\w+' with an AUROC of 0\.\d\d on 400 real images"):
        judge_of(judge, least_auroc=0.65).fit(films(400, 1), lots, MEANS, rng)


def reward_of(name: str) -> Reward:
    cls = registry.component_class(REWARDS, name)
    has_embedder = "embedder" in (f.name for f in dataclasses.fields(cls))
    return cls(**({"embedder": Pixels()} if has_embedder else {}))


def grounds() -> Grounds:
    """A judge that goes by light, and distances from mid grey."""

    def scores(images):
        light = images.mean((1, 2, 3)).astype(np.float32) - 100
        return np.stack([-light, light], axis=1)

    return Grounds(scores, lambda images: np.abs(images.mean((1, 2, 3)) - 100))


@each_reward
def test_a_reward_says_what_it_is(reward):
    cls = registry.component_class(REWARDS, reward)
    assert issubclass(cls, Reward)
    assert cls.stem() == reward
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")


@each_reward
def test_a_reward_gives_each_image_a_finite_value_whatever_is_beside_it(reward):
    data, reward = films(30), reward_of(reward)
    values = reward.values(data.images, data.labels, grounds())
    assert values.shape == (30,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert len(set(values.tolist())) > 1
    alone = reward.values(data.images[7:8], data.labels[7:8], grounds())
    assert alone[0] == pytest.approx(values[7], abs=1e-9)


@each_reward
def test_a_reward_goes_by_what_it_says(reward):
    data, reward = films(10), reward_of(reward)
    with pytest.raises(ContractError, match="needs"):
        reward.values(data.images, data.labels, Grounds())
    own = grounds()
    assert reward.uses_judge != (reward.embedder_used() is not None)
    only = Grounds(scores=own.scores) if reward.uses_judge else Grounds(distances=own.distances)
    reward.values(data.images, data.labels, only)


@each_reward
def test_values_that_are_no_numbers_are_told(reward):
    data = films(10)
    nothing = Grounds(
        lambda images: np.full((len(images), 2), np.nan, np.float32),
        lambda images: np.full(len(images), np.nan),
    )
    with pytest.raises(DataError, match="gave 10 of 10 images a value that is no finite number"):
        reward_of(reward).values(data.images, data.labels, nothing)
