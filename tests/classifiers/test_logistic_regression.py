import dataclasses
from typing import ClassVar

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Sklearn
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from tests.classifiers.conftest import fitted, image_set
from tgap.classifiers.base import held_back_for_validation, held_back_patients
from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.core import ConfigError
from tgap.embedders.base import Embedder


@dataclasses.dataclass(kw_only=True)
class Rows(Embedder):
    """Mean of each row of pixels."""

    def _embed(self, images, features=None):
        return images.mean(axis=(2, 3)).astype(np.float32)


@dataclasses.dataclass(kw_only=True)
class OfClassifier(Rows):
    """Wants a trained classifier."""

    uses_classifier: ClassVar[bool] = True


def images(count=80, seed=0):
    """Three labels, each of which depends on another row, with noise."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 6, 5, 1), dtype=np.uint8)
    truth = pixels[:, :3, :, 0].mean(axis=2) + rng.normal(0, 15, (count, 3)) > 127
    return image_set(pixels, truth, ("a", "b", "c"))


def fit(train, **fields):
    return fitted(LogisticRegression(device="cpu", **fields), train)


@pytest.mark.parametrize("embedder", [None, Rows()])
def test_scores_are_scikit_learns(embedder):
    train, test = images(), images(30, seed=1)
    grid = [0.001, 0.01, 0.1, 1.0, 10.0]
    classifier, weights, logged = fit(train, embedder=embedder, c_grid=grid)
    held_back = held_back_patients(train, classifier.validation, np.random.default_rng(0))

    def vectors(data):
        return embedder.embed(data.images) if embedder else data.images.reshape(len(data), -1) / 255

    scaler = StandardScaler().fit(vectors(train)[~held_back])
    losses, scores = [], []
    for c in grid:
        models = [
            Sklearn(C=c, max_iter=1000).fit(scaler.transform(vectors(train)[~held_back]), truth)
            for truth in train.labels[~held_back].T
        ]
        probabilities = [
            m.predict_proba(scaler.transform(vectors(train)[held_back])) for m in models
        ]
        losses.append(
            np.mean(
                [
                    log_loss(truth, one, labels=[False, True])
                    for truth, one in zip(train.labels[held_back].T, probabilities, strict=True)
                ]
            )
        )
        scores.append([m.decision_function(scaler.transform(vectors(test))) for m in models])
    assert [values["c"] for values in logged] == grid
    np.testing.assert_allclose([v["validation_loss"] for v in logged], losses, rtol=1e-3)
    best = int(np.argmin(losses))
    assert 0 < best < 4, "the case needs a C inside the grid"
    expected = np.stack(scores[best], axis=1)
    np.testing.assert_allclose(classifier.score(weights, test.images), expected, atol=1e-2)


def test_features_are_standardised_vectors():
    train = images()
    classifier, weights, _ = fit(train, embedder=Rows())
    held_back = held_back_patients(train, classifier.validation, np.random.default_rng(0))
    features = classifier.features(weights, train.images)[~held_back]
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-5)


def test_constant_pixels_change_nothing():
    train = images()
    pixels = train.images.copy()
    pixels[:, 5] = 7
    classifier, weights, _ = fit(dataclasses.replace(train, images=pixels))
    assert (weights["std"] > 0).all()
    brighter = pixels.copy()
    brighter[:, 5] = 8
    scores = [classifier.score(weights, one) for one in (pixels, brighter)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


def test_a_label_that_would_be_held_back_as_a_whole_is_trained_on():
    train = images()
    labels = train.labels.copy()
    labels[:, 1] = held_back_patients(train, 0.15, np.random.default_rng(0))
    train = dataclasses.replace(train, labels=labels)
    held_back = held_back_for_validation(train, 0.15, np.random.default_rng(0))
    assert labels[held_back, 1].any()
    assert labels[~held_back, 1].any()
    fit(train)


def test_images_of_one_patient_are_parted():
    train = dataclasses.replace(images(), patients=np.zeros(len(images()), np.int64))
    assert 0.1 < held_back_for_validation(train, 0.15, np.random.default_rng(0)).mean() < 0.2
    fit(train)


def test_an_embedder_that_needs_a_classifier_is_refused():
    with pytest.raises(ConfigError, match="'of_classifier' needs a trained classifier"):
        LogisticRegression(embedder=OfClassifier())


@pytest.mark.parametrize("grid", [[], [0.0], [1.0, -1.0], [float("nan")]])
def test_an_unusable_grid_is_refused(grid):
    with pytest.raises(ConfigError, match="c_grid must be numbers above 0, at least one"):
        LogisticRegression(c_grid=grid)


def test_the_embedder_is_part_of_its_identity():
    assert LogisticRegression().identity() != LogisticRegression(embedder=Rows()).identity()
    assert LogisticRegression(embedder=Rows()).identity()["embedder"] == Rows().identity()


def test_linear_probe_is_a_preset_of_clip_vectors():
    import tgap

    classifier = tgap.compose("classifier=linear_probe").classifier
    assert isinstance(classifier, LogisticRegression)
    assert classifier.title() == "linear_probe"
    assert classifier.embedder.stem() == "clip"
