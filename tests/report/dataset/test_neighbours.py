"""Images that resemble those next to them."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.report.dataset.making import SPLIT, Source, dataset, described
from tgap.core import Images, ImageSet
from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.report.dataset import neighbours
from tgap.report.dataset.describing import Description, describe
from tgap.report.dataset.doubts import doubts
from tgap.report.dataset.neighbours import neighbours_of, neighbours_of_patients

RNG = np.random.default_rng(0)


def scenes(count: int, side: int = 32) -> Images:
    """Smooth pictures, no two of one thing."""
    coarse = RNG.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
    return coarse.repeat(side // 4, axis=1).repeat(side // 4, axis=2)


def noisy(images: Images) -> Images:
    noise = RNG.normal(0, 12, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


def data_of(images: Images, names: Sequence[str], labels: int = 2) -> ImageSet:
    """Each label has one half of the images, in their order."""
    holds = np.eye(labels, dtype=bool)[np.arange(len(images)) * labels // len(images)]
    return ImageSet(
        images=images,
        labels=holds,
        label_names=tuple("abc"[:labels]),
        findings=np.zeros((len(images), 0), dtype=bool),
        finding_names=(),
        patients=np.arange(len(images), dtype=np.int64),
        metadata={"file": np.array(names)},
    )


def numbered(images: Images) -> ImageSet:
    return data_of(images, [f"x/{n}.png" for n in range(len(images))])


def edited() -> ImageSet:
    """Half of them once more, darker, under another name."""
    images = scenes(40)
    names = [f"IMG_{n:04d}.jpg" for n in range(40)]
    names += [f"IMG_E{n:04d}.jpg" for n in range(0, 40, 2)]
    return data_of(np.concatenate([images, noisy(images[::2] // 2)]), names, labels=1)


ONE_ANOTHER: dict[str, Callable[[], ImageSet]] = {
    "pairs": lambda: numbered(noisy(scenes(30).repeat(2, axis=0))),
    "bursts": lambda: numbered(noisy(scenes(12).repeat(5, axis=0))),
    "negatives": lambda: numbered(
        np.stack([x for one in scenes(30) for x in (one, 255 - one)]).astype(np.uint8)
    ),
    "edited": edited,
}


@pytest.mark.parametrize("how", ONE_ANOTHER)
def test_images_that_resemble_those_next_to_them_are_found(how: str) -> None:
    near = neighbours_of(ONE_ANOTHER[how]())
    assert near is not None
    assert near.alike > 0.3 * near.looked_at
    assert len(near.pairs) == 3


def test_pairs_are_named() -> None:
    near = neighbours_of(edited())
    assert near is not None
    assert (near.looked_at, near.alike, near.expected) == (60, pytest.approx(42, abs=3), 2)
    assert all(other == one.replace("_", "_E") for one, other in map(sorted, near.pairs))


def test_independent_images_are_not_told_of() -> None:
    for count in range(10, 100, 3):
        assert neighbours_of(numbered(scenes(count))) is None
        assert neighbours_of(numbered(RNG.integers(0, 256, (count, 8, 8, 3), np.uint8))) is None


def test_frames_in_no_order_are_not_told_of() -> None:
    images = noisy(scenes(40).repeat(3, axis=0))
    assert neighbours_of(numbered(images[RNG.permutation(len(images))])) is None


def test_kinds_of_a_label_are_no_frames() -> None:
    """Names that begin with a sub-class of a dozen images each, or more."""
    kinds = scenes(10).repeat(12, axis=0) // 2 + scenes(120) // 2
    assert neighbours_of(numbered(noisy(kinds))) is None
    digits = Digits().load()
    for order in (np.arange(5000), np.argsort(digits.findings.argmax(axis=1), kind="stable")):
        names = [f"img_{n:04d}.png" for n in range(5000)]
        assert neighbours_of(data_of(digits.images[order], names, labels=2)) is None


def clip(scene: Images, frames: int) -> list[Images]:
    """A picture that is moved by up to 4 of 64 pixels, in other light each time."""
    made = []
    for _ in range(frames):
        down, right = RNG.integers(0, 9, 2)
        frame = scene[down : down + 64, right : right + 64] * RNG.uniform(0.7, 1.1)
        made.append(frame + RNG.uniform(-15, 30) + RNG.normal(0, 6, frame.shape))
    return [frame.clip(0, 255).astype(np.uint8) for frame in made]


def test_clips_one_after_another_are_found() -> None:
    frames = [frame for scene in scenes(8, 72) for frame in clip(scene, 25)]
    images = np.stack(frames)
    near = neighbours_of(numbered(images))
    assert near is not None
    assert near.clips
    assert near.looked_at == 198
    assert near.alike > 0.8 * near.looked_at
    assert 20 <= near.expected <= 70
    told = [str(x) for x in doubts(dataclasses.replace(described(), neighbours=near))]
    assert any("far more like the one before them, by their names" in text for text in told)
    assert any("as frames of clips, one clip after another, are" in text for text in told)
    assert neighbours_of(numbered(images[RNG.permutation(200)])) is None
    films = PhantomXray(images=400).load()
    one_each = np.unique(films.patients, return_index=True)[1]
    assert neighbours_of(numbered(films.images[one_each])) is None


def test_a_clip_of_each_label_is_not_told_of() -> None:
    """All of a label are alike then, however far apart."""
    frames = [frame for scene in scenes(2, 72) for frame in clip(scene, 40)]
    assert neighbours_of(numbered(np.stack(frames))) is None


def test_flat_images_and_few_of_a_label_are_left_out() -> None:
    assert neighbours_of(numbered(np.full((60, 8, 8, 1), 9, np.uint8))) is None
    assert neighbours_of(numbered(noisy(scenes(4).repeat(2, axis=0)))) is None


def test_many_images_are_looked_at_in_runs_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noisy(scenes(2500, 64).repeat(2, axis=0))
    start = time.process_time()
    near = neighbours_of(numbered(images))
    assert time.process_time() - start < 3  # a third of it; whatever else the machine does
    assert near is not None
    assert near.looked_at == neighbours.LOOKED_AT
    assert near.alike > 0.9 * near.looked_at


def test_they_are_told_where_patients_are_not_known() -> None:
    images = noisy(scenes(30, 8).repeat(2, axis=0))
    data = dataclasses.replace(
        dataset(), images=images, labels=np.eye(2, dtype=bool)[np.arange(60) // 30]
    )
    assert describe(Source(), data, SPLIT).neighbours is None
    counts = describe(Source(), dataclasses.replace(data, notes={"own_patients": True}), SPLIT)
    assert Description.from_json(counts.as_json()) == counts
    told = [str(doubt) for doubt in doubts(counts)]
    assert "60 of 60 images resemble one next to them, by their names" in told[1]
    assert "(by chance 4 would)" in told[1]
    assert ".png = " in told[1]


def visits(alike: bool) -> ImageSet:
    """Forty patients of two images; each two are one person, or nobody is."""
    pictures = noisy(scenes(20 if alike else 40).repeat(4 if alike else 2, axis=0))
    order = RNG.permutation(80)
    data = numbered(pictures[order])
    return dataclasses.replace(
        data,
        labels=(order[:, None] // 40 == np.arange(2)),
        patients=np.asarray(order // 2, dtype=np.int64),
    )


def test_patients_that_resemble_the_next_ones_are_told() -> None:
    found = neighbours_of_patients(visits(alike=True))
    assert found is not None
    assert (found.looked_at, found.expected) == (40, 4)
    assert found.alike >= 36
    counts = describe(Source(), visits(alike=True), SPLIT)
    told = [str(doubt) for doubt in doubts(counts) if "resemble" in str(doubt)]
    assert "patients resemble one next to them, by their names, more than any other" in told[0]
    assert "visits, slides, sides" in told[0]


def test_patients_of_whom_nobody_is_another_one_are_not_told_of() -> None:
    assert neighbours_of_patients(visits(alike=False)) is None


def test_images_that_are_their_own_patients_are_not_compared_as_patients() -> None:
    assert neighbours_of_patients(numbered(noisy(scenes(30).repeat(2, axis=0)))) is None
