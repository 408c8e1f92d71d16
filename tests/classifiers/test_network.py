import dataclasses
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.conftest import fitted, image_set, two_kinds
from tgap.classifiers.networks.moving import shifted
from tgap.classifiers.networks.network import Network
from tgap.classifiers.networks.schedules import OneCycle, Plateau
from tgap.core import ConfigError, ContractError, TgapError


@dataclasses.dataclass(kw_only=True)
class Toy(Network):
    """Mean brightness of the two halves, and a linear layer."""

    smallest = 4

    def _network(self, channels, labels):
        pool = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d((2, 1)), torch.nn.Flatten())
        return torch.nn.Sequential(
            OrderedDict(features=pool, head=torch.nn.Linear(2 * channels, labels))
        )

    def _scaling(self, images):
        return {
            "input_mean": np.full(3, 100, dtype=np.float32),
            "input_std": np.array([50, 60, 70], dtype=np.float32),
        }


@dataclasses.dataclass(kw_only=True)
class Patient(Toy):
    """Stops early."""

    def _schedule(self, optimizer, steps):
        return Plateau(optimizer, patience=2)


@dataclasses.dataclass(kw_only=True)
class Normed(Toy):
    """Batch norm on single values, which a batch of one image breaks."""

    def _network(self, channels, labels):
        network = super()._network(channels, labels)
        network.features.add_module("norm", torch.nn.BatchNorm1d(2 * channels))
        return network


@dataclasses.dataclass(kw_only=True)
class Picky(Toy):
    """Takes images of one size only."""

    def _network(self, channels, labels):
        features = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 5))
        return torch.nn.Sequential(OrderedDict(features=features, head=torch.nn.Linear(5, labels)))


def halves(count, size=8):
    """Grey images whose upper or lower half is brighter."""
    rng = np.random.default_rng(0)
    upper = rng.random(count) < 0.5
    upper[:2] = [True, False]
    pixels = rng.integers(0, 100, (count, size, size, 1)).astype(np.uint8)
    pixels[upper, : size // 2] += 100
    pixels[~upper, size // 2 :] += 100
    return image_set(pixels, two_kinds(upper), ("upper", "lower"))


def fit(cls, train, **fields):
    return fitted(cls(device="cpu", **fields), train)


def test_grey_images_fill_the_networks_channels_and_are_normalised():
    train = halves(20)
    classifier, weights, _ = fit(Toy, train, epochs=1)
    means = train.images.reshape(20, 2, -1).mean(axis=2)  # of the two halves
    expected = np.stack([(means - 100) / std for std in (50, 60, 70)], axis=1).reshape(20, 6)
    np.testing.assert_allclose(classifier.features(weights, train.images), expected, atol=1e-5)


def test_it_learns_from_images_that_stay_on_disk(tmp_path):
    train = halves(100)
    on_disk = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, train.images.shape)
    on_disk[:] = train.images
    on_disk.flush()
    mapped = dataclasses.replace(train, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    classifier, weights, _ = fit(Toy, mapped, learning_rate=0.05)
    scores = classifier.score(weights, mapped.images)
    assert ((scores > 0.5) == train.labels).all()
    _, same, _ = fit(Toy, train, learning_rate=0.05)
    assert all((weights[name] == same[name]).all() for name in same)


def test_what_an_epoch_logs():
    _, _, logged = fit(Toy, halves(40), epochs=3, learning_rate=0.02)
    for values in logged:
        assert 0 <= values["data_seconds"] <= values["seconds"]
        assert 0 < values["learning_rate"] <= 0.02
    assert len(logged) == 3


def test_training_stops_when_the_loss_stops_falling():
    """A learning rate too small to change a weight leaves the loss as it was."""
    _, _, logged = fit(Patient, halves(40), epochs=50, learning_rate=1e-30, weight_decay=0)
    assert len(logged) == 3
    assert len({values["validation_loss"] for values in logged}) == 1
    # what is logged is the rate that the epoch was trained with
    rates = [values["learning_rate"] for values in logged]
    np.testing.assert_allclose(rates, [1e-30, 1e-30, 1e-31])


@given(
    losses=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=12),
    patience=st.integers(1, 4),
)
def test_plateau_is_torchs_without_patience_and_stops(losses, patience):
    ours, theirs = (torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1) for _ in range(2))
    schedule = Plateau(ours, patience)
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.1, patience=0, threshold=0, eps=0
    )
    for number, loss in enumerate(losses, start=1):
        schedule.after_batch()
        goes_on = schedule.after_epoch(loss)
        expected.step(loss)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"])
        since_best = number - 1 - losses.index(min(losses[:number]))
        assert goes_on == (since_best < patience)
        if not goes_on:
            break


def test_one_cycle_rises_to_its_peak_and_falls():
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    schedule, rates = OneCycle(optimizer, 0.1, steps=20), []
    for step in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < 19:
            schedule.after_batch()
    peak = int(np.argmax(rates))
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert 0 < peak < 19
    assert np.all(np.diff(rates[: peak + 1]) > 0)
    assert np.all(np.diff(rates[peak:]) < 0)
    assert rates[-1] < 1e-4
    assert schedule.after_epoch(1.0)


@pytest.mark.parametrize("count", [3, 4, 6])
def test_no_batch_is_a_single_image(count):
    classifier, weights, _ = fit(Normed, halves(count), epochs=1, batch_size=2, validation=0.1)
    assert np.isfinite(classifier.score(weights, halves(count).images)).all()


