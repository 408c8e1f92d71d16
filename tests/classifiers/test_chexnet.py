import os
import pickle
import re
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torchvision import transforms
from torchvision.models import DenseNet121_Weights, densenet121

from tests.classifiers.conftest import image_set
from tgap.classifiers import chexnet
from tgap.classifiers.chexnet import Chexnet
from tgap.classifiers.networks.schedules import Plateau
from tgap.core import ConfigError, DataError, isolated


def findings(count=5, size=(32, 32), labels=14):
    rng = np.random.default_rng(0)
    truth = rng.random((count, labels)) < 0.3
    truth[:2] = [[True] * labels, [False] * labels]
    pixels = rng.integers(0, 256, (count, *size, 1), dtype=np.uint8)
    return image_set(pixels, truth, tuple(f"finding{i}" for i in range(labels)))


@pytest.fixture(scope="module")
def published():
    """A DenseNet-121 of torchvision's own, standing for the published one."""
    with isolated(0):
        model = densenet121().eval()
        for buffer in model.features.buffers():
            if buffer.dtype == torch.float32:
                buffer += torch.rand_like(buffer)
    return model


def old_names(state):
    """The names in torchvision's published file, which is older than batch norm's counters."""
    return {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): array
        for key, array in state.items()
        if "num_batches_tracked" not in key
    }


def loaded(weights):
    classifier = Chexnet(weights=str(weights) if weights is not None else None, device="cpu")
    with isolated(1):
        network = classifier._network(3, 2)
        classifier._load_pretrained(network)
    return network.eval()


def same_features(network, model):
    pixels = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    head, model.classifier = model.classifier, torch.nn.Identity()
    with torch.no_grad():
        ours, theirs = network.features(pixels), model(pixels)
    model.classifier = head
    return torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", ["old.pth", "new.pt", "new.safetensors"])
def test_weights_of_torchvision_make_torchvisions_network(kind, published, tmp_path):
    state = published.state_dict()
    state = old_names(state) if kind.startswith("old") else state
    assert any("norm.1" in key for key in state) == kind.startswith("old")
    save = save_file if kind.endswith(".safetensors") else torch.save
    save(state, tmp_path / kind)
    assert same_features(loaded(tmp_path / kind), published)
    assert not same_features(loaded(None), published)


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(chexnet, "why_not", lambda url: None)


def test_imagenet_is_torchvisions_published_file(network, published, monkeypatch):
    calls = []

    def get_state_dict(self, **options):
        calls.append((self, options["check_hash"]))
        return old_names(published.state_dict())

    monkeypatch.setattr(DenseNet121_Weights, "get_state_dict", get_state_dict)
    assert Chexnet().weights == "imagenet"
    assert same_features(loaded("imagenet"), published)
    assert calls == [(DenseNet121_Weights.IMAGENET1K_V1, True)]
    assert DenseNet121_Weights.IMAGENET1K_V1.url == chexnet.PUBLISHED


@pytest.mark.parametrize("error", [URLError("no network"), RuntimeError("invalid hash value")])
def test_a_failed_download_is_told_and_nothing_random_taken(network, error, monkeypatch):
    def get_state_dict(self, **options):
        raise error

    monkeypatch.setattr(DenseNet121_Weights, "get_state_dict", get_state_dict)
    with pytest.raises(
        DataError,
        match=r"(?s)cannot be downloaded .*densenet121-a639ec97\.pth.*"
        r"classifier\.weights to the file.*classifier\.weights=null",
    ):
        Chexnet(device="cpu").fit(findings(), np.random.default_rng(0))


def test_weights_that_do_not_fit_are_told_by_name(published, tmp_path):
    state = published.state_dict()
    del state["features.conv0.weight"]
    state["features.extra.weight"] = torch.zeros(1)
    state["features.norm5.weight"] = torch.zeros(7)
    torch.save(state, tmp_path / "odd.pth")
    (problem,) = Chexnet(weights=str(tmp_path / "odd.pth"), device="cpu").check()
    assert "odd.pth' do not fit chexnet: missing: conv0.weight" in problem
    with pytest.raises(
        DataError,
        match=r"odd\.pth' do not fit chexnet: missing: conv0\.weight; "
        r"unexpected: extra\.weight; of another shape: norm5\.weight is \(7,\) "
        r"instead of \(1024,\)",
    ):
        loaded(tmp_path / "odd.pth")


