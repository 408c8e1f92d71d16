"""Scores without labels, against skada 0.6 and against the formulas written out.

skada needs POT, 175 MB once installed, for ten lines of each score: it is no dependency of these
tests. Where it is importable they ask it; what it said of the same data is written down besides.
"""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from tgap.core import ContractError
from tgap.metrics.unlabelled import (
    ALPHA,
    circular_validation,
    density_ratio,
    dev,
    effective_share,
    importance_weighted_risk,
    log_losses,
    mano,
    mixval,
    of_one_label,
    prediction_entropy,
    soft_neighbourhood_density,
)

RECORDED = {
    "entropy": 0.13253433406165105,
    "snd": 2.9692817960342235,
    "mano": 0.6707183180690623,
    "mixval": 0.7826086956521738,
    "circular": 0.8666666666666667,
    "iw": 0.8742625505253921,
    "dev": 0.24520066295273601,
}
"""What skada 0.6.0 says of ``plane``, with scikit-learn 1.9.1."""


class World:
    """Source and target, and a classifier fitted to the source."""

    def __init__(self, source, truth, target) -> None:
        from sklearn.linear_model import LogisticRegression

        self.source, self.truth, self.target = source, truth, target
        self.new = LogisticRegression
        self.model = LogisticRegression(max_iter=1000, tol=1e-10).fit(source, truth)

    def probabilities(self):
        return self.model.predict_proba(self.target)


def plane() -> World:
    """Three classes in the plane, the target shifted; by arithmetic, so the same anywhere."""
    at = np.arange(90)
    means = np.array([[0.0, 0.0], [2.0, 0.3], [0.4, 2.0]])
    noise = np.stack([np.sin(7.3 * at + 1), np.cos(3.1 * at**1.5)], axis=1)
    other = np.stack([np.cos(5.7 * at + 2), np.sin(2.3 * at**1.4)], axis=1)
    target = (means[(at * 2) % 3] + other)[:70] + np.array([0.5, -0.2])
    return World(means[at % 3] + noise, at % 3, target)


def of_skadas_tests(shift: str) -> World:
    """A data set as its own tests make them."""
    from skada.datasets import make_shifted_datasets

    x, y, domain = make_shifted_datasets(20, 21, shift=shift, noise=0.1, random_state=42)
    return World(x[domain > 0], y[domain > 0], x[domain < 0])


@pytest.fixture(scope="module")
def world() -> World:
    return plane()


def ours(world: World) -> dict[str, float]:
    """The same numbers as skada's, by the functions here."""
    from sklearn.model_selection import train_test_split
    from sklearn.neighbors import KernelDensity

    probabilities, predicted = world.probabilities(), world.model.predict(world.target)
    partner = np.random.RandomState(3).permutation(len(world.target))
    mixes = ALPHA * world.target + (1 - ALPHA) * world.target[partner]
    train, held, _, truth = train_test_split(
        world.source, world.truth, test_size=0.33, random_state=np.random.RandomState(3)
    )
    losses = -np.log(world.model.predict_proba(held)[np.arange(len(held)), truth])
    densities = [KernelDensity().fit(side) for side in (world.target, world.source)]
    weights = np.exp(np.subtract(*(d.score_samples(world.source) for d in densities)))
    right = world.model.predict(world.source) == world.truth

    def train_back(classes):
        back = world.new(max_iter=1000, tol=1e-10).fit(world.target, classes)
        return back.predict(world.source)

    return {
        "entropy": prediction_entropy(probabilities) / probabilities.shape[1],
        "snd": soft_neighbourhood_density(probabilities),
        "mano": mano(probabilities),
        "mixval": mixval(predicted, partner, world.model.predict(mixes)),
        "circular": circular_validation(predicted, world.truth, train_back),
        "iw": 1 - importance_weighted_risk(~right, weights),
        "dev": dev(losses, density_ratio(train, world.target, held)),
    }


def test_the_numbers_are_those_that_skada_gave(world):
    found = ours(world)
    assert found.keys() == RECORDED.keys()
    for name, value in RECORDED.items():
        assert found[name] == pytest.approx(value, abs=1e-6 if name == "dev" else 1e-9), name


