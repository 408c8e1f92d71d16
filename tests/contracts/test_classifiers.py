"""What every classifier must keep, whichever it is."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from tgap.classifiers.base import Classifier
from tgap.classifiers.networks import network
from tgap.composition import registry
from tgap.core import ContractError, ImageSet, Weights

from .interrupting import interrupted

GROUP = "classifier"
KNOWN = {"small_cnn", "chexnet", "timm", "logistic_regression"}
SMALL = {"chexnet": {"weights": None}, "timm": {"model": "test_resnet"}}

each_classifier = pytest.mark.parametrize("name", registry.names(GROUP))
NETWORKS = [
    name
    for name in registry.names(GROUP)
    if issubclass(registry.component_class(GROUP, name), network.Network)
]
each_network = pytest.mark.parametrize("name", NETWORKS)


def make(stem: str, **fields: object) -> Classifier:
    """A classifier that fits in about a second, without weights from elsewhere."""
    cls = registry.component_class(GROUP, stem)
    if "epochs" in {f.name for f in dataclasses.fields(cls)}:
        fields = {"epochs": 1, **fields}
    return cls(device="cpu", **SMALL.get(stem, {}), **fields)


def noisy(count: int = 40, channels: int = 1, labels: int = 2) -> ImageSet:
    rng = np.random.default_rng(0)
    truth = rng.random((count, labels)) < 0.5
    truth[:2] = [[True] * labels, [False] * labels]
    pixels = rng.integers(0, 256, (count, 32, 32, channels), dtype=np.uint8)
    pixels.setflags(write=False)
    truth.setflags(write=False)
    return ImageSet(
        pixels,
        truth,
        tuple(f"label{i}" for i in range(labels)),
        np.zeros((count, 0), dtype=bool),
        (),
        np.arange(count, dtype=np.int64) // 2,
    )


@functools.cache
def fitted(name: str, channels: int = 1, labels: int = 2) -> Weights:
    train = noisy(channels=channels, labels=labels)
    return make(name).fit(train, np.random.default_rng(0))


def test_known_ones_are_found():
    assert set(registry.names(GROUP)) >= KNOWN


@each_classifier
def test_says_what_it_is(name):
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Classifier)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_classifier
@pytest.mark.parametrize(("channels", "labels"), [(1, 2), (3, 3)])
def test_scores_are_one_logit_per_label(name, channels, labels):
    weights, images = fitted(name, channels, labels), noisy(channels=channels).images
    scores = make(name).score(weights, images)
    assert scores.shape == (40, labels)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert scores.min() < 0  # as no probability is
    assert make(name).score(weights, images[:0]).shape == (0, labels)


@each_classifier
def test_an_image_is_scored_by_itself(name):
    weights, images = fitted(name), noisy().images
    scores = make(name).score(weights, images)
    order = np.random.default_rng(1).permutation(40)
    np.testing.assert_allclose(make(name).score(weights, images[order]), scores[order], atol=1e-4)
    np.testing.assert_allclose(make(name).score(weights, images[3:4]), scores[3:4], atol=1e-4)


@each_classifier
def test_weights_are_arrays_that_a_file_can_hold(name, tmp_path):
    from safetensors.numpy import load_file, save_file

    weights, images = fitted(name), noisy().images
    assert all(type(array) is np.ndarray for array in weights.values())
    save_file(weights, tmp_path / "weights.safetensors")
    read = load_file(tmp_path / "weights.safetensors")
    assert (make(name).score(read, images) == make(name).score(weights, images)).all()


@each_classifier
def test_the_same_seed_gives_the_same_scores_and_no_state_moves(name):
    train, classifier = noisy(), make(name)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    fields = dataclasses.asdict(classifier)
    again = classifier.fit(train, np.random.default_rng(0))
    scores = [classifier.score(weights, train.images) for weights in (fitted(name), again)]
    assert (scores[0] == scores[1]).all()
    assert dataclasses.asdict(classifier) == fields
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


@each_classifier
def test_features_are_finite_vectors_or_refused(name):
    classifier, weights, images = make(name), fitted(name), noisy().images
    if not classifier.has_features:
        with pytest.raises(ContractError, match="has no features"):
            classifier.features(weights, images)
        return
    features = classifier.features(weights, images)
    assert features.dtype == np.float32
    assert features.ndim == 2
    assert len(features) == 40
    assert np.isfinite(features).all()
    assert np.ptp(features, axis=0).max() > 0
    assert (classifier.features(weights, images) == features).all()


def few(channels: int = 1, labels: int = 2) -> ImageSet:
    return noisy(channels=channels, labels=labels).take(np.arange(6))


@pytest.fixture
def few_steps(monkeypatch):
    """A network adapts in three steps: thirty take the largest one seconds."""
    monkeypatch.setattr(network, "FEWEST_STEPS", 3)


@each_classifier
def test_adapting_changes_scores_and_nothing_else_or_is_refused(name, few_steps):
    classifier, weights, images = make(name), fitted(name), noisy().images
    if not classifier.adapts:
        with pytest.raises(ContractError, match="does not adapt"):
            classifier.adapt(weights, few(), np.random.default_rng(0))
        return
    before = {key: array.copy() for key, array in weights.items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    fields, logged = dataclasses.asdict(classifier), []
    adapted = classifier.adapt(
        weights, few(), np.random.default_rng(0), lambda epoch, values: logged.append(values)
    )
    assert all((weights[key] == before[key]).all() for key in before)
    assert dataclasses.asdict(classifier) == fields
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert {key: (a.shape, a.dtype) for key, a in adapted.items()} == {
        key: (a.shape, a.dtype) for key, a in weights.items()
    }
    assert (classifier.score(adapted, images) != classifier.score(weights, images)).any()
    assert logged
    assert all(np.isfinite(value) for values in logged for value in values.values())
    again = classifier.adapt(weights, few(), np.random.default_rng(0))
    assert (classifier.score(again, images) == classifier.score(adapted, images)).all()


@each_classifier
def test_images_that_cannot_be_adapted_to_are_refused(name):
    classifier, weights, rng = make(name), fitted(name), np.random.default_rng(0)
    if not classifier.adapts:
        pytest.skip("does not adapt")
    with pytest.raises(ContractError, match="needs at least one image, got none"):
        classifier.adapt(weights, few().take(np.arange(0)), rng)
    with pytest.raises(ContractError, match="trained on 2 labels, got images with 3: label0, "):
        classifier.adapt(weights, few(labels=3), rng)
    with pytest.raises(ContractError, match=r"shape \(32, 32, 1\) .* got \(32, 32, 3\)"):
        classifier.adapt(weights, few(channels=3), rng)


@each_classifier
def test_images_of_another_shape_or_dtype_are_refused(name):
    classifier, weights = make(name), fitted(name)
    larger = np.zeros((2, 40, 32, 1), np.uint8)
    for call in (classifier.score, classifier.features):
        with pytest.raises(ContractError, match=r"shape \(32, 32, 1\) .* got \(40, 32, 1\) uint8"):
            call(weights, larger)
        with pytest.raises(ContractError, match=r"got \(32, 32, 1\) float32"):
            call(weights, np.zeros((2, 32, 32, 1), np.float32))


@each_classifier
def test_epochs_are_logged(name):
    logged = []
    make(name).fit(
        noisy(), np.random.default_rng(0), lambda epoch, values: logged.append((epoch, values))
    )
    assert [epoch for epoch, _ in logged] == list(range(1, len(logged) + 1))
    assert all(np.isfinite(value) for _, values in logged for value in values.values())


@each_classifier
def test_a_label_that_all_images_share_is_refused(name):
    train = noisy()
    same = dataclasses.replace(train, labels=np.ones_like(train.labels))
    with pytest.raises(ContractError, match="with and without every label"):
        make(name).fit(same, np.random.default_rng(0))


@dataclasses.dataclass(kw_only=True)
class Constant(Classifier):
    """Gives every image the same score, and has no features."""

    def _fit(self, train, validation, rng, log, checkpoint):
        return {"value": np.array([0.5], dtype=np.float32)}

    def _score(self, weights, images):
        return np.repeat(weights["value"][None], len(images), axis=0)


def test_a_classifier_without_features_says_so():
    weights = Constant().fit(noisy(), np.random.default_rng(0))
    with pytest.raises(ContractError, match="classifier 'constant' has no features"):
        Constant().features(weights, noisy().images)


def test_a_classifier_that_does_not_adapt_says_so():
    weights = Constant().fit(noisy(), np.random.default_rng(0))
    weights["value"] = np.array([0.5, 0.5], dtype=np.float32)
    assert not Constant.adapts
    with pytest.raises(ContractError, match="classifier 'constant' does not adapt"):
        Constant().adapt(weights, few(), np.random.default_rng(0))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_scores_that_are_no_numbers_are_refused(value):
    weights = Constant().fit(noisy(), np.random.default_rng(0))
    weights["value"][:] = value
    with pytest.raises(ContractError, match="constant returned scores that are not finite"):
        Constant().score(weights, noisy().images)


def require_going_on(classifier):
    def fit(checkpoint=None):
        logged = []
        weights = classifier.fit(
            noisy(), np.random.default_rng(0), lambda *told: logged.append(told), checkpoint
        )
        return weights, without_seconds(logged)

    require_equal(fit(), interrupted(fit, 1, 3))


@each_classifier
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(name):
    """After an epoch and a batch of the next one."""
    classifier = make(name)
    if hasattr(classifier, "epochs"):
        classifier = dataclasses.replace(classifier, epochs=2, batch_size=32)

    require_going_on(classifier)


@pytest.mark.parametrize("augment", registry.names(f"{GROUP}/augment"))
@each_network
def test_an_interrupted_training_with_other_styles_goes_on_too(name, augment):
    """What it draws is another batch's where the training goes on with other random states."""
    part = registry.component_class(f"{GROUP}/augment", augment)()
    classifier = make(name, augment=part, epochs=2, batch_size=32)
    assert classifier.check() == []

    require_going_on(classifier)


@each_classifier
def test_adapting_that_was_interrupted_goes_on_too(name, few_steps):
    classifier, weights = make(name), fitted(name)
    if not classifier.adapts:
        return

    def adapt(checkpoint=None):
        logged, rng = [], np.random.default_rng(0)
        adapted = classifier.adapt(
            weights, few(), rng, lambda *told: logged.append(told), checkpoint
        )
        return adapted, without_seconds(logged)

    require_equal(adapt(), interrupted(adapt, 1, 2))


def without_seconds(logged):
    return [
        (epoch, {n: v for n, v in values.items() if not n.endswith("seconds")})
        for epoch, values in logged
    ]


def require_equal(whole, resumed):
    (weights, logged), (again, logged_again) = whole, resumed
    assert logged == logged_again
    assert weights.keys() == again.keys()
    assert all((weights[key] == again[key]).all() for key in weights)
