import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.dataset.making import dataset, described, parts
from tgap.datasets.base import Original
from tgap.report.dataset import pixels
from tgap.report.dataset.describing import Description
from tgap.report.dataset.sheet import contact_sheet


def test_counts_are_those_of_a_loop_over_images() -> None:
    found = described()
    for side, rows in (("all", range(60)), ("pool", range(30)), ("real_test", range(45, 57))):
        assert found.labels["odd"][side] == sum(row % 2 for row in rows)
        assert found.label_patients["odd"][side] == len({row // 3 for row in rows if row % 2})
        assert found.findings["third"][side] == sum(row % 3 == 0 for row in rows)
        assert found.metadata["view"]["AP"][side] == sum(row < 20 for row in rows)
    assert found.metadata["bold"].keys() == {"0", "1"}
    assert found.metadata["age"] == {"min": 0.0, "median": 30.0, "max": 59.0, "unknown": 1}
    assert found.metadata["site"] == {"different": 60}
    assert found.patients == 20
    assert found.images_per_patient == {"min": 3.0, "median": 3.0, "mean": 3.0, "max": 3.0}
    assert found.sides["pool"] == {"images": 30, "patients": 10}
    assert found.sides["none"] == {"images": 3}
    assert found.examples["even"] == ["0.png", "28.png", "58.png"]


def test_what_is_kept_as_json_is_read_back(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for originals in (None, [Original(tmp_path / "a.png", "crop")] * 60):
        found = described(originals=originals)
        assert Description.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_nothing_shared_is_no_overlap() -> None:
    found = described()
    assert set(found.shared_patients.values()) == set(found.shared_images.values()) == {0}


def test_patients_and_images_on_two_sides_are_found() -> None:
    images = dataset().images.copy()
    images[46] = images[2]
    images[33] = images[34] = images[4]
    found = described(images, parts(range(31), range(31, 45), range(45, 57)))
    assert found.shared_patients["pool, real_train"] == 1
    assert found.shared_images == {
        "pool, real_train": 1,
        "pool, real_test": 1,
        "real_train, real_test": 0,
    }


def test_copies_are_named_and_those_under_other_labels_apart() -> None:
    images = dataset().images.copy()
    images[46] = images[2]
    images[33] = images[34] = images[4]
    found = described(images).copies
    assert found.copies == 3
    assert found.pairs == [["33.png", "4.png"], ["34.png", "4.png"], ["46.png", "2.png"]]
    assert found.disputed == 1
    assert found.disputed_pairs == [["33.png", "odd", "4.png", "even"]]


def test_levels_are_counted_by_label() -> None:
    images = np.zeros((60, 8, 8, 1), np.uint8)
    images[1::2, :4] = 255
    images[3] = 7
    found = described(images).levels
    assert found.counts["label even"][0] == 30 * 64
    assert (found.counts["label odd"][255], found.counts["label odd"][7]) == (29 * 32, 64)
    assert sum(found.counts["all"]) == 60 * 64
    assert found.used == 1  # the 30 even images have one level, and one of the odd ones
    assert (found.empty, found.empty_named[:3]) == (31, ["0.png", "2.png", "3.png"])


def test_many_images_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "LOOKED_AT", 7)
    found = described().levels
    assert found.looked_at == 7
    assert sum(found.counts["all"]) == 7 * 64


def test_the_contact_sheet_has_a_row_for_each_label_and_finding(tmp_path: Path) -> None:
    contact_sheet(dataset(), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 16 * 64
        assert 3 * 64 < sheet.height < 4 * 64 + 50


def test_files_are_told_as_their_headers_say(tmp_path: Path) -> None:
    """Of the first label files of 4 x 4 pixels, of the second 30 x 20, one of which is gone."""
    originals = []
    for row in range(60):
        file = tmp_path / f"{row}.png"
        if row % 2:
            Image.new("RGB", (30, 20)).save(file)
        elif row:
            Image.new("L", (4, 4)).save(file)
        originals.append(Original(file, "crop"))
    found = described(originals=originals).files
    assert found is not None
    assert (found.looked_at, found.unread) == (60, 1)
    assert found.kinds == {"PNG, 8 bit, colour": 30, "PNG, 8 bit, grey": 29}
    assert (found.widths, found.ratios) == ([4.0, 30.0, 30.0], [1.0, 1.5, 1.5])
    assert found.sizes == [[4, 4, 29], [30, 20, 30]]
    assert found.sides == {"even": 4.0, "odd": 20.0}
    assert (found.enlarged, found.enlarged_named[0]) == (29, "2.png")
    assert (found.misfits, found.misfits_named[0], found.cropped) == (30, "1.png", True)


@pytest.mark.parametrize(("fit", "misfits"), [("crop", 60), ("squash", 60), ("pad", 0)])
def test_padding_fits_every_file(tmp_path: Path, fit: str, misfits: int) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    found = described(originals=[Original(tmp_path / "a.png", fit)] * 60).files
    assert found is not None
    assert (found.misfits, found.cropped) == (misfits, fit == "crop")


def test_without_files_none_are_told() -> None:
    assert described().files is None
