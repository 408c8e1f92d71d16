"""Scores of tuning images against values that are known otherwise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import cosine_similarity

from tests.contracts.toy_models import ToyModel, toy_images
from tgap.core import ConfigError
from tgap.embedders.classifier import ClassifierFeatures
from tgap.embedders.pixels import Pixels
from tgap.finetuners.oracles.base import Tuning
from tgap.finetuners.oracles.scores.generated import Generated
from tgap.finetuners.oracles.scores.loss import Loss
from tgap.finetuners.oracles.scores.one_step import OneStep
from tgap.metrics.vectors import cosines
from tgap.pipeline.preflight.runs import check_components

IMAGES = toy_images(14)
ROWS = np.array([3, 0, 13, 8, 3])
DRAWN = {
    prompt: np.random.default_rng(seed).integers(0, 256, (3, 4, 4, 1)).astype(np.uint8)
    for seed, prompt in enumerate(("a", "bb"))
}


class Drawing(ToyModel):
    """Draws the same images of a prompt, one after another, whatever the seeds."""

    def sample(self, prompts, seeds, sampler, on_images=lambda done: None):
        self.calls["drawn"] += list(prompts)
        assert len(set(seeds)) == len(prompts)
        turn = [prompts[:i].count(prompt) for i, prompt in enumerate(prompts)]
        return np.stack([DRAWN[p][i] for p, i in zip(prompts, turn, strict=True)])


class Knowing(ToyModel):
    """Predicts as if the clean latents were ``shown(clean)``, and ``off`` beside the target."""

    def __init__(self, kind, shown=lambda clean: clean, off=lambda timesteps: 0 * timesteps):
        super().__init__(prediction_type=kind)
        self.shown, self.off = shown, off
        self.clean = self.moments(IMAGES.images)[ROWS, 0]

    def predict(self, noisy, timesteps, conditioning):
        signal = self.noising.scheduler.alphas_cumprod[timesteps][:, None, None, None]
        shown = self.shown(self.clean)
        noise = (noisy - signal.sqrt() * shown) / (1 - signal).sqrt()
        predicted = noise
        if self.kind == "v_prediction":
            predicted = signal.sqrt() * noise - (1 - signal).sqrt() * shown
        return predicted + self.off(timesteps.float())[:, None, None, None]


def tuning_of(model):
    return Tuning(model, IMAGES, model.moments(IMAGES.images), steps=100)


def scores_of(score, model, rows=ROWS, seed=0):
    return score.scorer(tuning_of(model), np.random.default_rng(seed))(rows)


vectors = arrays(np.float32, (4, 3), elements=st.floats(-100, 100, width=32))


@given(ours=vectors, theirs=vectors)
def test_cosines_are_scikit_learns(ours, theirs):
    # It divides by lengths in float32, which underflow where vectors are tiny.
    ours, theirs = ours.round(3).astype(np.float64), theirs.round(3).astype(np.float64)
    np.testing.assert_allclose(cosines(ours, theirs), cosine_similarity(ours, theirs), atol=1e-12)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("embedder", [None, Pixels()])
def test_drawn_images_are_compared_as_scikit_learn_does(center, reduce, embedder):
    model = Drawing()

    def of(images):
        if embedder is None:
            return model.moments(images)[:, 0].flatten(1).numpy()
        return images.reshape(len(images), -1) / 255

    middle = of(IMAGES.images).mean(axis=0) if center else 0
    score = Generated(embedder=embedder, samples=3, center=center, reduce=reduce)
    expected = [
        getattr(np, reduce)(
            cosine_similarity(
                of(IMAGES.images[[row]]) - middle, of(DRAWN[IMAGES.prompts[row]]) - middle
            )
        )
        for row in ROWS
    ]
    np.testing.assert_allclose(scores_of(score, model), expected, atol=1e-6)


def test_an_image_that_is_the_mean_gives_no_nan():
    images = toy_images(4)
    images.images[:] = 7
    model = ToyModel()
    tuning = Tuning(model, images, model.moments(images.images), steps=10)
    for score in (Generated(), Generated(embedder=Pixels()), OneStep()):
        found = score.scorer(tuning, np.random.default_rng(0))(np.arange(4))
        assert np.isfinite(found).all()


def test_every_batch_is_drawn_for_anew():
    tuning = tuning_of(ToyModel())
    score = Generated(samples=5, every=0, steps=7).scorer(tuning, np.random.default_rng(0))
    first, second = score(ROWS), score(ROWS)
    assert (first != second).any()
    assert sorted(tuning.model.calls["drawn"]) == sorted(["a", "bb"] * 5 * 2)
    assert tuning.passes == 2 * 5 * 2 * 7


def test_only_prompts_that_are_asked_for_are_drawn():
    tuning = tuning_of(ToyModel())
    Generated(samples=2).scorer(tuning, np.random.default_rng(0))(np.array([0, 2]))
    assert tuning.model.calls["drawn"] == ["a", "a"]


def test_images_are_drawn_anew_once_they_are_old():
    tuning = tuning_of(ToyModel())
    score = Generated(samples=1, every=4, guidance=2.0, steps=3).scorer(
        tuning, np.random.default_rng(0)
    )
    found, drawn = [], []
    for tuning.step in (10, 11, 13, 14, 17, 40):
        found.append(score(ROWS))
        drawn.append(len(tuning.model.calls["drawn"]))
    assert drawn == [2, 2, 2, 4, 4, 6]
    assert (found[0] == found[2]).all()
    assert (found[2] != found[3]).any()
    assert tuning.passes == 6 * 3 * 2, "guidance takes two passes"


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(("shown", "expected"), [(1.0, 1.0), (0.3, 1.0), (-1.0, -1.0)])
def test_one_step_sees_what_the_denoiser_shows(kind, shown, expected):
    model = Knowing(kind, lambda clean: shown * clean)
    np.testing.assert_allclose(scores_of(OneStep(center=False), model), expected, atol=1e-4)


def test_one_step_is_centred_on_the_tuning_set():
    """A model that always shows the mean image restores nothing of any image's own."""
    model = Knowing("epsilon")
    middle = model.moments(IMAGES.images)[:, 0].mean(dim=0)
    model.shown = lambda clean: middle + 0 * clean
    raw = scores_of(OneStep(center=False), model)
    truth = cosine_similarity(model.clean.flatten(1), middle.flatten()[None])[:, 0]
    np.testing.assert_allclose(raw, truth, atol=1e-3)
    model.shown = lambda clean: 2 * middle - clean
    np.testing.assert_allclose(scores_of(OneStep(center=True), model), -1, atol=1e-3)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_loss_is_the_mean_over_times(kind):
    model = Knowing(kind, off=lambda timesteps: 2 + timesteps / 100)
    shares = (0.2, 0.5, 0.9)
    errors = [(2 + round(share * 999) / 100) ** 2 for share in shares]
    found = scores_of(Loss(times=list(shares)), model)
    np.testing.assert_allclose(found, -np.mean(errors), rtol=1e-3)
    np.testing.assert_allclose(scores_of(Loss(), Knowing(kind)), 0, atol=1e-6)