def test_many_wrong_names_are_told_briefly(tmp_path):
    torch.save({"a.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"missing: conv0\.weight, .* and \d+ more; unexpected: a"):
        loaded(tmp_path / "other.pth")


def test_files_that_could_run_code_are_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    (tmp_path / "code.pth").write_bytes(pickle.dumps({"conv0.weight": Harm()}, protocol=2))
    torch.save({"conv0.weight": Harm()}, tmp_path / "code.pt")
    for name in ("code.pth", "code.pt"):
        with pytest.raises(DataError, match="hold more than arrays, which could run code"):
            loaded(tmp_path / name)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_broken_files_are_told(name, tmp_path):
    (tmp_path / name).write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match=rf"cannot read the weights .*{name}"):
        loaded(tmp_path / name)


def beginning_with(start, state):
    return {f"{start}{name}": array for name, array in state.items()}


WRAPPED = {
    "data_parallel.pth": lambda state: beginning_with("module.", state),
    "compiled.pth": lambda state: beginning_with("_orig_mod.module.", state),
    "features_alone.pth": lambda state: {
        name.removeprefix("features."): array
        for name, array in state.items()
        if name.startswith("features.")
    },
    "lightning.ckpt": lambda state: {
        "epoch": 3,
        "state_dict": beginning_with("model.", state) | {"loss.pos_weight": torch.ones(14)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
        "hyper_parameters": {"lr": 0.1},
    },
    "chexnet.pth.tar": lambda state: {
        "epoch": 3,
        "state_dict": {
            name.replace("classifier.", "classifier.0."): array
            for name, array in beginning_with("module.densenet121.", old_names(state)).items()
        },
        "best_loss": 0.5,
        "optimizer": {"state": {}, "param_groups": []},
    },
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_wraps_a_network_is_left_out(name, published, tmp_path):
    torch.save(WRAPPED[name](published.state_dict()), tmp_path / name)
    assert Chexnet(weights=str(tmp_path / name), device="cpu").check() == []
    assert same_features(loaded(tmp_path / name), published)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"state_dict": {}, "epoch": 3}, "must be a state dict, .* got entries state_dict, epoch;"),
        ([torch.ones(2)], "must be a state dict, .* got list; save it by"),
        (
            {"student": {"a": torch.ones(2)}, "teacher": {"a": torch.ones(2)}},
            r"hold 2 networks \(student, teacher\); save .*\['student'\], other_path\)",
        ),
    ],
)
def test_a_checkpoint_without_one_network_is_told(content, told, tmp_path):
    torch.save(content, tmp_path / "checkpoint.pt")
    (problem,) = Chexnet(weights=str(tmp_path / "checkpoint.pt"), device="cpu").check()
    assert re.search(told, problem)


def test_two_networks_in_one_state_dict_are_told(published, tmp_path):
    state = published.state_dict()
    twice = beginning_with("model.", state) | beginning_with("ema.", state)
    torch.save(twice, tmp_path / "two.pth")
    (problem,) = Chexnet(weights=str(tmp_path / "two.pth"), device="cpu").check()
    assert "hold two such networks, named 'model.features.*' and 'ema.features.*'" in problem


def test_numbers_that_are_none_are_told(published, tmp_path):
    state = published.state_dict() | {"features.norm5.weight": torch.full((1024,), np.nan)}
    torch.save(state, tmp_path / "nan.pth")
    (problem,) = Chexnet(weights=str(tmp_path / "nan.pth"), device="cpu").check()
    assert "do not fit chexnet: with NaN or infinite numbers: norm5.weight; give a" in problem


def test_a_missing_or_unknown_file_is_told_by_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist: none\.pth; give 'imagenet'.* null"):
        Chexnet(weights="none.pth")
    (tmp_path / "weights.h5").touch()
    with pytest.raises(ConfigError, match=r"unknown kind: .*weights\.h5; .*\.safetensors"):
        Chexnet(weights=str(tmp_path / "weights.h5"))


