import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import shift

from tests.report.dataset.making import described, parts
from tgap.core import Images, ImageSet
from tgap.datasets.base import OWN_PATIENTS
from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.metrics.copies import resemblance_among
from tgap.report.dataset import duplicates
from tgap.report.dataset.doubts import doubts
from tgap.report.dataset.duplicates import (
    ALL_ALIKE,
    ONE_FILM,
    POSES,
    SHARE_OF_FILMS,
    copies_elsewhere,
    duplicates_of,
    near_duplicates,
)
from tgap.report.dataset.neighbours import small_pictures


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


@pytest.mark.parametrize("pose", range(1, len(POSES)))
def test_copies_that_are_mirrored_or_turned_are_found(films: ImageSet, pose: int) -> None:
    """One pose at a time; the words are those of ``POSES``."""
    left_to_right = films.images[:40, :, ::-1] if pose >= 4 else films.images[:40]
    turned = np.rot90(left_to_right, pose % 4, (1, 2))
    order = [*range(600), *range(40)]
    images = np.concatenate([films.images, again(turned)])
    data = dataclasses.replace(
        films.take(np.array(order)), images=images, patients=np.arange(640, dtype=np.int64)
    )
    found = duplicates_of(data, [np.arange(600), np.arange(600, 640)])
    assert found is not None
    assert 76 <= found.posed <= found.alike <= 90
    assert 76 <= found.across <= 80
    back = {1: 3, 3: 1}.get(pose, pose)
    assert {words for *_, words in found.pairs} <= {POSES[pose], POSES[back]}
    told = [str(x) for x in doubts(dataclasses.replace(described(), duplicates=found))]
    assert any(f"{found.posed} of them mirrored or turned), " in text for text in told)
    assert any(re.search(rf" = \S+ \(({POSES[pose]}|{POSES[back]})\)", text) for text in told)


def discs(count: int) -> Images:
    """Bright ellipses, which look alike in all poses."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 64 - 0.5
    made = []
    for _ in range(count):
        wide, high, turn = rng.uniform(0.1, 0.45), rng.uniform(0.1, 0.45), rng.uniform(0, np.pi)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        inside = (along / wide) ** 2 + (across / high) ** 2 < 1
        made.append(60 + 120 * inside + rng.normal(0, 4, x.shape))
    return np.stack(made).clip(0, 255).astype(np.uint8)[..., None]


def test_symmetric_and_near_blank_pictures_are_alike_in_no_more_poses() -> None:
    rng = np.random.default_rng(0)
    blank = (128 + rng.normal(0, 4, (600, 64, 64, 1))).astype(np.uint8)
    for images in (discs(1000), blank):
        pictures, kept = small_pictures(images, np.arange(len(images)))
        assert not near_duplicates(pictures[kept], np.flatnonzero(kept)).poses.any()


def test_oblong_pictures_are_not_turned_by_90_degrees() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(0, 1, (60, 16, 24)).astype(np.float32)
    pictures[30:] = pictures[:30, ::-1, ::-1]
    near = near_duplicates(pictures, np.arange(60))
    assert len(near.pairs) == 60
    assert set(near.poses.tolist()) == {2}


def test_of_many_images_copies_are_found_in_whatever_order(
    films: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every second one, those whose copies stand next to them would lack all copies."""
    monkeypatch.setattr(duplicates, "LOOKED_AT", 600)
    images = np.stack([films.images, films.images[:, :, ::-1]], axis=1).reshape(1200, 64, 64, 1)
    data = films.take(np.arange(600).repeat(2))
    data = dataclasses.replace(data, images=images, patients=np.arange(1200, dtype=np.int64))
    found = duplicates_of(data, [np.arange(600), np.arange(600, 1200)])
    assert found is not None
    assert found.looked_at == 600
    assert 240 <= found.posed <= 360


def test_images_of_different_patients_are_no_duplicates(films: ImageSet) -> None:
    sides = [np.arange(300), np.arange(300, 600)]
    assert duplicates_of(films, sides) is None
    digits = Digits().load()
    assert duplicates_of(digits, [np.arange(2500), np.arange(2500, 5000)]) is None


