import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tgap.cli.main import command
from tgap.core import ImageSet, Split
from tgap.report.dataset import contact_sheet, describe, show_description, warnings


def dataset(n: int = 60) -> ImageSet:
    rng = np.random.default_rng(0)
    return ImageSet(
        images=rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8),
        labels=np.eye(2, dtype=bool)[np.arange(n) % 2],
        label_names=("even", "odd"),
        findings=(np.arange(n) % 3 == 0)[:, None],
        finding_names=("third",),
        patients=np.arange(n, dtype=np.int64) // 3,
        metadata={
            "view": np.where(np.arange(n) < 20, "AP", "PA"),
            "age": np.where(np.arange(n) == 5, np.nan, np.arange(n, dtype=np.float64)),
            "site": np.array([f"site {i}" for i in range(n)]),
            "bold": (np.arange(n) % 2).astype(np.float64),
        },
        notes={"excluded": {"unreadable": ["a.png", "b.png"]}, "unlisted": 3},
    )


def parts(pool: range, train: range, test: range) -> Split:
    return Split(*(np.array(part, dtype=np.int64) for part in (pool, train, test)))


SPLIT = parts(range(30), range(30, 45), range(45, 57))


def test_counts_are_those_of_a_loop_over_images() -> None:
    data = dataset()
    found = describe(data, SPLIT)
    for side, rows in (("all", range(60)), ("pool", range(30)), ("real_test", range(45, 57))):
        assert found.labels["odd"][side] == sum(row % 2 for row in rows)
        assert found.findings["third"][side] == sum(row % 3 == 0 for row in rows)
        assert found.metadata["view"]["AP"][side] == sum(row < 20 for row in rows)
    assert found.metadata["bold"].keys() == {"0", "1"}
    assert found.metadata["age"] == {"min": 0.0, "median": 30.0, "max": 59.0, "unknown": 1}
    assert found.metadata["site"] == {"different": 60}
    assert found.patients == 20
    assert found.images_per_patient == {"min": 3.0, "median": 3.0, "mean": 3.0, "max": 3.0}
    assert found.sides["pool"] == {"images": 30, "patients": 10}
    assert found.sides["none"] == {"images": 3}
    assert json.loads(json.dumps(found.as_json())) == found.as_json()


def test_nothing_shared_is_no_warning() -> None:
    found = describe(dataset(), SPLIT)
    assert set(found.shared_patients.values()) == set(found.shared_images.values()) == {0}
    assert warnings(found) == []


def test_patients_and_images_on_two_sides_are_found() -> None:
    data = dataset()
    images = data.images.copy()
    images[46] = images[2]
    images[33] = images[34] = images[4]
    found = describe(
        dataclasses.replace(data, images=images), parts(range(31), range(31, 45), range(45, 57))
    )
    assert found.shared_patients["pool, real_train"] == 1
    assert found.shared_images == {
        "pool, real_train": 1,
        "pool, real_test": 1,
        "real_train, real_test": 0,
    }
    assert found.duplicates == 3
    assert len(warnings(found)) == 4


def test_it_is_shown_in_words() -> None:
    console = Console(width=100, record=True, highlight=False)
    show_description(describe(dataset(), SPLIT), console)
    text = console.export_text()
    assert "60 images of 8 x 8, grey, 20 patients" in text
    assert "label odd" in text
    assert "excluded: unreadable 2 (a.png, b.png)" in text
    assert "unlisted: 3" in text
    assert "age: 0 to 59, median 30, unknown for 1" in text


def test_the_contact_sheet_has_a_row_for_each_label_and_finding(tmp_path: Path) -> None:
    contact_sheet(dataset(), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 16 * 64
        assert 3 * 64 < sheet.height < 4 * 64 + 50


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["data", "pool_size=200", "train_size=100", "test_size=100"]) == 0
    text = capsys.readouterr().out
    assert "5,000 images of 32 x 32, grey, 5,000 patients" in text
    assert "label even" in text
    sheet = text.rpartition("contact sheet: ")[2].strip()
    assert (tmp_path / sheet).is_file()
    assert command(["data", "dataset=digitz"]) == 2
    assert "did you mean 'digits'" in capsys.readouterr().err
