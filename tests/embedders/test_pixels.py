import numpy as np
import pytest
from PIL import Image

from tgap.embedders.pixels import Pixels

RNG = np.random.default_rng(0)


def test_small_grey_images_are_their_pixels() -> None:
    images = RNG.integers(0, 256, (5, 12, 16, 1), dtype=np.uint8)
    expected = images.reshape(5, -1).astype(np.float32) / 255
    assert np.array_equal(Pixels(batch_size=2).embed(images), expected)


@pytest.mark.parametrize(("color", "mode", "channels"), [("grey", "L", 1), ("rgb", "RGB", 3)])
def test_larger_images_are_reduced_as_pillow_does_it(color: str, mode: str, channels: int) -> None:
    images = RNG.integers(0, 256, (3, 30, 40, 3), dtype=np.uint8)
    vectors = Pixels(size=20, color=color).embed(images)
    assert vectors.shape == (3, 15 * 20 * channels)
    small = Image.fromarray(images[1]).convert(mode).resize((20, 15), Image.Resampling.BICUBIC)
    assert np.array_equal(vectors[1], np.asarray(small, np.float32).ravel() / 255)


def test_rgb_of_a_grey_image_repeats_it() -> None:
    images = RNG.integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    rgb, grey = (Pixels(color=color).embed(images) for color in ("rgb", "grey"))
    assert np.array_equal(rgb.reshape(2, 64, 3), np.repeat(grey[:, :, None], 3, axis=2))


def test_no_images() -> None:
    assert len(Pixels().embed(np.zeros((0, 8, 8, 1), np.uint8))) == 0
