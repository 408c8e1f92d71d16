import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as SklearnRegression

from tests.classifiers.conftest import image_set, two_kinds
from tgap.classifiers.logistic_regression import LogisticRegression, moved_line
from tgap.classifiers.small_cnn import SmallCnn
from tgap.metrics.classification import macro_auroc


def discs(count, seed, background=0, ink=120):
    """A disc on the left or on the right of noise."""
    rng = np.random.default_rng(seed)
    right = np.arange(count) % 2 == 1
    down, across = np.mgrid[:32, :32]
    centre = np.where(right, 20, 12) + rng.integers(-2, 3, count)
    disc = (down - 16) ** 2 + (across - centre[:, None, None]) ** 2 < 36
    pixels = np.clip(background + ink * disc + rng.normal(0, 25, disc.shape), 0, 255)
    return image_set(pixels[..., None].astype(np.uint8), two_kinds(~right), ("left", "right"))


def test_few_images_bring_a_network_to_another_domain():
    classifier = SmallCnn(device="cpu")
    dark, bright = discs(200, 0), discs(200, 1, background=220, ink=-80)
    weights = classifier.fit(dark, np.random.default_rng(0))
    adapted = classifier.adapt(weights, bright.take(np.arange(20)), np.random.default_rng(0))
    before, after = (
        macro_auroc(classifier.score(w, bright.images[20:]), bright.labels[20:])
        for w in (weights, adapted)
    )
    assert macro_auroc(classifier.score(weights, dark.images), dark.labels) > 0.99
    assert before < 0.9
    assert after > before + 0.1


def test_few_true_labels_mend_what_was_learnt_from_wrong_ones():
    classifier, few, test = LogisticRegression(), discs(100, 1), discs(200, 2)
    wrong = np.random.default_rng(0).random(200) < 0.55  # 97 of them
    made = discs(200, 0)
    labels = np.where(wrong[:, None], ~made.labels, made.labels)
    weights = classifier.fit(dataclasses.replace(made, labels=labels), np.random.default_rng(0))
    adapted = classifier.adapt(weights, few, np.random.default_rng(0))
    before, after = (
        macro_auroc(classifier.score(w, test.images), test.labels) for w in (weights, adapted)
    )
    assert before < 0.9
    assert after > before + 0.05


@pytest.mark.parametrize("c", [0.01, 1.0])
def test_from_zero_a_line_moves_to_scikit_learns_regression(c):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 5)).astype(np.float32)
    truth = vectors[:, 0] + rng.normal(size=40) > 0
    moved = moved_line(np.zeros(6), vectors, truth, c, max_iter=1000)
    with_one = np.column_stack([vectors, np.ones(40)])
    oracle = SklearnRegression(C=c, fit_intercept=False, tol=1e-10).fit(with_one, truth)
    np.testing.assert_allclose(moved, oracle.coef_[0], atol=1e-4)


def test_a_line_stays_where_the_penalty_is_strong_and_images_of_one_kind_do_not_carry_it_off():
    start, vectors = np.array([1.0, -1.0, 0.5]), np.ones((3, 2), dtype=np.float32)
    one_kind = np.ones(3, dtype=bool)
    np.testing.assert_allclose(moved_line(start, vectors, one_kind, 1e-9, 100), start, atol=1e-6)
    moved = moved_line(start, vectors, one_kind, 0.1, 100)
    assert (moved > start).all()
    assert (moved < start + 0.3).all()
