"""What is told of images once they are read, whatever they were read from."""

import numpy as np
import pytest

from tgap.core import DataError, ImageSet
from tgap.datasets.reading.outcome import look_at

NOISE = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)


def told(images: np.ndarray) -> dict[str, str]:
    count = len(images)
    data = ImageSet(
        images=images,
        labels=np.arange(count)[:, None] % 2 == np.arange(2),
        label_names=("cat", "dog"),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count),
    )
    return look_at(data, "pets", "do this")


def test_images_as_they_should_be_are_not_told_of() -> None:
    assert told(NOISE) == {}
    assert told(np.where(NOISE > 127, 255, 0).astype(np.uint8)) == {}
    assert told(np.zeros((9, 8, 8, 1), np.uint8)) == {}  # too few to say anything


def test_one_picture_is_refused() -> None:
    with pytest.raises(DataError, match=r"images of dataset 'pets' are all one .*; do this$"):
        told(NOISE[[0] * 40])


@pytest.mark.parametrize(("add", "look"), [(0, "black"), (100, "flat")])
def test_levels_that_span_little_are_refused(add: int, look: str) -> None:
    few = (NOISE // 9 + add).astype(np.uint8)  # 0 to 28
    with pytest.raises(DataError, match=rf"are {look}: all levels lie .* {add} and {add + 28}, of"):
        told(few)
    assert list(told((NOISE // 4 + add).astype(np.uint8))) == ["dim"]


def test_flat_images_are_counted_by_label() -> None:
    images = NOISE.copy()
    images[:6:2] = 7
    images[1] = NOISE[1] // 20
    found = told(images)["flat"]
    assert found.startswith("4 of 40 images looked at are black or flat")
    assert "3 of a single level: 3 of 20 of 'cat', 1 of 20 of 'dog'" in found


def test_a_label_of_one_picture_is_told() -> None:
    images = NOISE.copy()
    images[::2] = NOISE[0]
    assert told(images) == {
        "one_picture": "all images looked at of label cat are one and the same picture"
    }


def test_of_many_images_some_are_looked_at() -> None:
    many = np.broadcast_to(NOISE[:1], (10**6, 8, 8, 1))  # 64 MB that are never made
    with pytest.raises(DataError, match="all one and the same picture"):
        told(many)