@pytest.mark.parametrize("score", [OneStep(), Loss(), Generated(every=1000)])
def test_an_images_score_depends_on_no_other_image_and_on_no_step(score):
    tuning = tuning_of(ToyModel())
    scorer = score.scorer(tuning, np.random.default_rng(0))
    together = scorer(ROWS)
    tuning.step = 20
    np.testing.assert_allclose(scorer(ROWS[::-1].copy()), together[::-1], atol=1e-6)
    np.testing.assert_allclose(scorer(ROWS[2:3]), together[2:3], atol=1e-6)
    assert together[0] == pytest.approx(together[4]), "the same image"
    assert len(np.unique(together.round(5))) == 4


@pytest.mark.parametrize("score", [OneStep(), Loss()])
def test_a_changed_model_is_seen(score):
    tuning = tuning_of(ToyModel())
    scorer = score.scorer(tuning, np.random.default_rng(0))
    before = scorer(ROWS)
    with torch.no_grad():
        for parameter in tuning.model.denoiser.parameters():
            parameter += 0.5
    assert (np.abs(scorer(ROWS) - before) > 1e-4).all()


@pytest.mark.parametrize(("score", "each"), [(OneStep(), 1), (Loss(), 3), (Loss(times=[0.5]), 1)])
def test_passes_are_counted(score, each):
    tuning = tuning_of(ToyModel())
    score.scorer(tuning, np.random.default_rng(0))(ROWS)
    assert tuning.passes == tuning.model.calls["passes"] == each * len(ROWS)


@pytest.mark.parametrize("times", [[], [0.0], [0.5, 1.2]])
def test_times_that_are_none_are_refused(times):
    with pytest.raises(ConfigError, match="times must be one or more numbers above 0, at most 1"):
        Loss(times=times)


def test_an_embedder_that_needs_the_classifier_is_refused():
    with pytest.raises(ConfigError, match="the run's classifier, which is trained after"):
        Generated(embedder=ClassifierFeatures())


def test_an_embedders_problems_are_the_scores():
    class Broken(Pixels):
        def check(self):
            return ["no weights"]

    assert check_components([{"x": Generated(embedder=Broken())}]) == ["x.embedder: no weights"]
    assert Generated().check() == []
