"""Real images that stand for synthetic ones: what verdicts say of them is a false alarm."""

import numpy as np
import pytest

from tests.contracts.evidence import Made, labelled
from tgap.analysis.readings import Numbers, beats_real, fter_above_one, threshold_is_lost
from tgap.core import Scores
from tgap.evaluators.two_way import TwoWay
from tgap.metrics.modes import clusters, left_out

NAMES = ("ill", "well")
WIDTH, APART, TIMES = 20, 1.2, 60


class Scored(Made):
    def legs(self):
        return self.given


def numbers(train: int, test: int, seed: int) -> Numbers:
    """Of two linear classifiers, each trained on as many vectors of one distribution."""
    rng = np.random.default_rng([seed, train, test])

    def drawn(count):
        ill = np.arange(2 * count) < count
        vectors = rng.normal(size=(2 * count, WIDTH))
        vectors[:, 0] += np.where(ill, APART, -APART) / 2
        return vectors, ill

    def fitted(vectors, ill):
        means = vectors[ill].mean(axis=0), vectors[~ill].mean(axis=0)
        weights = means[0] - means[1]
        return weights, weights @ (means[0] + means[1]) / 2

    models = {side: fitted(*drawn(train)) for side in "rs"}
    tests = {side: drawn(test) for side in "rs"}
    legs = {}
    for leg in ("tstr", "trts", "trtr", "tsts"):
        (weights, middle), (vectors, ill) = models[leg[1]], tests[leg[3]]
        score = vectors @ weights - middle
        both = np.stack([score, -score], axis=1).astype(np.float32)
        legs[leg] = Scores(both, np.stack([ill, ~ill], axis=1), NAMES)
    labels = np.stack([tests["r"][1], ~tests["r"][1]], axis=1)
    data = labelled(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, NAMES)
    made = Scored(test=data, train=data, parts=(data, data), tuning=None, unseen=data)
    object.__setattr__(made, "given", legs)
    return Numbers(TwoWay(resamples=100).evaluate(made, np.random.default_rng(0)).metrics)


@pytest.fixture(scope="module")
def many_test_images():
    """50 images of a label train, so that trainings scatter by more than 1,000 that test show."""
    return [numbers(50, 1000, seed) for seed in range(TIMES)]


def test_another_training_is_no_better_than_real_ones(many_test_images):
    surely_above = [m["t_gap/utility_lost/hi"] < 0 for m in many_test_images]
    assert np.mean(surely_above) >= 0.15
    assert np.mean([beats_real(m) for m in many_test_images]) <= 0.05


def test_another_training_is_no_fter_above_one(many_test_images):
    assert np.mean([m["fter/lo"] > 1 for m in many_test_images]) >= 0.1
    assert np.mean([fter_above_one(m) for m in many_test_images]) <= 0.05


def test_few_test_images_lose_no_threshold():
    runs = [numbers(20, 25, seed) for seed in range(TIMES)]
    kept = [m["tstr/right_at_synthetic_threshold"] - 0.5 for m in runs]
    best = [m["tstr/right_at_best_threshold"] - 0.5 for m in runs]
    assert np.mean(np.array(kept) < np.array(best) / 2) >= 0.1
    assert not any(threshold_is_lost(m) for m in runs)


@pytest.mark.parametrize(("patients", "least", "most"), [(400, 0, 0), (40, 0.02, 0.3)])
def test_images_of_few_patients_seem_to_leave_kinds_out_now_and_then(patients, least, most):
    told = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        real, floor, fake = (
            rng.normal(size=(people, 8))[rng.integers(0, people, 400)]
            + 0.6 * rng.normal(size=(400, 8))
            for people in (400, 400, patients)
        )
        kinds = clusters(real, rng)
        found = left_out(real, floor, fake, kinds, 5)
        assert found is not None
        told.append(kinds[:, found.missing].any(axis=1).mean() >= 0.05)
    assert least <= np.mean(told) <= most