def test_a_file_counts_by_its_content(tmp_path):
    for name, content in (("a.pth", b"1"), ("b.pth", b"1"), ("c.pth", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (Chexnet(weights=str(tmp_path / f"{name}.pth")).identity() for name in "abc")
    assert a == b
    assert a["weights"] != c["weights"]
    assert Chexnet().identity()["weights"] == "imagenet"
    gone = Chexnet(weights=str(tmp_path / "a.pth"))
    (tmp_path / "a.pth").unlink()
    with pytest.raises(DataError, match=r"cannot read the weights .*a\.pth"):
        gone.identity()


@pytest.mark.parametrize("size", [(32, 32), (97, 70)])
def test_any_size_and_fourteen_findings(size):
    train = findings(size=size)
    classifier = Chexnet(weights=None, epochs=1, batch_size=3, device="cpu")
    weights = classifier.fit(train, np.random.default_rng(0))
    assert classifier.score(weights, train.images).shape == (5, 14)
    assert classifier.features(weights, train.images).shape == (5, 1024)


def test_images_too_small_are_refused_unless_resized():
    classifier = Chexnet(weights=None, epochs=1, device="cpu")
    with pytest.raises(ConfigError, match=r"at least 32 x 32, got \(31, 40\); set image_size"):
        classifier.fit(findings(size=(31, 40)), np.random.default_rng(0))
    resizing = Chexnet(weights=None, epochs=1, device="cpu", image_size=32)
    weights = resizing.fit(findings(size=(31, 40)), np.random.default_rng(0))
    assert resizing.score(weights, findings(size=(31, 40)).images).shape == (5, 14)


@pytest.mark.parametrize("channels", [1, 3])
def test_input_is_torchvisions_preprocessing(channels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 40, 50, channels), dtype=np.uint8)
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = torch.stack(
        [normalize(transforms.functional.to_tensor(image).expand(3, -1, -1)) for image in images]
    )
    classifier = Chexnet(weights=None)
    got = classifier._input(torch.from_numpy(images), classifier._scaling(images))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [33, 80])
def test_resizing_is_pillows_up_to_rounding(side):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    classifier = Chexnet(weights=None, image_size=side)
    scaling = {"input_mean": np.zeros(3, np.float32), "input_std": np.ones(3, np.float32)}
    got = classifier._input(torch.from_numpy(image[None]), scaling)[0].permute(1, 2, 0).numpy()
    expected = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(got, np.asarray(expected), atol=1.01)


def test_half_of_the_images_are_mirrored():
    images = torch.arange(200 * 2 * 3).reshape(200, 2, 3, 1)
    classifier = Chexnet(weights=None)
    got = classifier._augmented(images, np.random.default_rng(0))
    same = (got == images).flatten(1).all(1)
    mirrored = (got == images.flip(2)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 60 < mirrored.sum() < 140
    still = Chexnet(weights=None, flip=False)._augmented(images, np.random.default_rng(0))
    assert torch.equal(still, images)


def test_the_published_recipe():
    classifier = Chexnet()
    optimizer = classifier._optimizer(torch.nn.Linear(1, 1))
    group = optimizer.param_groups[0]
    assert type(optimizer) is torch.optim.Adam
    assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-3, (0.9, 0.999), 0)
    assert isinstance(classifier._schedule(optimizer, 10), Plateau)
    assert classifier.batch_size == 16


def test_it_learns_what_can_be_learnt():
    def halves(count, seed):
        rng = np.random.default_rng(seed)
        upper = rng.permutation(count) % 2 == 0
        pixels = rng.integers(0, 100, (count, 32, 32, 1)).astype(np.uint8)
        pixels[upper, :16] += 120
        pixels[~upper, 16:] += 120
        return image_set(pixels, upper[:, None], ("upper",))

    classifier = Chexnet(weights=None, epochs=1, batch_size=4, device="cpu")
    weights = classifier.fit(halves(48, seed=0), np.random.default_rng(0))
    test = halves(20, seed=1)
    assert roc_auc_score(test.labels, classifier.score(weights, test.images)) > 0.95
