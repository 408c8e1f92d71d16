"""Rules of oracles and the guards around them."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tgap
from tests.contracts.toy_models import ToyModel, ToyUNet, toy_images
from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.sweeps import expand
from tgap.core import Budget, ConfigError, ContractError, DataError, TgapError
from tgap.embedders.classifier import ClassifierFeatures
from tgap.embedders.clip import Clip
from tgap.embedders.pixels import Pixels
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.oracles.base import Judgement, Oracle, Tuning
from tgap.finetuners.oracles.boundary import Boundary, boundary_distances, nearest_share
from tgap.finetuners.oracles.inverse import Inverse
from tgap.finetuners.oracles.quantile import Quantile
from tgap.finetuners.oracles.random_skip import RandomSkip
from tgap.finetuners.oracles.scores.base import Score
from tgap.finetuners.oracles.scores.generated import Generated
from tgap.finetuners.oracles.scores.loss import Loss
from tgap.finetuners.oracles.scores.one_step import OneStep
from tgap.finetuners.oracles.similarity import Similarity
from tgap.finetuners.training.gate import ENOUGH, Gate
from tgap.pipeline.preflight.runs import check_components


@dataclass(kw_only=True)
class Table(Score):
    """Scores that are given."""

    values: list[float] = field(default_factory=list)

    def scorer(self, tuning, rng):
        return lambda rows: np.array(self.values, np.float64)[rows]


@dataclass(kw_only=True)
class Says(Oracle):
    """Keeps the images of some labels, and scores them so."""

    keeps: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()

    def judge(self, tuning, rng):
        def judge(rows):
            keep = np.isin(tuning.images.labels[rows], self.keeps)
            return Judgement(keep, np.array(self.scores)[: len(rows)] if self.scores else None)

        return judge


def tuning_of(labels, steps=10):
    """Of as many images, each under its label's prompt."""
    labels = np.asarray(labels, np.int64)
    pixels = np.arange(len(labels) * 16).reshape(-1, 4, 4, 1).astype(np.uint8)
    prompts = tuple(f"an image of label {label}" for label in labels)
    images = PromptedImages(pixels, prompts, np.ones(len(labels)), labels)
    model = ToyModel()
    return Tuning(model, images, model.moments(pixels), steps)


def judged(oracle, scores, labels=None, batch=None):
    """What an oracle keeps of images with these scores, a batch at a time."""
    oracle.score.values = list(scores)
    tuning = tuning_of(np.zeros(len(scores)) if labels is None else labels)
    judge = oracle.judge(tuning, np.random.default_rng(0))
    rows = np.arange(len(scores))
    batches = np.split(rows, range(batch or len(rows), len(rows), batch or len(rows)))
    return np.concatenate([judge(some).keep for some in batches])