def test_a_single_training_image_of_a_label_is_refused():
    with pytest.raises(ContractError, match="no image can be held back for validation: every"):
        fit(Toy, halves(2))


def test_images_too_small_are_told_before_training():
    assert Toy().check_images((4, 9, 1)) == []
    assert Toy().check_images((9, 3, 1)) == ["toy needs images of at least 4 x 4, got (9, 3)"]
    with pytest.raises(ConfigError, match=r"toy needs images of at least 4 x 4, got \(2, 2\)"):
        fit(Toy, halves(10, size=2))


def test_a_network_that_cannot_take_the_images_is_told():
    with pytest.raises(ContractError, match=r"picky cannot take images of shape \(8, 8, 1\): "):
        fit(Picky, halves(10))


@settings(max_examples=30)
@given(most=st.integers(0, 3), seed=st.integers(0, 99))
def test_shifts_move_whole_images_and_repeat_edges(most, seed):
    images = np.random.default_rng(seed).integers(0, 256, (4, 6, 7, 3)).astype(np.uint8)
    moved = shifted(torch.from_numpy(images), most, np.random.default_rng(seed)).numpy()
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    for n in range(4):
        candidates = [
            padded[n, down : down + 6, right : right + 7]
            for down in range(2 * most + 1)
            for right in range(2 * most + 1)
        ]
        assert any((moved[n] == candidate).all() for candidate in candidates)


def test_shifts_reach_both_ends():
    images = np.zeros((200, 9, 9, 1), dtype=np.uint8)
    images[:, 4, 4] = 1
    moved = shifted(torch.from_numpy(images), 2, np.random.default_rng(0)).numpy()
    rows, columns = np.nonzero(moved)[1:3]
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}


def upside_down(train):
    """What was called upper is called lower."""
    return dataclasses.replace(train, labels=train.labels[:, ::-1])


@pytest.mark.parametrize("count", [2, 3, 9, 200])
def test_what_was_learnt_is_kept_where_few_images_agree_with_it(count):
    classifier, weights, _ = fit(Toy, halves(100), learning_rate=0.05)
    adapted = classifier.adapt(
        weights, halves(300).take(np.arange(count)), np.random.default_rng(0)
    )
    scores = classifier.score(adapted, halves(300).images)
    assert ((scores > 0.5) == halves(300).labels).all()
    assert (adapted["input_mean"] == weights["input_mean"]).all()


def test_enough_images_overrule_what_was_learnt():
    _, weights, _ = fit(Toy, halves(100), learning_rate=0.05)
    other = upside_down(halves(600))
    quick = Toy(device="cpu", learning_rate=1.0)
    adapted = quick.adapt(weights, other, np.random.default_rng(0))
    before, after = (
        np.mean((quick.score(w, other.images) > 0.5) == other.labels) for w in (weights, adapted)
    )
    assert before == 0
    assert after > 0.9


@settings(max_examples=100)
@given(
    count=st.integers(2, 5000), epochs=st.integers(1, 40), batch_size=st.sampled_from([4, 16, 64])
)
def test_how_few_images_are_divided(count, epochs, batch_size):
    batches, passes = Toy(epochs=epochs, batch_size=batch_size)._adapting(count)
    assert passes >= epochs
    assert batches * passes >= 30
    assert count // batches >= 2  # no batch is a single image
    assert -(-count // batches) <= batch_size
    whole = -(-count // batch_size)
    if whole * epochs >= 200:  # enough images for as many steps without small batches
        assert (batches, passes) == (whole, epochs)
    elif batches > whole:
        assert count // batches >= 4
        assert (batches - 1) * epochs < 200


def test_adapting_is_gentle_and_its_rate_rises_and_falls():
    classifier, weights, _ = fit(Toy, halves(40), epochs=2, learning_rate=0.1)
    logged = []
    classifier.adapt(
        weights, halves(6), np.random.default_rng(0), lambda epoch, values: logged.append(values)
    )
    rates = [values["learning_rate"] for values in logged]
    assert len(rates) == 30  # one batch a pass
    assert max(rates) == pytest.approx(0.01, rel=0.05)
    assert rates[0] < max(rates) > rates[-1]


def test_batch_norm_follows_the_new_images():
    classifier, weights, _ = fit(Normed, halves(40), epochs=2)
    darker = dataclasses.replace(halves(8), images=halves(8).images // 4)
    adapted = classifier.adapt(weights, darker, np.random.default_rng(0))
    assert (
        adapted["features.norm.running_mean"] < weights["features.norm.running_mean"] - 0.5
    ).all()


def test_a_single_image_cannot_be_adapted_to():
    classifier, weights, _ = fit(Toy, halves(10), epochs=1)
    with pytest.raises(ContractError, match="toy needs at least 2 images to adapt to, got 1: "):
        classifier.adapt(weights, halves(10).take(np.arange(1)), np.random.default_rng(0))


@dataclasses.dataclass(kw_only=True)
class Broken(Toy):
    """Augmentation that makes pixels infinite."""

    def _augmented(self, batch, rng):
        return batch.to(torch.float32) * torch.inf


def test_adapting_that_diverges_is_told():
    _, weights, _ = fit(Toy, halves(10), epochs=1)
    with pytest.raises(TgapError, match=r"broken diverged while it adapted: .* learning_rate"):
        Broken(device="cpu").adapt(weights, halves(10), np.random.default_rng(0))
