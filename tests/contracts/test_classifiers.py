"""What every classifier must keep, whichever it is."""

import dataclasses

import numpy as np
import pytest
import torch

from tgap import registry
from tgap.classifiers.base import Classifier
from tgap.errors import ContractError
from tgap.types import ImageSet

GROUP = "classifier"
KNOWN = {"small_cnn"}

each_classifier = pytest.mark.parametrize("name", registry.names(GROUP))


def make(stem: str, **fields: object) -> Classifier:
    return registry.component_class(GROUP, stem)(device="cpu", **fields)


def noisy(count: int = 40, channels: int = 1, labels: int = 2) -> ImageSet:
    rng = np.random.default_rng(0)
    truth = rng.random((count, labels)) < 0.5
    truth[:2] = [[True] * labels, [False] * labels]
    pixels = rng.integers(0, 256, (count, 32, 32, channels), dtype=np.uint8)
    pixels.setflags(write=False)
    return ImageSet(
        pixels, truth, tuple(f"label{i}" for i in range(labels)), np.zeros((count, 0), dtype=bool),
        (), np.arange(count, dtype=np.int64) // 2,
    )  # fmt: skip


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
def test_scores_are_one_probability_per_label(name, channels, labels):
    train = noisy(channels=channels, labels=labels)
    classifier = make(name)
    weights = classifier.fit(train, np.random.default_rng(0))
    scores = classifier.score(weights, train.images)
    assert scores.shape == (40, labels)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


@each_classifier
def test_weights_are_arrays_that_a_file_can_hold(name, tmp_path):
    from safetensors.numpy import load_file, save_file

    train, classifier = noisy(), make(name)
    weights = classifier.fit(train, np.random.default_rng(0))
    save_file(weights, tmp_path / "weights.safetensors")
    read = load_file(tmp_path / "weights.safetensors")
    scores = make(name).score(read, train.images)
    assert (scores == classifier.score(weights, train.images)).all()


@each_classifier
def test_the_same_seed_gives_the_same_scores_and_no_state_moves(name):
    train, classifier = noisy(), make(name)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    fields = dataclasses.asdict(classifier)
    scores = [
        classifier.score(classifier.fit(train, np.random.default_rng(0)), train.images)
        for _ in range(2)
    ]
    assert (scores[0] == scores[1]).all()
    assert dataclasses.asdict(classifier) == fields
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


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
