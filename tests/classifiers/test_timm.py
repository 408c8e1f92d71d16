import sys

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

from tests.classifiers.conftest import image_set, two_kinds
from tgap.classifiers.timm import Timm
from tgap.core import ConfigError, DataError, isolated


def squares(count, size=32, seed=0):
    """A bright square on the left or on the right."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 100, (count, size, size, 1)).astype(np.uint8)
    left = rng.random(count) < 0.5
    left[:2] = [True, False]
    pixels[left, 8:24, 2:14] += 120
    pixels[~left, 8:24, 18:30] += 120
    return image_set(pixels, two_kinds(left), ("left", "right"))


@pytest.fixture(scope="module")
def published():
    with isolated(0):
        return timm.create_model("test_resnet", pretrained=False).eval()


def loaded(**fields):
    classifier = Timm(device="cpu", **fields)
    with isolated(1):
        network = classifier._network(3, 2)
        classifier._load_pretrained(network)
    return network.eval()


def same_features(network, model):
    pixels = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = model.forward_head(model.forward_features(pixels), pre_logits=True)
        return torch.equal(network.features(pixels), theirs)


def test_the_library_is_not_shadowed_by_this_file():
    assert "site-packages" in timm.__file__
    assert sys.modules["tgap.classifiers.timm"].__file__ != timm.__file__


def test_it_learns_what_can_be_learnt():
    classifier = Timm(model="test_resnet", flip=False, epochs=6, batch_size=16, device="cpu")
    weights = classifier.fit(squares(120), np.random.default_rng(0))
    test = squares(60, seed=1)
    assert roc_auc_score(test.labels, classifier.score(weights, test.images)) > 0.95


@pytest.mark.parametrize(
    "model", ["test_vit", "test_efficientnet", "test_convnext", "test_mambaout"]
)
def test_any_kind_of_model(model):
    classifier = Timm(model=model, image_size=160, epochs=1, device="cpu")
    train = squares(6)
    weights = classifier.fit(train, np.random.default_rng(0))
    assert classifier.score(weights, train.images).shape == (6, 2)


def test_a_file_of_weights_makes_timms_network(published, tmp_path):
    torch.save(published.state_dict(), tmp_path / "weights.pth")
    save_file(published.state_dict(), tmp_path / "weights.safetensors")
    for name in ("weights.pth", "weights.safetensors"):
        network = loaded(model="test_resnet", weights=str(tmp_path / name))
        assert same_features(network, published)
    assert not same_features(loaded(model="test_resnet"), published)


def test_weights_of_another_model_are_refused(published, tmp_path):
    torch.save(published.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(DataError, match=r"do not fit timm: missing: .* unexpected: "):
        loaded(model="test_vit", weights=str(tmp_path / "weights.pth"))


def test_published_weights_come_from_timm(published, monkeypatch):
    calls, create = [], timm.create_model

    def create_model(name, pretrained, **options):
        calls.append(pretrained)
        return published if pretrained else create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", create_model)
    assert same_features(loaded(model="test_resnet", weights="hub"), published)
    assert calls == [False, True]


def test_a_failed_download_is_told_and_nothing_random_taken(monkeypatch, tmp_path):
    create = timm.create_model

    def create_model(name, pretrained, **options):
        if pretrained:
            raise OSError("no network")
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", create_model)
    with pytest.raises(
        DataError,
        match=r"'test_resnet' cannot be loaded \(no network\); set "
        r"classifier\.weights to a file .* classifier\.weights=null",
    ):
        loaded(model="test_resnet", weights="hub")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet19", r"model 'resnet19' is none of timm's: .*did you mean .*resnet18"),
        ("resnet18.none", r"Invalid pretrained tag \(none\) for resnet18"),
        ("hf-hub:timm/resnet18", "is none of timm's"),
    ],
)
def test_an_unknown_model_is_told_before_training(model, message):
    with pytest.raises(ConfigError, match=message):
        Timm(model=model, device="cpu").fit(squares(6), np.random.default_rng(0))
    assert Timm(model="resnet18.a1_in1k").check_images((32, 32, 1)) == []


def test_a_size_that_the_model_cannot_take_is_told():
    with pytest.raises(
        ConfigError,
        match=r"cannot take images of 32 x 32: .*224.*; set "
        r"classifier\.image_size",
    ):
        Timm(model="vit_tiny_patch16_224", device="cpu").fit(squares(6), np.random.default_rng(0))


def test_normalisation_is_the_models_own():
    classifier = Timm(model="resnet18")
    scaling = classifier._scaling(squares(2).images)
    config = timm.get_pretrained_cfg("resnet18")
    np.testing.assert_allclose(scaling["input_mean"], np.array(config.mean) * 255, rtol=1e-6)
    np.testing.assert_allclose(scaling["input_std"], np.array(config.std) * 255, rtol=1e-6)
