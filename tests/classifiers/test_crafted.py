"""Epochs that are chosen on crafted shifts of held-back images."""

import dataclasses

import numpy as np
import pytest

import tgap
from tgap.classifiers.networks.crafted import FAMILIES, crafted
from tgap.classifiers.small_cnn import SmallCnn
from tgap.core import ConfigError, ImageSet


def films(count: int, channels: int = 1, seed: int = 0) -> ImageSet:
    """Dark and light squares on noise."""
    rng, light = np.random.default_rng(seed), np.arange(count) % 2 == 1
    images = rng.integers(60, 120, (count, 32, 24, channels))
    images[:, 10:20, 8:16] += 60 * light[:, None, None, None]
    return ImageSet(
        images=images.astype(np.uint8),
        labels=np.stack([~light, light], axis=1),
        label_names=("dark", "light"),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count, dtype=np.int64),
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_family_changes_each_image_and_not_what_it_shows(family: str, channels: int) -> None:
    images = films(20, channels).images
    (changed,) = crafted(images, [family], np.random.default_rng(0))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    moved = np.abs(changed.astype(int) - images).reshape(20, -1).mean(axis=1)
    assert (moved > 0.3).all()
    assert len(set(moved.tolist())) > 10, "every image by a strength of its own"
    inside = changed[:, 12:18, 10:14].astype(float).mean(axis=(1, 2, 3))
    inside -= changed.astype(float).mean(axis=(1, 2, 3))
    wrong = (inside[::2] > inside[1::2].mean()).mean() + (inside[1::2] < inside[::2].mean()).mean()
    assert wrong <= 0.2


def test_a_family_is_the_same_beside_others_and_moves_no_stream() -> None:
    images, rng = films(5).images, np.random.default_rng(3)
    before = rng.bit_generator.state
    every = crafted(images, [*FAMILIES], np.random.default_rng(3))
    alone = crafted(images, ["noise"], rng)
    assert (every[[*FAMILIES].index("noise")] == alone[0]).all()
    assert rng.bit_generator.state["state"] == before["state"]


def logged(data: ImageSet, **settings) -> list[dict[str, float]]:
    """What each epoch of a training logs."""
    told: list[dict[str, float]] = []
    classifier = SmallCnn(**{"epochs": 3, "device": "cpu", **settings})
    classifier.fit(data, np.random.default_rng(0), lambda _, values: told.append(values))
    return told


def validation_losses(data: ImageSet, **settings) -> list[float]:
    return [values["validation_loss"] for values in logged(data, **settings)]


def test_training_is_the_same_and_another_epoch_may_be_chosen() -> None:
    plain, shifted = (logged(films(120), validate=name) for name in ("held_back", "shifted"))
    assert [values["loss"] for values in plain] == [values["loss"] for values in shifted]
    assert plain[0]["validation_loss"] != shifted[0]["validation_loss"]


def test_the_loss_is_the_mean_over_families() -> None:
    data = films(80)

    def losses(*families: str) -> list[float]:
        return validation_losses(data, validate="shifted", families=[*families])

    apart = np.array([losses("noise"), losses("blur")])
    assert losses("noise", "blur") == pytest.approx(apart.mean(axis=0), rel=1e-6)


def test_a_shortcut_of_the_training_side_does_not_choose_the_epoch() -> None:
    """A faint grid tells the label of each image held back, and is gone from a blurred one."""
    data = films(200)
    grid = 20 * (np.indices((32, 24)).sum(axis=0) % 2) - 10
    images = np.random.default_rng(1).integers(60, 120, data.images.shape)
    images[1::2] += grid[None, :, :, None]
    trap = dataclasses.replace(data, images=images.astype(np.uint8))
    assert min(validation_losses(trap, epochs=8)) < 0.3
    gone = {"validate": "shifted", "families": ["blur", "pixelate"]}
    assert min(validation_losses(trap, epochs=8, **gone)) > 0.5


def test_classifiers_of_before_keep_their_keys() -> None:
    assert "validate" not in SmallCnn().identity()
    assert SmallCnn(validate="shifted").identity()["families"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["classifier.validate=real"], "validate must be one of held_back, shifted, got 'real'"),
        (
            ["classifier.validate=shifted", "classifier.families=[rain]"],
            "families must be some of brightness, contrast,",
        ),
        (["classifier.families=[noise]"], "families are of validate=shifted"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        tgap.compose(*words)
    assert said in str(error.value)