def test_similarity_keeps_up_to_its_threshold():
    oracle = Similarity(score=Table(), threshold=0.3)
    assert judged(oracle, [0.1, 0.3, 0.300001, 0.9, -1]).tolist() == [
        True,
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(("other", "kept"), [(0.5, True), (0.51, False)])
def test_a_batch_is_judged_by_its_mean(other, kept):
    oracle = Similarity(score=Table(), unit="batch", threshold=0.3)
    assert judged(oracle, [0.1, other]).tolist() == [kept, kept]


@given(
    scores=st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    labels=st.integers(1, 3),
    batch=st.integers(1, 9),
    window=st.integers(1, 12),
    keep=st.floats(0.05, 1),
    per_label=st.booleans(),
)
def test_quantile_and_inverse_are_numpys(scores, labels, batch, window, keep, per_label):
    of = np.arange(len(scores)) % labels
    settings = {"keep": keep, "window": window, "per_label": per_label}
    low = judged(Quantile(score=Table(), **settings), scores, of, batch)
    high = judged(Inverse(score=Table(), **settings), scores, of, batch)
    for i, score in enumerate(scores):
        end = min(len(scores), (i // batch + 1) * batch)
        same = [j for j in range(end) if not per_label or of[j] == of[i]]
        in_batch = [j for j in same if j >= i // batch * batch]
        recent = np.array(scores, float)[same[-max(window, len(in_batch)) :]]
        assert low[i] == (score <= np.quantile(recent, keep))
        assert high[i] == (-score <= np.quantile(-recent, keep))


@pytest.mark.parametrize("keep", [0.3, 0.7, 1.0])
def test_the_share_is_kept_of_every_label_though_their_scores_differ(keep):
    labels = np.arange(4000) % 2
    scores = np.random.default_rng(0).normal(size=4000) + 10 * labels
    kept = judged(Quantile(score=Table(), keep=keep), scores, labels, 32)
    for label in (0, 1):
        assert kept[labels == label].mean() == pytest.approx(keep, abs=0.03)
    together = judged(Quantile(score=Table(), keep=0.5, per_label=False), scores, labels, 32)
    assert together[labels == 0].mean() > 0.95
    assert together[labels == 1].mean() < 0.05


def test_quantile_follows_scores_that_rise():
    """A fixed threshold keeps everything first and nothing in the end."""
    scores = np.linspace(0, 1, 4000) + np.random.default_rng(0).normal(scale=0.1, size=4000)
    late = slice(3000, None)
    assert not judged(Similarity(score=Table()), scores, batch=32)[late].any()
    assert 0.55 < judged(Quantile(score=Table()), scores, batch=32)[late].mean() < 0.72


def test_batches_have_one_window():
    """By the batch means 2, 4, 1: the first is the whole window, the second above its quantile."""
    oracle = Quantile(score=Table(), unit="batch", keep=0.5)
    kept = judged(oracle, [1, 3, 3, 5, 0, 2], [0, 1, 0, 1, 0, 1], batch=2)
    assert kept.tolist() == [True, True, False, False, True, True]


def test_a_judge_begins_anew_with_each_run():
    oracle = Quantile(score=Table(), keep=0.5)
    first = judged(oracle, [1, 2, 3, 4])
    assert (judged(oracle, [1, 2, 3, 4]) == first).all()


def test_boundary_distances_are_the_hand_computed_ones():
    vectors = np.array([[0, 0], [2, 0], [7, 0], [9, 0], [1, 4]], np.float32)
    # Centroids: label 0 at (1, 0), label 1 at (8, 0), label 2 at (1, 4).
    found = boundary_distances(vectors, np.array([0, 0, 1, 1, 2]))
    near, far = np.hypot(1, 4), np.hypot(6, 4)
    expected = [(near - 1) / (near + 1)] * 2 + [5 / 7, (far - 1) / (far + 1), 1]
    expected[3] = (8 - 1) / (8 + 1)
    expected[2] = (6 - 1) / (6 + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_image_beyond_the_boundary_counts_by_its_distance():
    vectors = np.array([[0.0], [0.0], [0.0], [10.0], [10.0], [10.0], [10.0]], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1, 0])  # the last one stands at the other label's centroid
    assert boundary_distances(vectors, labels)[6] == 1.0


def test_images_that_are_all_the_same_are_at_the_boundary():
    same = np.ones((4, 3), np.float32)
    assert boundary_distances(same, np.array([0, 1, 0, 1])).tolist() == [0, 0, 0, 0]


def test_each_label_keeps_its_share():
    distances = np.array([0.9, 0.1, 0.5, 0.2, 0.7, 0.6, 0.8])
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    kept = nearest_share(distances, labels, 0.5)
    assert kept.tolist() == [False, True, False, True, False, True, True]


def test_boundary_keeps_the_images_between_the_labels():
    pixels = np.array([0, 20, 90, 255, 240, 150], np.uint8)[:, None, None, None]
    images = PromptedImages(
        pixels.repeat(4, 1).repeat(4, 2),
        ("a",) * 3 + ("b",) * 3,
        np.ones(6),
        np.array([0, 0, 0, 1, 1, 1]),
    )
    model = ToyModel()
    tuning = Tuning(model, images, model.moments(images.images), 10)
    judge = Boundary(embedder=Pixels(), keep=0.34).judge(tuning, np.random.default_rng(0))
    assert judge(np.arange(6)).keep.tolist() == [False, False, True, False, False, True]
    assert tuning.passes == 0


def test_boundary_needs_two_labels():
    with pytest.raises(DataError, match="'boundary' needs tuning images of two labels at least"):
        Boundary(embedder=Pixels()).judge(tuning_of([1, 1]), np.random.default_rng(0))


def test_boundary_judges_samples_only():
    with pytest.raises(ConfigError, match="unit must be sample with boundary, got 'batch'"):
        Boundary(embedder=Pixels(), unit="batch")


def test_an_embedder_that_needs_the_classifier_is_refused():
    with pytest.raises(ConfigError, match="the run's classifier, which is trained after"):
        Boundary(embedder=ClassifierFeatures())


def test_an_embedders_problems_are_the_oracles():
    class Broken(Pixels):
        def check(self):
            return ["no weights"]

    assert check_components([{"x": Boundary(embedder=Broken())}]) == ["x.embedder: no weights"]
    assert check_components([{"x": Quantile(score=Generated(embedder=Broken()))}]) == [
        "x.score.embedder: no weights"
    ]
    assert Quantile(score=Loss()).check() == []


# Guards


def gate_of(oracle, labels, steps=10):
    return Gate(oracle, tuning_of(labels, steps), np.random.default_rng(0))


def test_nothing_is_skipped_while_it_warms_up():
    gate = gate_of(Says(warmup=0.25), [0, 0], steps=10)
    before = gate.counts()["oracle_seconds"]
    for step in range(3):
        gate.tuning.progress = step / 10
        assert len(gate.keep(np.array([0, 1]))) == 2
    assert gate.counts()["oracle_seconds"] == before
    assert gate.counts()["kept_rate"] == 0, "of what was judged, which is nothing so far"
    gate.tuning.progress = 0.3
    assert len(gate.keep(np.array([0, 1]))) == 0


@pytest.mark.parametrize("floor", [0.1, 0.25, 1.0])
def test_no_label_starves(floor):
    labels = np.arange(400) % 2
    gate = gate_of(Says(keeps=(0,), warmup=0.0, label_floor=floor), labels)
    kept = np.concatenate([gate.keep(rows) for rows in np.split(np.arange(400), 25)])
    assert np.isin(np.arange(0, 400, 2), kept).all()
    share = np.isin(np.arange(1, 400, 2), kept).mean()
    # the first images of a label are too few to call it starved
    assert floor * (1 - ENOUGH / 200) - 0.01 <= share <= floor + 0.02
    assert gate.counts()["images_forced"] == share * 200


def test_a_floor_forces_nothing_where_all_are_skipped_alike():
    gate = gate_of(Says(warmup=0.0), [0, 1])
    assert len(gate.keep(np.array([0, 1] * 50))) == 0
    assert gate.counts()["images_forced"] == 0


def test_a_starved_label_stops_the_run_and_is_named():
    gate = gate_of(Says(keeps=(0,), warmup=0.0, label_floor=0.0, patience=30), np.arange(80) % 2)
    gate.keep(np.arange(58))
    with pytest.raises(
        TgapError, match="the last 30 images of 'an image of label 1', and kept 30 of"
    ):
        gate.keep(np.arange(58, 80))


def test_an_oracle_that_keeps_next_to_nothing_stops_the_run():
    oracle = RandomSkip(keep=0.004, warmup=0.0, patience=1000)
    gate = gate_of(oracle, [0] * 10)
    with pytest.raises(TgapError, match=r"stopped: .* and kept \d of \d{4} in all"):
        list(map(gate.keep, [np.arange(10)] * 1000))


def test_a_starved_label_gets_the_whole_batch():
    oracle = Says(keeps=(0,), warmup=0.0, label_floor=0.5, unit="batch")
    gate = gate_of(oracle, np.arange(400) // 208)
    kept = [len(gate.keep(rows)) for rows in np.split(np.arange(400), 25)]
    assert set(kept) == {0, 16}, "a batch is never kept in part"
    assert kept[:13] == [16] * 13
    assert 0.3 < np.mean(kept[13:]) / 16 < 0.6


def test_patience_begins_anew_with_each_image_that_is_kept():
    oracle = Similarity(score=Table(values=[0.9] * 9 + [0.1]), warmup=0.0, patience=10)
    gate = gate_of(oracle, [0] * 10)
    for _ in range(20):
        assert gate.keep(np.arange(10)).tolist() == [9]


def test_a_threshold_below_every_score_says_what_to_do():
    score = Generated(embedder=Pixels(), center=False)
    oracle = Similarity(score=score, warmup=0.0, threshold=0.1, patience=8)
    gate = gate_of(oracle, np.arange(8) % 2)
    gate.keep(np.arange(8))
    with pytest.raises(TgapError) as caught:
        gate.keep(np.arange(8))
    told = str(caught.value)
    low, high = map(float, re.search(r"scores were ([\d.]+) to ([\d.]+), ", told).groups())
    above = float(re.search(r"threshold above ([\d.]+), the mean of these", told)[1])
    assert 0.1 < low <= above <= high
    assert "embeddings of one domain all point one way" in told
    assert "use finetuner/oracle=quantile, or finetuner.oracle.score.center=true" in told


def test_centring_is_no_advice_where_it_is_done():
    assert "center" not in Similarity(score=OneStep()).advice(np.array([0.5]))
    assert "center" not in Similarity(score=Loss()).advice(None)
    assert "use finetuner/oracle=quantile" in Similarity(score=Loss()).advice(None)


def test_scores_that_are_not_finite_stop_the_run():
    gate = gate_of(Says(keeps=(0,), scores=(0.1, np.nan), warmup=0.0), [0, 0])
    with pytest.raises(TgapError, match=r"not finite at step 0: .*lower budget.learning_rate"):
        gate.keep(np.array([0, 1]))


def test_a_judgement_of_another_shape_is_refused():
    class Short(Says):
        def judge(self, tuning, rng):
            return lambda rows: Judgement(np.ones(1, bool))

    with pytest.raises(ContractError, match=r"must judge 2 images, got \(1,\) bool"):
        gate_of(Short(warmup=0.0), [0, 0]).keep(np.array([0, 1]))


def test_half_a_batch_is_refused():
    with pytest.raises(ContractError, match="must keep a whole batch or none"):
        gate_of(Says(keeps=(0,), unit="batch", warmup=0.0), [0, 1]).keep(np.array([0, 1]))


def test_counts_tell_the_scores_of_the_last_batch():
    oracle = Similarity(score=Table(values=[0.0, 1.0, 0.2, 0.4]), warmup=0.0, patience=50)
    gate = gate_of(oracle, [0, 1, 0, 1])
    gate.keep(np.array([0, 1]))
    gate.keep(np.array([2, 3]))
    counts = gate.counts()
    assert counts["score"] == pytest.approx(0.3)
    assert counts["score_low"] == pytest.approx(0.22)
    assert counts["score_high"] == pytest.approx(0.38)


# The model that is looked at


class Dropping(ToyUNet):
    def forward(self, latents, timesteps, encoder_hidden_states):
        dropped = torch.nn.functional.dropout(latents, 0.5, self.training)
        return super().forward(dropped, timesteps, encoder_hidden_states)


def test_the_model_is_seen_without_dropout_and_trains_on_with_it():
    model = ToyModel(Dropping().train())
    images = toy_images(6)
    tuning = Tuning(model, images, model.moments(images.images), steps=10)
    state = torch.get_rng_state()
    score = OneStep().scorer(tuning, np.random.default_rng(0))
    assert (score(np.arange(6)) == score(np.arange(6))).all()
    assert torch.equal(torch.get_rng_state(), state)
    assert model.denoiser.training


def test_drawing_leaves_the_random_states_whatever_the_model_does():
    class Careless(ToyModel):
        def sample(self, prompts, seeds, sampler, on_images=lambda done: None):
            torch.randn(3), np.random.random(3)
            return super().sample(prompts, seeds, sampler)

    images = toy_images(6)
    model = Careless()
    tuning = Tuning(model, images, model.moments(images.images), steps=10)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    Generated().scorer(tuning, np.random.default_rng(0))(np.arange(6))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


def test_the_noise_of_training_is_the_same_whatever_is_drawn_in_between():
    """An oracle that looks and keeps everything changes nothing."""

    def tuned(oracle):
        losses = []
        Dreambooth(oracle=oracle, prior_weight=0.0).finetune(
            ToyModel(),
            toy_images(12),
            None,
            Budget(steps=5, batch_size=4),
            np.random.default_rng(0),
            lambda step, values: losses.append(values["loss"]),
        )
        return losses

    plain = tuned(Quantile(score=Loss(), warmup=1.0))
    for score in (Generated(every=0), OneStep(), Loss()):
        assert tuned(Similarity(score=score, threshold=9.0, warmup=0.0)) == plain


# Composing


def test_the_preset_is_the_thesiss_reading():
    oracle = tgap.compose("finetuner=active_dreambooth").finetuner.oracle
    assert isinstance(oracle, Similarity)
    assert (oracle.threshold, oracle.unit) == (0.3, "batch")
    assert (oracle.warmup, oracle.label_floor) == (0, 0)
    score = oracle.score
    assert (score.every, score.reduce, score.center) == (0, "mean", False)
    assert isinstance(score.embedder, Clip)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["finetuner/oracle=quantile", "finetuner/oracle/score=one_step"],
            Quantile(score=OneStep()),
        ),
        (
            ["finetuner/oracle=inverse", "finetuner/oracle/score/embedder=clip"],
            Inverse(score=Generated(embedder=Clip())),
        ),
        (
            ["finetuner/oracle=similarity", "finetuner.oracle.score.center=false"],
            Similarity(score=Generated(center=False)),
        ),
        (["finetuner/oracle=boundary"], Boundary(embedder=Clip())),
        (
            ["finetuner/oracle=boundary", "finetuner/oracle/embedder=pixels"],
            Boundary(embedder=Pixels()),
        ),
    ],
)
def test_oracles_and_their_parts_are_chosen_on_the_command_line(overrides, expected):
    assert tgap.compose("finetuner=dreambooth", *overrides).finetuner.oracle == expected


def test_arms_are_swept():
    words = ["finetuner/oracle=random_skip,quantile,inverse,boundary", "finetuner.oracle.keep=.6"]
    with hydra_ready() as hydra:
        runs = [compose_run(hydra, job) for job in expand(hydra, words)]
    assert [run.finetuner.oracle.stem() for run in runs] == [
        "random_skip",
        "quantile",
        "inverse",
        "boundary",
    ]
    assert {run.finetuner.oracle.keep for run in runs} == {0.6}
    assert len({run.method for run in runs}) == 4


def test_the_presets_space_can_be_the_latents():
    run = tgap.compose("finetuner=active_dreambooth", "~finetuner/oracle/score/embedder")
    assert run.finetuner.oracle.score.embedder is None
