import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tgap.core import ContractError, Images
from tgap.generators.controls.jitter import KINDS, _resampled, jittered

SEEDS = range(400)


def locked(images: Images) -> Images:
    images.setflags(write=False)
    return images


@pytest.fixture(scope="module")
def pictures() -> Images:
    """Smooth random pictures, so that interpolation changes them little."""
    noise = np.random.default_rng(0).normal(size=(400, 32, 32, 1))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return locked((60 + 120 * smooth).astype(np.uint8))


def dots(value: int = 255) -> Images:
    """A square of 4 x 4 in the middle of each of 400 images."""
    images = np.zeros((len(SEEDS), 32, 32, 1), np.uint8)
    images[:, 14:18, 14:18] = value
    return locked(images)


def test_strength_0_leaves_every_pixel(pictures):
    kinds = [kind for kind in KINDS if kind != "flip"]
    assert (jittered(pictures, 0, SEEDS, kinds) == pictures).all()


@given(
    seed=st.integers(0, 2**63 - 1),
    strength=st.floats(0, 1),
    kinds=st.lists(st.sampled_from(KINDS), unique=True),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
)
@settings(max_examples=60)
def test_any_image_keeps_its_shape_and_follows_from_its_seed_alone(seed, strength, kinds, shape):
    images = locked(np.random.default_rng(seed).integers(0, 256, (3, *shape), dtype=np.uint8))
    seeds = [seed, 1, 2]
    changed = jittered(images, strength, seeds, kinds)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert (jittered(images[:1], strength, seeds[:1], kinds) == changed[:1]).all()
    assert (jittered(images[::-1], strength, seeds[::-1], kinds)[::-1] == changed).all()


def test_light_shifts_move_an_image_by_up_to_2_of_32_pixels():
    changed = jittered(dots(), 0.3, SEEDS, ["shift"]).astype(float)
    moved = [np.array(ndimage.center_of_mass(image[..., 0])) - 15.5 for image in changed]
    assert np.abs(moved).max() <= 2
    assert np.max(moved, axis=0).min() > 1.7
    assert np.min(moved, axis=0).max() < -1.7


def test_light_zooms_are_within_6_percent_and_about_the_centre():
    bar = np.zeros((len(SEEDS), 101, 3, 1), np.uint8)
    bar[:, 25:76] = 255  # 51 pixels
    changed = jittered(bar, 0.3, SEEDS, ["zoom"]).astype(float)[:, :, 1, 0] / 255
    lengths = changed.sum(axis=1) / 51
    assert 0.935 < lengths.min() < 0.95
    assert 1.05 < lengths.max() < 1.065
    assert changed @ np.arange(101) / changed.sum(axis=1) == pytest.approx(50, abs=0.02)


def test_resampling_is_scipys_linear_interpolation_with_repeated_edges(pictures):
    shift, zoom = np.array([2.7, -1.25, 0.0]), np.array([1.1, 0.85, 1.0])
    found = _resampled(pictures[:3].astype(np.float32), 1, shift, zoom)
    for image, by, factor, ours in zip(pictures[:3, ..., 0], shift, zoom, found, strict=True):
        offset = 15.5 - (15.5 + by) / factor
        expected = ndimage.affine_transform(
            image.astype(float), (1 / factor, 1), (offset, 0), order=1, mode="nearest"
        )
        np.testing.assert_allclose(ours[..., 0], expected, atol=1e-3)


def test_nothing_comes_in_from_the_opposite_edge():
    images = np.zeros((len(SEEDS), 32, 32, 1), np.uint8)
    images[:, :, :4] = 255
    changed = jittered(images, 1, SEEDS, ["shift", "zoom"])
    assert changed[:, :, -1].max() == 0
    assert changed[:, :, 0].max() == 255


def test_light_contrast_keeps_to_20_percent_of_deviation_and_of_brightness(pictures):
    changed = jittered(pictures, 0.3, SEEDS, ["contrast"]).astype(float)
    before, after = pictures.mean(axis=(1, 2, 3)), changed.mean(axis=(1, 2, 3))
    brighter = after / before
    assert 0.795 < brighter.min() < 0.83
    assert 1.17 < brighter.max() < 1.205
    deviations = changed.std(axis=(1, 2, 3)) / pictures.std(axis=(1, 2, 3)) / brighter
    assert 0.79 < deviations.min() < 0.83
    assert 1.17 < deviations.max() < 1.21


def test_grey_levels_stop_at_black_and_white_instead_of_wrapping():
    halves = np.zeros((len(SEEDS), 8, 8, 1), np.uint8)
    halves[:, :4] = 255
    changed = jittered(locked(halves), 1, SEEDS, ["contrast", "noise"]).astype(int)
    # Contrast falls to a third at most and brightness too, so the halves keep their order.
    assert (changed[:, :4].mean(axis=(1, 2, 3)) > changed[:, 4:].mean(axis=(1, 2, 3))).all()
    assert changed.max() == 255
    assert changed.min() == 0


def test_light_noise_deviates_by_up_to_3_percent_of_the_grey_levels():
    grey = np.full((len(SEEDS), 32, 32, 1), 128, np.uint8)
    deviations = jittered(grey, 0.3, SEEDS, ["noise"]).std(axis=(1, 2, 3))
    assert 7 < deviations.max() < 0.032 * 255
    assert deviations.min() < 1


def test_every_second_image_is_mirrored_whatever_the_strength(pictures):
    changed = jittered(pictures, 0, SEEDS, ["flip"])
    mirrored = (changed == pictures[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (changed == pictures).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 160 < mirrored.sum() < 240


def test_a_kind_does_not_depend_on_which_others_there_are(pictures):
    flipped = jittered(pictures, 0.3, SEEDS, ["flip"])
    both = jittered(pictures, 0.3, SEEDS, ["contrast", "flip"])
    assert (both == jittered(flipped, 0.3, SEEDS, ["contrast"])).all()
    assert (both == jittered(pictures, 0.3, SEEDS, ["flip", "contrast"])).all()


def test_large_images_are_done_in_batches_with_the_same_result(pictures, monkeypatch):
    whole = jittered(pictures, 0.5, SEEDS, KINDS)
    monkeypatch.setattr("tgap.generators.controls.jitter.BATCH_PIXELS", 3000)
    assert (jittered(pictures, 0.5, SEEDS, KINDS) == whole).all()


def test_no_images_are_no_problem():
    assert jittered(np.empty((0, 8, 8, 1), np.uint8), 0.3, [], KINDS).shape == (0, 8, 8, 1)


def test_what_cannot_be_done_is_refused(pictures):
    with pytest.raises(ContractError, match=r"kinds of jitter are shift, .*flip; got spin, wave"):
        jittered(pictures, 0.3, SEEDS, ["wave", "shift", "spin"])
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(ContractError, match=r"strength of jitter must be in \[0, 1\], got"):
            jittered(pictures, strength, SEEDS)
    with pytest.raises(ContractError, match="400 images need as many seeds, got 3"):
        jittered(pictures, 0.3, [1, 2, 3])