@pytest.mark.parametrize(
    "make",
    [plane, *(partial(of_skadas_tests, one) for one in ("covariate_shift", "subspace"))],
    ids=["plane", "covariate shift", "subspace"],
)
def test_skada_says_the_same_today(make):
    metrics = pytest.importorskip("skada.metrics", reason="needs POT; not installed for this")
    world = make()
    found = ours(world)
    for name, value in asked_of_skada(world, metrics).items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


def asked_of_skada(world: World, metrics) -> dict[str, float]:
    from skada import make_da_pipeline

    model = world.new(max_iter=1000, tol=1e-10)
    pipeline = make_da_pipeline(
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    )
    x = np.concatenate([world.source, world.target])
    y = np.concatenate([world.truth, np.full(len(world.target), -1)])
    domain = np.repeat([1, -2], [len(world.source), len(world.target)])
    pipeline.fit(x, y, sample_domain=domain)

    def asked(scorer):
        return float(scorer(pipeline, x, y, sample_domain=domain))

    def column(truth, probabilities):
        # By its own loss, a row, skada 0.6 multiplies every weight with every loss.
        return -np.log(probabilities[np.arange(len(truth)), truth])[:, None]

    by_regression = world.new(max_iter=1000)
    return {
        "entropy": -asked(metrics.PredictionEntropyScorer()),
        "snd": asked(metrics.SoftNeighborhoodDensity()),
        "mano": asked(metrics.MaNoScorer()),
        "mixval": asked(metrics.MixValScorer(random_state=3)),
        "circular": asked(metrics.CircularValidation()),
        "iw": asked(metrics.ImportanceWeightedScorer()),
        "dev": -asked(metrics.DeepEmbeddedValidation(by_regression, column, random_state=3)),
    }


def test_formulas_written_out(world):
    p = world.probabilities()
    entropies = [-sum(q * math.log(q) for q in row) for row in p.tolist()]
    assert prediction_entropy(p) == pytest.approx(sum(entropies) / len(p))
    assert mano(p) == pytest.approx((sum(q**4 for q in p.ravel().tolist()) / p.size) ** 0.25)
    densities = []
    for i, row in enumerate(p):
        others = [
            float(row @ other / np.linalg.norm(row) / np.linalg.norm(other)) / 0.05
            for j, other in enumerate(p)
            if j != i
        ]
        near = softmax(others)
        densities.append(-sum(s * math.log(s) for s in near.tolist() if s > 0))
    assert soft_neighbourhood_density(p) == pytest.approx(sum(densities) / len(p), abs=1e-9)


def test_the_ratio_is_that_of_two_normal_distributions():
    """N(0, 1) and N(1, 1): log w = x - 1/2, which a logistic regression can hold."""
    rng = np.random.default_rng(0)
    source, target = rng.normal(0, 1, (20_000, 1)), rng.normal(1, 1, (10_000, 1))
    at = np.linspace(-1, 2, 7)[:, None]
    found = np.log(density_ratio(source, target, at))
    np.testing.assert_allclose(found, at[:, 0] - 0.5, atol=0.06)


def test_of_like_domains_in_many_dimensions_a_chosen_penalty_weighs_all_alike():
    source, target, at = np.random.default_rng(0).normal(size=(3, 200, 100))
    one, chosen = (density_ratio(source, target, at, c) for c in ((1.0,), (1e-5, 1e-2, 1.0)))
    assert effective_share(one) < 0.5
    assert effective_share(chosen) > 0.9
    assert chosen.mean() == pytest.approx(1, abs=0.1)
    assert np.isnan(density_ratio(source[:4], target, at, (0.1, 1.0))).all()


def test_the_weighted_risk_is_the_targets_where_domains_overlap():
    """Every image has the label, and the model is the surer of it the larger x is."""
    rng = np.random.default_rng(1)
    source, target = rng.normal(0, 1, (8000, 1)), rng.normal(0.7, 1, (8000, 1))

    def losses(x):
        return log_losses(2 * x, np.ones(x.shape, bool))

    true = losses(rng.normal(0.7, 1, (100_000, 1))).mean()
    weights = density_ratio(source[:4000], target, source[4000:])
    of_source = losses(source[4000:])
    assert of_source.mean() - true > 0.3
    assert importance_weighted_risk(of_source, weights) == pytest.approx(true, abs=0.05)
    assert dev(of_source, weights) == pytest.approx(true, abs=0.05)
    assert 0.4 < effective_share(weights) < 0.9
    assert weights.mean() == pytest.approx(1, abs=0.05)


