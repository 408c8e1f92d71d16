"""The dataset, and the same phantoms as files in NIH's layout."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tgap.core import ConfigError, DataError, ImageSet
from tgap.datasets.phantom_xray import PhantomXray
from tgap.datasets.phantoms import writing
from tgap.datasets.phantoms.factors import FINDINGS, draw_factors
from tgap.datasets.phantoms.picture import draw
from tgap.datasets.phantoms.writing import read_factors, write_nih
from tgap.datasets.reading.decoding import decode

COUNT, SIZE, SEED = 120, 32, 4


@pytest.fixture(scope="module")
def phantoms() -> ImageSet:
    return PhantomXray(images=COUNT, size=SIZE, seed=SEED).load()


@pytest.fixture(scope="module")
def nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantoms") / "nih"
    write_nih(out, COUNT, SIZE, SEED)
    return out


def table(nih: Path) -> list[dict[str, str]]:
    with (nih / "Data_Entry_2017_v2020.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_follow_from_the_findings(phantoms: ImageSet) -> None:
    assert phantoms.images.shape == (COUNT, SIZE, SIZE, 1)
    assert phantoms.label_names == ("no_finding", "unhealthy")
    assert phantoms.finding_names == FINDINGS
    assert len(FINDINGS) == 14
    unhealthy = phantoms.findings.any(axis=1)
    assert np.array_equal(phantoms.labels, np.stack([~unhealthy, unhealthy], axis=1))
    assert PhantomXray().domain == "chest X-ray"


def test_metadata_hold_all_factors_but_no_bookkeeping(phantoms: ImageSet) -> None:
    expected = set(draw_factors(1, 0).columns) - {"seed", "image", "patient", "official_test"}
    assert set(phantoms.metadata) == expected | {"file"}
    assert set(phantoms.metadata["view"]) == {"PA", "AP"}
    assert set(phantoms.metadata["sex"]) == {"M", "F"}
    severity = phantoms.metadata["effusion_severity"]
    assert np.array_equal(severity > 0, phantoms.findings[:, FINDINGS.index("Effusion")])


def test_official_test_set_is_patient_disjoint(phantoms: ImageSet) -> None:
    test = phantoms.official_test
    assert test is not None
    assert 0 < test.sum() < COUNT
    assert not set(phantoms.patients[test]) & set(phantoms.patients[~test])


def test_the_first_of_more_are_the_same(phantoms: ImageSet) -> None:
    fewer = PhantomXray(images=60, size=SIZE, seed=SEED).load()
    for name in ("images", "labels", "findings", "patients", "official_test"):
        assert np.array_equal(getattr(fewer, name), getattr(phantoms, name)[:60]), name
    other = PhantomXray(images=60, size=SIZE, seed=SEED + 1).load()
    assert not np.array_equal(other.images, fewer.images)


def test_images_go_into_the_array_that_is_given() -> None:
    given = np.zeros((50, 16, 16, 1), np.uint8)
    data = PhantomXray(images=50, size=16).load(lambda shape: given)
    assert data.images is given
    assert given.any(axis=(1, 2, 3)).all()


def test_wrong_numbers_are_told_together() -> None:
    with pytest.raises(
        ConfigError, match=r"(?s)size must be at least 16.*images must be at least 50"
    ):
        PhantomXray(images=1, size=2)


def test_table_has_nih_header_and_values(nih: Path) -> None:
    first = (nih / "Data_Entry_2017_v2020.csv").read_text().partition("\n")[0]
    assert first == (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    )
    rows = table(nih)
    assert len(rows) == COUNT
    assert len(rows[0]) == 11
    factors = draw_factors(COUNT, SEED)
    for i, row in enumerate(rows):
        present = [name for name, has in zip(FINDINGS, factors.findings()[i], strict=True) if has]
        assert row["Finding Labels"].split("|") == (present or ["No Finding"])
        patient, visit = int(row["Patient ID"]), int(row["Follow-up #"])
        assert row["Image Index"] == f"{patient:08d}_{visit:03d}.png"
        assert (row["Patient Gender"], row["View Position"]) == (
            factors.columns["sex"][i],
            factors.columns["view"][i],
        )
        assert int(row["Patient Age"]) == factors.columns["age"][i]
        assert row["OriginalImage[Width"] == row["Height]"] == str(SIZE)


def test_lists_are_disjoint_by_patient_and_complete(nih: Path, phantoms: ImageSet) -> None:
    train, test = (
        (nih / name).read_text().splitlines() for name in ("train_val_list.txt", "test_list.txt")
    )
    assert sorted(train + test) == sorted(row["Image Index"] for row in table(nih))
    assert not {name[:8] for name in train} & {name[:8] for name in test}
    assert phantoms.official_test is not None
    assert test == phantoms.metadata["file"][phantoms.official_test].tolist()


def test_pictures_are_the_dataset(nih: Path, phantoms: ImageSet) -> None:
    for image, name in zip(phantoms.images, phantoms.metadata["file"], strict=True):
        assert np.array_equal(decode(nih / "images_001" / "images" / name, SIZE), image), name


def test_nothing_else_is_written(nih: Path) -> None:
    assert {path.name for path in nih.iterdir()} == {
        "images_001",
        "Data_Entry_2017_v2020.csv",
        "train_val_list.txt",
        "test_list.txt",
        "README.txt",
        "factors.csv",
    }
    assert [path.name for path in nih.parent.iterdir()] == ["nih"]
    assert "drawn, not taken" in (nih / "README.txt").read_text()


def test_factors_can_be_read_back_and_drawn_again(nih: Path, phantoms: ImageSet) -> None:
    factors = read_factors(nih / "factors.csv")
    drawn = draw_factors(COUNT, SEED)
    assert list(factors.columns) == list(drawn.columns)
    for name, column in drawn.columns.items():
        assert np.array_equal(factors.columns[name], column), name
    assert np.array_equal(draw(factors.row(77), SIZE), phantoms.images[77])


def test_folders_hold_as_many_as_nih_at_full_scale() -> None:
    folders = [writing._image_folder(i) for i in range(112_120)]
    names, counts = np.unique(folders, return_counts=True)
    assert names.tolist() == [f"images_{k:03d}" for k in range(1, 13)]
    assert counts.tolist() == [4_999, *[10_000] * 10, 7_121]


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="is not an empty folder; give the name of a new one"):
        write_nih(tmp_path, 3, 16)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    write_nih(tmp_path / "out", 3, 16)
    (tmp_path / "empty").mkdir()
    write_nih(tmp_path / "empty", 3, 16, workers=1)
    for path in (tmp_path / "out").rglob("*.*"):
        twin = tmp_path / "empty" / path.relative_to(tmp_path / "out")
        assert path.read_bytes() == twin.read_bytes()


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_save", full)
    with pytest.raises(DataError, match="No space left on device; free space there"):
        write_nih(tmp_path / "out", 3, 16)
    assert list(tmp_path.iterdir()) == []


def test_numbers_out_of_range_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)images must be 1 to 112120, got 0.*got 8.*got -1"):
        write_nih(tmp_path / "out", 0, 8, -1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["Image Index,age\nx.png,old\n", "age\n1\n"])
def test_another_table_is_no_table_of_factors(tmp_path: Path, text: str) -> None:
    path = tmp_path / "factors.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="is no table of phantoms' factors"):
        read_factors(path)
