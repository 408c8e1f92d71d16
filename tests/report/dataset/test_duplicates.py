import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tests.report.dataset.making import described, parts
from tgap.core import Images, ImageSet
from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.report.dataset.doubts import doubts
from tgap.report.dataset.duplicates import copies_elsewhere, duplicates_of


@pytest.fixture(scope="module")
def films() -> ImageSet:
    return PhantomXray(images=600).load()


def again(images: Images) -> Images:
    """Compressed anew at two thirds of the size, brighter, and enlarged again."""
    made = []
    for image in images[..., 0]:
        with io.BytesIO() as file:
            small = Image.fromarray(image).resize((44, 44), Image.Resampling.BILINEAR)
            small.point(lambda level: level * 0.8 + 30).save(file, "JPEG", quality=70)
            made.append(Image.open(file).resize((64, 64), Image.Resampling.BILINEAR))
    return np.stack([np.asarray(one) for one in made])[..., None]


def test_films_of_one_patient_under_other_names_are_found(films: ImageSet) -> None:
    order = [*range(600), *range(40)]
    twice = films.take(np.array(order))
    images = np.concatenate([films.images, again(films.images[:40])])
    twice = dataclasses.replace(twice, images=images, patients=np.arange(640, dtype=np.int64))
    found = duplicates_of(twice, [np.arange(600), np.arange(600, 640)])
    assert found is not None
    assert 76 <= found.alike <= 90
    assert 76 <= found.across <= 80
    assert found.looked_at == 640
    counts = dataclasses.replace(described(), duplicates=found)
    assert any("nearly equal one of another patient" in str(doubt) for doubt in doubts(counts))
    known = dataclasses.replace(twice, patients=np.array([n % 600 for n in range(640)]))
    assert duplicates_of(known, [np.arange(600), np.arange(600, 640)]) is None


def test_images_of_different_patients_are_no_duplicates(films: ImageSet) -> None:
    sides = [np.arange(300), np.arange(300, 600)]
    assert duplicates_of(films, sides) is None
    digits = Digits().load()
    assert duplicates_of(digits, [np.arange(2500), np.arange(2500, 5000)]) is None


def test_equal_images_are_told_of_elsewhere(films: ImageSet) -> None:
    twice = films.take(np.arange(200).repeat(2))
    twice = dataclasses.replace(twice, patients=np.arange(400, dtype=np.int64))
    assert duplicates_of(twice, [np.arange(400)]) is None


def test_copies_in_another_set(films: ImageSet) -> None:
    _, patient = np.unique(films.patients, return_inverse=True)
    ours, others = (films.images[patient % 2 == side] for side in (0, 1))
    assert copies_elsewhere(ours, others) <= 1
    planted = np.concatenate([others, again(ours[:30])])
    assert 28 <= copies_elsewhere(ours, planted) <= 32


def test_few_images() -> None:
    assert described(split=parts(range(30), range(30, 45), range(45, 57))).duplicates is None