def test_domains_apart_leave_weights_next_to_nothing():
    """Few images have them all, or, of a regression that is held back, all have some: so both."""
    source = np.random.default_rng(0).normal(size=(50, 3))
    weights = density_ratio(source, np.full((50, 3), 9.0), source)
    assert weights.mean() < 0.01


def test_losses_are_finite_and_exact():
    logits = np.array([[1000.0, -1000.0], [2.0, -3.0]])
    labels = np.array([[False, True], [True, True]])
    expected = [1000.0, (math.log1p(math.exp(-2)) + 3 + math.log1p(math.exp(-3))) / 2]
    np.testing.assert_allclose(log_losses(logits, labels), expected)
    with pytest.raises(ContractError, match="must be alike"):
        log_losses(logits, labels[:1])


def test_a_classifier_that_says_one_thing_fools_those_that_do_not_refuse_it():
    sure = of_one_label(np.full(30, 50.0))
    assert prediction_entropy(sure) == pytest.approx(0, abs=1e-9)
    assert mano(sure) == pytest.approx(0.5**0.25)
    assert soft_neighbourhood_density(sure) == pytest.approx(math.log(29))
    one = np.zeros(30, np.int64)
    assert math.isnan(mixval(one, np.arange(30), one))
    truth = np.arange(30) % 2
    assert circular_validation(one, truth, lambda _: pytest.fail("trained")) == 0.5


def test_swapped_labels_are_seen_by_the_way_back_alone():
    truth = np.arange(40) % 2
    logits = np.where(truth == 1, 3.0, -3.0)
    right, swapped = of_one_label(logits), of_one_label(-logits)
    for score in (prediction_entropy, mano, soft_neighbourhood_density):
        assert score(right) == pytest.approx(score(swapped))
    # The source has the same images, under swapped labels too: a way back that works is swapped.
    assert circular_validation(truth, truth, lambda classes: classes) == 1
    assert circular_validation(1 - truth, truth, lambda classes: classes) == 0


def test_nothing_is_nan():
    none = np.zeros((0, 2))
    assert math.isnan(prediction_entropy(none))
    assert math.isnan(mano(none))
    assert math.isnan(soft_neighbourhood_density(none))
    assert math.isnan(effective_share(np.zeros(3)))
    assert math.isnan(importance_weighted_risk(np.ones(2), np.zeros(2)))
    assert math.isnan(dev(np.ones(1), np.ones(1)))
    assert np.isnan(density_ratio(none, np.ones((2, 2)), np.ones((2, 2)))).all()
    empty = np.zeros(0, np.int64)
    assert math.isnan(circular_validation(empty, empty, lambda classes: classes))
    with pytest.raises(ContractError, match="got 2, 1 and 2"):
        mixval(np.arange(2), np.arange(1), np.arange(2))


LOGITS = arrays(np.float64, st.integers(3, 40), elements=st.floats(-30, 30))


@given(LOGITS)
def test_bounds_hold(logits):
    p = of_one_label(logits)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert 0 <= prediction_entropy(p) <= math.log(2) + 1e-9
    assert 0.5 - 1e-9 <= mano(p) <= 0.5**0.25 + 1e-9
    assert -1e-9 <= soft_neighbourhood_density(p) <= math.log(len(p) - 1) + 1e-9


@given(arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 1e200)))
def test_the_effective_share_is_a_share(weights):
    share = effective_share(weights)
    if weights.max() > 0:
        assert 1 / len(weights) - 1e-9 <= share <= 1 + 1e-9


@given(LOGITS, st.floats(0.1, 5))
def test_equal_weights_change_nothing(losses, weight):
    weights = np.full(len(losses), weight)
    assert importance_weighted_risk(losses, weights) == pytest.approx(losses.mean(), abs=1e-6)
    assert dev(losses, np.ones(len(losses))) == pytest.approx(losses.mean(), abs=1e-9)