def parts_before_a_camera() -> Images:
    """One part, moved and lit a little otherwise, half of them with a small defect."""
    rng = np.random.default_rng(0)
    part = np.full((96, 96), 60.0)
    for down, right, high, wide in rng.integers(4, 80, (25, 4)).tolist():
        part[down : down + high // 5, right : right + wide // 5] = rng.integers(90, 240)
    made = []
    for number in range(200):
        image = shift(part, rng.normal(0, 0.7, 2), order=1, mode="nearest")
        if number % 2:
            down, right = rng.integers(10, 80, 2).tolist()
            image[down : down + 4, right : right + 4] += 60
        made.append(image * rng.uniform(0.9, 1.1) + rng.normal(0, 4, image.shape))
    return np.stack(made).clip(0, 255).astype(np.uint8)[..., None]


def test_where_all_are_alike_nothing_is_told_of_films() -> None:
    """Many are as like each other as two films of one person."""
    images = parts_before_a_camera()
    assert (resemblance_among(images, np.arange(200)).similarity > ONE_FILM).mean() > 0.3
    data = dataclasses.replace(
        Digits().load().take(np.arange(200)),
        images=images,
        patients=np.arange(200),
        notes=(OWN_PATIENTS,),
    )
    assert duplicates_of(data, [np.arange(100), np.arange(100, 200)]) is None


def test_of_simple_shapes_few_are_like_another_as_films_are() -> None:
    found = resemblance_among(discs(300), np.arange(300))
    assert 0.02 < (found.similarity > ONE_FILM).mean() < SHARE_OF_FILMS
    assert np.median(found.usual) < ALL_ALIKE


def films_of(persons: int, twice: int) -> ImageSet:
    """Digits of so many persons, of some a second one, moved, of the other label."""
    digits, rng = Digits().load(), np.random.default_rng(0)
    moved = np.roll(digits.images[:twice], 1, axis=2).astype(float)
    moved += rng.integers(0, 20, moved.shape)
    rows = np.array([*range(persons), *range(twice)])
    return dataclasses.replace(
        digits.take(rows),
        images=np.concatenate([digits.images[:persons], moved.clip(0, 255).astype(np.uint8)]),
        labels=np.concatenate([digits.labels[:persons], digits.labels[:twice, ::-1]]),
        patients=np.arange(len(rows)),
        notes=(OWN_PATIENTS,),
    )


@pytest.mark.parametrize(("twice", "told"), [(5, None), (30, 60)])
def test_films_are_told_from_a_tenth_of_the_images_on(twice: int, told: int | None) -> None:
    """Of simple shapes nearly so many resemble another one by chance."""
    found = duplicates_of(films_of(150, twice), [np.arange(150), np.arange(150, 150 + twice)])
    assert (found and found.alike) == told


def test_labels_of_one_persons_films_are_not_disputed() -> None:
    """They may be from other days."""
    found = duplicates_of(films_of(150, 150), [np.arange(150), np.arange(150, 300)])
    assert found is not None
    assert found.alike > 250
    assert found.disputed == 0
    assert found.disputed_pairs == []


def test_equal_images_are_told_of_elsewhere(films: ImageSet) -> None:
    twice = films.take(np.arange(200).repeat(2))
    twice = dataclasses.replace(twice, patients=np.arange(400, dtype=np.int64))
    assert duplicates_of(twice, [np.arange(400)]) is None


def test_copies_in_another_set(films: ImageSet) -> None:
    _, patient = np.unique(films.patients, return_inverse=True)
    ours, others = (films.images[patient % 2 == side] for side in (0, 1))
    assert copies_elsewhere(ours, others) <= 1
    for copies in (ours[:30], ours[:30, :, ::-1]):
        planted = np.concatenate([others, again(copies)])
        assert 28 <= copies_elsewhere(ours, planted) <= 32


def test_few_images() -> None:
    assert described(split=parts(range(30), range(30, 45), range(45, 57))).duplicates is None
