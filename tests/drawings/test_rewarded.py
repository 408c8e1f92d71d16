"""Drawings that choose by a reward, and rewards, from the reserve to a synthetic set."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import entropy

import tgap
from tests.contracts.simulated_drawing import Simulated
from tests.drawings.test_whole_runs import QUICK, made
from tests.pipeline.conftest import store
from tgap.core import ConfigError, DataError, Sampler
from tgap.drawings.best_of import BestOf
from tgap.drawings.judges.base import shown
from tgap.drawings.judges.classifier import ClassifierJudge
from tgap.drawings.rewards.base import Grounds, margins
from tgap.drawings.rewards.label import Label
from tgap.drawings.rewards.uncertainty import Uncertainty
from tgap.drawings.value_based import ValueBased
from tgap.embedders.pixels import Pixels
from tgap.generators.latent.model import StableDiffusionModel
from tgap.pipeline.generation import drawing
from tgap.pipeline.judging import valued_by
from tgap.pipeline.plan import plan
from tgap.store import Store

__all__ = ["store"]
CHOOSES = ("drawing=value_based", "sampler.scheduler=ddpm", "sampler.steps=4")
PARTS = {"judge": ClassifierJudge(), "reward": Label()}


def of_margins(reward, values: list[float]) -> list[float]:
    """Of images whose judge gives them these margins."""
    scores = np.array([[v, 0.0] for v in values], np.float32)
    asked = np.tile([True, False], (len(values), 1))
    images = np.zeros((len(values), 1, 1, 1), np.uint8)
    return reward.values(images, asked, Grounds(scores=lambda images: scores)).tolist()


def test_label_is_the_log_probability() -> None:
    for margin, value in zip([-3, 0, 2], of_margins(Label(), [-3, 0, 2]), strict=True):
        assert value == pytest.approx(np.log(1 / (1 + np.exp(-margin))))


def test_uncertainty_is_the_entropy_of_what_is_right_and_falls_where_it_is_wrong() -> None:
    reward = Uncertainty(least=0.5)
    for margin, value in zip([0.5, 1.0, 3.0], of_margins(reward, [0.5, 1.0, 3.0]), strict=True):
        p = 1 / (1 + np.exp(-margin))
        assert value == pytest.approx(entropy([p, 1 - p]))
    wrong = of_margins(reward, [-4, -1, 0, 0.49, 0.5, 0.6, 60])
    assert wrong.index(max(wrong)) == 4
    assert wrong[:5] == sorted(wrong[:5])
    assert wrong[4] - wrong[1] == pytest.approx(1.5)
    assert wrong[-1] == pytest.approx(0)


def test_margins_are_above_0_where_it_is_shown() -> None:
    rng = np.random.default_rng(0)
    scores, asked = rng.normal(size=(500, 3)).astype(np.float32), rng.random((500, 3)) < 0.5
    assert ((margins(scores, asked) > 0) == shown(scores, asked)).all()


def test_best_of_keeps_what_is_worth_more_and_its_twin_does_not() -> None:
    def share(**settings) -> float:
        drawing = BestOf(**PARTS, candidates=4, **settings)
        drawn = drawing.draw(Simulated((0.5,), 400).wanted(), np.random.default_rng(0))
        assert drawn.trials == 3200
        assert drawn.judged == (3200 if settings.get("choose") != "random" else 0)
        return float(drawn.images[:, 0, 2, 0].mean())

    assert share(alpha=1e-3) == pytest.approx(1 - 0.5**4, abs=0.03)
    # of n good ones among 4: n e / (n e + 4 - n), over a binomial
    odds = [n * np.e / (n * np.e + 4 - n) for n in range(5)]
    expected = np.dot(odds, np.array([1, 4, 6, 4, 1]) / 16)
    assert share(alpha=1.0) == pytest.approx(expected, abs=0.05)
    assert share(choose="random") == pytest.approx(0.5, abs=0.05)


def test_best_of_one_is_a_plain_set() -> None:
    world = Simulated((0.5,), 30)
    drawn = BestOf(**PARTS, candidates=1).draw(world.wanted(), np.random.default_rng(0))
    assert drawn.seeds == [world.seed(row, 0) for row in range(60)]


def test_work_is_counted() -> None:
    drawing, sampler = ValueBased(**PARTS, candidates=3, share=0.5), Sampler(steps=5, guidance=3)
    assert drawing.passes(sampler) == 2 * (5 + 2 * 2)
    assert drawing.looks(sampler) == 2 * 3
    one, lots = ValueBased(**PARTS, candidates=1), ValueBased(**PARTS, choose="random")
    assert one.passes(sampler) == 10
    assert one.looks(sampler) == lots.looks(sampler) == 0
    far = Sampler(steps=20, guidance=3, guided_from=0.6)  # the steps that choose have no guide
    assert ValueBased(**PARTS, candidates=3).passes(far) == pytest.approx(20 * 1.4 + 11 * 2)


@pytest.mark.parametrize("reward", ["label", "novelty"])
def test_a_run_draws_images_of_more_value(store: Store, reward: str) -> None:
    words = (*CHOOSES, f"drawing/reward={reward}", "drawing.alpha=.001")
    if reward == "novelty":
        words = (*words, "drawing/reward/embedder=pixels")
    chosen = made(store, *words, "drawing.share=1")
    random = made(store, *words, "drawing.choose=random")
    cost = chosen.drawing_cost()
    assert cost["cost/draw_passes"] == 180 * 2 * (4 + 3 * 3)
    assert cost["cost/judge_passes"] == 180 * 3 * 4
    assert ("cost/labelled_real" in cost) == (reward == "label")
    rewarded = chosen.run.drawing.reward_used()
    assert rewarded is not None
    images = [result.synthetic_parts()[0] for result in (chosen, random)]
    value = valued_by(chosen, rewarded, images[0])
    rows = np.arange(180)
    assert value(images[0].images, rows).mean() > value(images[1].images, rows).mean()


def test_one_candidate_is_a_plain_set(store: Store) -> None:
    one = made(store, *CHOOSES, "drawing.candidates=1", "drawing/reward=label")
    plain = made(store, *CHOOSES[1:])
    assert (one.synthetic_parts()[0].images == plain.synthetic_parts()[0].images).all()


def test_distances_are_from_the_nearest_tuning_image(store: Store) -> None:
    words = ("drawing=best_of", "drawing/reward=novelty", "drawing/reward/embedder=pixels")
    result = made(store, *words, "drawing.candidates=2")
    tuning, reward = result.tuning_set().images, result.run.drawing.reward_used()
    assert reward is not None
    asked = result.synthetic_parts()[0]
    values = valued_by(result, reward, asked)(asked.images[:5], np.arange(5))
    vectors, own = (Pixels().embed(images) for images in (asked.images[:5], tuning))
    vectors, own = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, own))
    among = 1 - own @ own.T
    np.fill_diagonal(among, np.inf)
    expected = (1 - vectors @ own.T).min(1) / among.min(1).mean()
    assert values == pytest.approx(expected, abs=1e-4)
    assert valued_by(result, reward, asked)(tuning[:1], np.arange(1)) == pytest.approx(0, abs=1e-4)


def test_one_tuning_image_tells_no_distance(store: Store) -> None:
    words = ("drawing=best_of", "drawing/reward=novelty", "drawing/reward/embedder=pixels")
    with pytest.raises(DataError, match="the 1 tuning images are all alike by embedder 'pixels'"):
        made(store, *words, "size=1", "size_unit=total")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["drawing=value_based"], "sampler.scheduler must be ddpm, got dpm_solver"),
        ([*CHOOSES, "drawing.candidates=0"], "drawing.candidates must be at least 1, got 0"),
        ([*CHOOSES, "drawing.alpha=0"], "drawing.alpha must be above 0, got 0"),
        ([*CHOOSES, "drawing.share=1.5"], "drawing.share must be at most 1, got 1.5"),
        ([*CHOOSES, "generator=noise"], "draws from a model, and generator 'noise' is none"),
        (
            ["drawing=best_of", "drawing/reward=likeness", "finetuner=none"],
            "drawing.reward 'likeness' compares with the tuning images",
        ),
        (
            ["drawing=best_of", "drawing/reward=novelty", "drawing/reward/embedder=classifier"],
            "no judge may choose images by it",
        ),
        (["sampler.guide=early", "finetuner=none"], "sampler.guide=early needs a tuned generator"),
        (["sampler.guide=early", "sampler.early=1"], "sampler.early must be below 1, got 1"),
        (["sampler.guide=early", "budget.steps=3"], "of budget.steps=3 is less than one step"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        tgap.compose(*words)
    assert said in str(error.value)


def test_an_early_guide_may_have_few_steps_and_is_not_tuned_for_nothing() -> None:
    words = (*QUICK, "sampler.guide=early", "budget.steps=20")
    assert plan(tgap.compose(*words)).guide is not None
    off = plan(tgap.compose(*words, "sampler.guidance=1"))
    assert off.guide is None


def test_an_early_guide_is_the_model_of_a_shorter_run(store: Store) -> None:
    words = ("sampler.guide=early", "sampler.early=.5", "budget.steps=4")
    result = made(store, *words)
    assert result.artifacts.guide is not None
    shorter = plan(tgap.compose(*QUICK, "budget.steps=2"))
    assert shorter.generator is not None
    assert result.artifacts.guide.key == shorter.generator.key
    model, sampler = drawing(result, "synthetic")
    assert isinstance(model, StableDiffusionModel)
    assert sampler.guide == "early"
    tuned, early = model.denoiser.state_dict(), model.aids.guide
    assert early is not None
    moved = [not (tuned[n] == w).all() for n, w in early.denoiser.state_dict().items()]
    assert any(moved)
    alone = dataclasses.replace(sampler, guidance=1.0)
    images = [model.sample(["an image of a"], [1], how).astype(int) for how in (sampler, alone)]
    assert np.abs(images[0] - images[1]).max() > 1
    cost = result.tuning_cost()
    assert cost["guide_steps"] == 2
    assert cost["steps"] == 4
