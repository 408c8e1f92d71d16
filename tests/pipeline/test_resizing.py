"""Images are reduced as datasets reduce theirs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tgap.datasets.reading.decoding import decode
from tgap.pipeline.resizing import resized


def noise(*shape: int) -> np.ndarray:
    made = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made.setflags(write=False)
    return made


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_reduced_as_datasets_reduce_theirs(tmp_path: Path, channels: int) -> None:
    images = noise(3, 50, 50, channels)
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0] if channels == 1 else image).save(tmp_path / f"{number}.png")
    for color, wanted in (("grey", 1), ("rgb", 3)):
        files = [decode(tmp_path / f"{number}.png", 20, color) for number in (2, 0)]
        got = resized(images, 20, wanted, np.array([2, 0]))
        assert np.array_equal(got, np.stack(files))


def test_images_of_the_right_size_stay_as_they_are() -> None:
    images = noise(4, 16, 16, 3)
    assert np.array_equal(resized(images, None, 3), images)
    assert np.array_equal(resized(images, 16, 3), images)
