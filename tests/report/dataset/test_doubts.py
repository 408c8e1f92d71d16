import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.dataset.making import SPLIT, dataset, described, in_order, parts
from tgap.datasets.base import Original
from tgap.report.dataset.describing import Description
from tgap.report.dataset.doubts import doubts


def told(counts: Description) -> str:
    return "\n".join(map(str, doubts(counts)))


def test_nothing_is_said_of_data_in_order() -> None:
    assert doubts(in_order()) == []


def test_overlaps_come_first() -> None:
    images = dataset().images.copy()
    images[46] = images[2]
    images[33] = images[34] = images[4]
    found = doubts(described(images, parts(range(31), range(31, 45), range(45, 57))))
    starts = [
        "1 patients stand on two sides: 1 on pool, real_train. .*protocol=clean",
        "2 images stand on two sides, pixel by pixel the same: 1 on pool, real_train; 1 on pool, r",
        "1 images equal another one that has other labels: 33.png .odd. = 4.png .even.[.] One of",
        "3 images are exact copies of another: 33.png = 4.png, 34.png = 4.png, 46.png = 2.png[.] ",
    ]
    assert all(re.match(start, str(doubt)) for start, doubt in zip(starts, found, strict=False))


def test_what_is_told_of_patients_comes_first_and_once() -> None:
    notes = {"own_patients": True, "warned": ["column 'x' is odd"]}
    counts = dataclasses.replace(described(split=SPLIT), notes=notes)
    found = list(map(str, doubts(counts)))
    assert found[0].startswith("Each of the 60 images counts as its own patient: if several")
    assert found[1] == "Column 'x' is odd."
    assert sum("own patient" in text for text in found) == 1


def test_labels_of_few_images_are_named_with_the_side() -> None:
    assert "even (15 in pool, 8 in real_train, 6 in real_test), odd (15 in pool" in told(
        described(split=SPLIT)
    )


def test_empty_images_are_named() -> None:
    images = np.full((60, 8, 8, 1), 100, np.uint8)
    text = "60 of 60 images are near-empty.*: 0.png, 1.png, 2.png and 57 more[.] Look at"
    assert re.search(text, told(described(images)))


def test_what_was_noted_when_files_were_read_is_told_once() -> None:
    notes = {"few_levels": "4 images are nearly black; dataset.window=0:4095 shows them"}
    notes |= {"flat": "2 of 60 images are flat", "unlisted": 3}
    images = np.full((60, 8, 8, 1), 100, np.uint8)
    text = told(dataclasses.replace(described(images), notes=notes))
    assert "4 images are nearly black; dataset.window=0:4095 shows them." in text
    assert "2 of 60 images are flat: 0.png, 1.png, 2.png and 57 more. Look at" in text
    assert "unlisted" not in text
    assert "near-empty" not in text
    assert "Half of the images" not in text


def test_drawings_of_two_levels_are_told_of() -> None:
    images = 255 * np.random.default_rng(0).integers(0, 2, (60, 8, 8, 1), dtype=np.uint8)
    text = told(described(images))
    assert "Half of the images have 2 different grey levels or fewer, of 256" in text
    assert "near-empty" not in text


def told_of_files(
    tmp_path: Path, even: tuple[int, int], odd: tuple[int, int], fit: str = "crop"
) -> str:
    """Of one file for all images of a label, as wide and high."""
    Image.new("L", even).save(tmp_path / "even.png")
    Image.new("L", odd).save(tmp_path / "odd.png")
    files = [Original(tmp_path / f"{label}.png", fit) for label in ("even", "odd")] * 30
    counts = dataclasses.replace(in_order(), files=described(originals=files).files)
    return told(counts)


def test_files_that_fit_are_not_told_of(tmp_path: Path) -> None:
    assert told_of_files(tmp_path, (8, 8), (10, 9)) == ""


@pytest.mark.parametrize(
    ("even", "odd", "fit", "text"),
    [
        ((5, 5), (7, 7), "crop", "30 of 60 files are enlarged more than 1.5 times to 8 pixels: 0"),
        ((9, 13), (9, 9), "crop", "30 of 60 files lose more than 25% .* dataset.fit=pad"),
        ((9, 13), (9, 9), "squash", "30 of 60 files are stretched by more than 33% .*fit=crop"),
        ((9, 9), (19, 19), "crop", "Files of label even have 9 pixels .* label odd 19 .medians"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, even: tuple[int, int], odd: tuple[int, int], fit: str, text: str
) -> None:
    found = told_of_files(tmp_path, even, odd, fit)
    assert re.search(text, found)
    assert found.count("\n") == ("as wide as high" in found)  # shapes by label are told too


def test_a_few_files_of_another_size(tmp_path: Path) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "small.png")
    Image.new("L", (50, 50)).save(tmp_path / "large.png")
    files = [Original(tmp_path / f"{'small' if n < 5 else 'large'}.png", "crop") for n in range(60)]
    found = told(dataclasses.replace(in_order(), files=described(originals=files).files))
    assert found.startswith("The files' shorter sides go from 10 to 50 pixels")


def test_kinds_that_tell_the_label_are_told_of(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "0.png")
    Image.new("L", (9, 9)).save(tmp_path / "1.jpg")

    def told_with(odd_pngs: int) -> str:
        names = ["0.png" if n % 2 == 0 or n // 2 < odd_pngs else "1.jpg" for n in range(60)]
        files = [Original(tmp_path / name, "crop") for name in names]
        return told(dataclasses.replace(in_order(), files=described(originals=files).files))

    assert told_with(3).startswith(
        "Files of label even are PNG, 8 bit, grey, those of label odd JPEG, 8 bit, grey. What"
    )
    assert told_with(10) == ""
