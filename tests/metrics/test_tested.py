"""Intervals of a trained model's AUROC, for new test images."""

import numpy as np
import pytest

from tests.contracts.evidence import labelled
from tgap.core import rng_for
from tgap.metrics.classification import auroc, macro_auroc
from tgap.metrics.tested import Resamples, difference, ends


def images_of(ill, patients=None):
    labels = np.stack([ill, ~ill], axis=1)
    others = {} if patients is None else {"patients": patients}
    return labelled(np.zeros((len(ill), 1, 1, 1), np.uint8), labels, ("a", "b"), **others)


def drawn(rng, count=150, skill=1.0, noise=0.0):
    """Truth, and scores of two classifiers that err on the same images."""
    ill = rng.random(count) < 0.4
    shared = skill * ill + rng.normal(0, 1, count)
    return ill, *(shared + noise * rng.normal(0, 1, count) for _ in range(2))


def test_resamples_are_the_aurocs_of_drawn_patients_images():
    rng = np.random.default_rng(0)
    ill, scores, _ = drawn(rng, 60)
    patients = np.arange(60, dtype=np.int64) // 3
    tested = Resamples.of(images_of(ill, patients), resamples=20)
    found = tested.aurocs(np.stack([scores, -scores], axis=1))
    assert found[0, 0] == auroc(scores, ill)
    again = rng_for("resample", 0).integers(20, size=(20, 20))
    for row, who in enumerate(again, start=1):
        images = np.concatenate([np.flatnonzero(patients == patient) for patient in who])
        assert found[row, 0] == pytest.approx(auroc(scores[images], ill[images]))


def test_a_part_is_resampled_with_the_whole():
    ill, scores, _ = drawn(np.random.default_rng(1), 80)
    rows = np.arange(80) % 3 > 0
    whole = Resamples.of(images_of(ill), resamples=30)
    part, alone = whole.part(rows), whole.weights[:, rows]
    assert (part.weights == alone).all()
    both = np.stack([scores, -scores], axis=1)[rows]
    assert part.macro(both).estimate == pytest.approx(macro_auroc(both, whole.labels[rows]))
    assert whole.part(np.zeros(80, bool)).effective == 0


def test_a_synthetic_set_is_resampled_by_itself():
    ill, _, _ = drawn(np.random.default_rng(2))
    real, synthetic = Resamples.of(images_of(ill), 5), Resamples.of(images_of(ill), 5, "key")
    assert (real.weights != synthetic.weights).any()
    assert (synthetic.weights == Resamples.of(images_of(ill), 5, "key").weights).all()


@pytest.mark.parametrize("noise", [0.3, 1.5])
def test_ends_hold_the_truth_in_nineteen_of_twenty_worlds(noise):
    """The truth is what a hundred thousand images say of the same classifiers."""
    ill, first, second = drawn(np.random.default_rng(3), 100_000, noise=noise)
    truth = auroc(first, ill), auroc(second, ill)
    inside = np.zeros(2)
    worlds = 200
    for world in range(worlds):
        ill, first, second = drawn(np.random.default_rng([4, world]), noise=noise)
        tested = Resamples.of(images_of(ill), resamples=200)
        one, other = (tested.aurocs(np.stack([s, -s], axis=1))[:, 0] for s in (first, second))
        alone = ends(one, tested.effective)
        apart = difference(one, other, tested.effective)
        inside += [alone.lo < truth[0] < alone.hi, apart.lo < truth[0] - truth[1] < apart.hi]
    assert (inside / worlds > 0.91).all(), inside / worlds
    assert (inside / worlds < 0.995).all(), inside / worlds
