"""Which images are one patient's."""

import logging
import re

import numpy as np
import pytest

from tests.corpus.making import put_folders, put_table
from tests.datasets.test_dicom import content
from tgap.composition.compose import compose_run, hydra_ready
from tgap.core import ConfigError, DataError
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.reading.patients import guessed

ROWS = [f"{label}/{n}.png,{label},{label}{n // 4}" for label in ("cat", "dog") for n in range(12)]


def tabled(folder, column, rows=ROWS, **fields):
    put_folders(folder, count=12)
    put_table(folder, [f"file,label,{column}", *rows])
    return ImageFolder(path=str(folder), table="labels.csv", size=16, **fields)


@pytest.mark.parametrize("column", ["patient", "Patient ID", "PatientID", "subject-id", "CASE_ID"])
def test_a_column_that_is_called_so_names_patients(column, tmp_path, caplog):
    dataset = tabled(tmp_path, column)
    data = dataset.listed()
    assert len(np.unique(data.patients)) == 6
    assert column not in data.metadata
    assert f"column '{column}' is taken for patients" in caplog.text
    assert data.notes["patients"] in caplog.text
    named = ImageFolder(path=str(tmp_path), table="labels.csv", size=16, patient_column=column)
    assert dataset.identity() == named.identity()
    own = ImageFolder(path=str(tmp_path), table="labels.csv", size=16, patient_column="")
    assert len(np.unique(own.listed().patients)) == 24
    assert own.identity()["patient_column"] is None


@pytest.mark.parametrize("column", ["patient_age", "id", "showcase"])
def test_other_columns_are_metadata(column, tmp_path):
    dataset = tabled(tmp_path, column)
    assert len(np.unique(dataset.listed().patients)) == 24
    assert dataset.identity()["patient_column"] is None


def test_a_column_of_two_cases_is_none_of_patients(tmp_path):
    dataset = tabled(tmp_path, "case", [row[:-1] for row in ROWS])
    assert len(np.unique(dataset.listed().patients)) == 24


def test_a_patient_that_is_not_given_is_told_with_both_remedies(tmp_path):
    rows = [*ROWS[:-1], ROWS[-1].rpartition(",")[0] + ","]
    with pytest.raises(DataError, match=r"'pid' must not be empty.*or.* set dataset\.patient_co"):
        tabled(tmp_path, "pid", rows).listed()


def with_files(folder, names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return folder


def of_both(name, count=24):
    return [f"{x}/{name(k, n)}" for k, x in enumerate(("cat", "dog")) for n in range(count)]


SEVERAL = {
    "folders": (of_both(lambda k, n: f"patient{n // 8}{k}/slice{n % 8}.png"), 6),
    "folders of folders": (of_both(lambda k, n: f"P{k}{n // 8}/ST1/SE1/{n % 8}.png"), 6),
    "eyes": (of_both(lambda k, n: f"{k * 1000 + n // 2}_{('left', 'right')[n % 2]}.jpeg"), 24),
    "eyes of unlike labels": (
        [f"cat/{n}_left.jpeg" for n in range(9)] + [f"dog/{n}_right.jpeg" for n in range(9)],
        9,
    ),
    "persons": (of_both(lambda k, n: f"person{k}{n // 4}_bacteria_{n}.jpeg"), 12),
    "frames": (of_both(lambda k, n: f"vid{k}{n // 8:02d}_frame{n % 8:04d}.png"), 6),
    "tiles": (of_both(lambda k, n: f"slide{k}{n // 8}_x{n % 4 * 256}_y{n // 4}.png"), 6),
    "turned": (of_both(lambda k, n: f"img{n // 2}{('', '_rot90')[n % 2]}.png"), 24),
    "thumbnails": (of_both(lambda k, n: f"img{n // 2}{('', '-150x150')[n % 2]}.png"), 24),
    "copies": (of_both(lambda k, n: f"img{n // 2}{('', ' - Copy')[n % 2]}.png"), 24),
    "roboflow": (of_both(lambda k, n: f"img{k}{n // 3}_png.rf.{k}a{n:04x}.jpg"), 16),
    "two kinds of file": (of_both(lambda k, n: f"DSC{n // 2}.{('jpg', 'tif')[n % 2]}"), 24),
    "numbers behind numbers": (of_both(lambda k, n: f"LIDC-IDRI-{k}{n // 8:03d}_{n}.png"), 6),
}


@pytest.mark.parametrize("how", SEVERAL)
def test_what_is_told_of_images_that_seem_one_patient_s_works_when_typed(how, tmp_path, caplog):
    files, groups = SEVERAL[how]
    with_files(tmp_path, files)
    assert len(np.unique(ImageFolder(path=str(tmp_path), size=16).listed().patients)) == len(files)
    assert f"{len(files)} images seem to be of {groups} patients or originals" in caplog.text
    typed = re.search(r'"(dataset\.patient_pattern=.*)"; if not', caplog.text)[1]
    with hydra_ready(None) as hydra:
        run = compose_run(hydra, ["dataset=image_folder", f"dataset.path={tmp_path}", typed])
    assert len(np.unique(run.dataset.listed().patients)) == groups
    with hydra_ready(None) as hydra:
        words = ["dataset=image_folder", f"dataset.path={tmp_path}", "dataset.patient_column="]
        caplog.clear()
        assert len(np.unique(compose_run(hydra, words).dataset.listed().patients)) == len(files)
    assert "seem to be of" not in caplog.text


PLAIN = {
    "numbers": of_both(lambda k, n: f"{n}.png"),
    "labels and numbers": of_both(lambda k, n: f"{('cat', 'dog')[k]}_{n}.png"),
    "a camera's": of_both(lambda k, n: f"IMG_{n:04d}.png"),
    "a phone's": of_both(lambda k, n: f"IMG_2021030{n // 6}_1{n:05d}.jpg"),
    "numbers and seeds": of_both(lambda k, n: f"{n:05d}-{n * 77}.png"),
    "in parentheses": of_both(lambda k, n: f"x ({n}).png"),
    "some deeper": of_both(lambda k, n: f"{'more/' if n % 2 else ''}{n}.png"),
    "the set's name": of_both(lambda k, n: f"ISIC_{n:07d}.jpg"),
    "the year": of_both(lambda k, n: f"isic2019_{n}.jpg"),
}


@pytest.mark.parametrize("how", PLAIN)
def test_plain_names_are_not_told_of(how):
    files = PLAIN[how]
    assert guessed(files, [file[:3] for file in files], 1) is None


def test_a_pattern_finds_patients_and_is_in_the_key(tmp_path):
    with_files(tmp_path, of_both(lambda k, n: f"person{n // 4}_virus_{n}.png"))
    plain = ImageFolder(path=str(tmp_path), size=16)
    found = ImageFolder(path=str(tmp_path), size=16, patient_pattern=r"(person\d+)_")
    assert len(np.unique(found.listed().patients)) == 6
    assert "patient_pattern" not in plain.identity()
    assert found.identity() == {**plain.identity(), "patient_pattern": r"(person\d+)_"}


def test_a_pattern_that_does_not_match_is_told_with_a_path(tmp_path):
    with_files(tmp_path, ["cat/p1_1.png", "cat/2.png", "dog/p3_1.png"])
    dataset = ImageFolder(path=str(tmp_path), size=16, patient_pattern=r"(p\d)_")
    with pytest.raises(DataError, match=r"finds no patient in 1 of 3 paths: cat/2\.png; it is"):
        dataset.listed()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"patient_pattern": "("}, r"must be a regular expression: missing \), .*; got '\('"),
        ({"patient_pattern": "person"}, r"must have a group in parentheses, .*got 'person'"),
        ({"patient_pattern": "(x)", "patient_column": "p"}, "both name patients; leave one out"),
    ],
)
def test_wrong_patterns_are_told_when_it_is_made(fields, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        ImageFolder(path=str(tmp_path), **fields)


# DICOM headers


def headers(folder, patient, label=lambda n: ("cat", "dog")[n % 2], count=12):
    for n in range(count):
        file = folder / label(n) / f"{n}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(np.full((4, 4), n, np.uint8), PatientID=patient(n)))
    return ImageFolder(path=str(folder), size=16)


def test_headers_name_patients(tmp_path, caplog):
    dataset = headers(tmp_path, lambda n: f"P{n // 3}")
    data = dataset.listed()
    assert data.patients.tolist() == [
        int(file[4:-4]) // 3 for file in data.metadata["file"].tolist()
    ]
    assert "name 4 patients of 12 images, which are kept together" in caplog.text
    own = ImageFolder(path=str(tmp_path), size=16, patient_column="")
    assert len(np.unique(own.listed().patients)) == 12
    assert own.identity() != dataset.identity()


@pytest.mark.parametrize(
    ("patient", "told"),
    [
        (lambda n: "anonymous", "name 1 only: anonymous"),
        (lambda n: "", "name none"),
        (lambda n: f"P{n}", ""),
    ],
)
def test_headers_that_name_no_patients(patient, told, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    assert len(np.unique(headers(tmp_path, patient).listed().patients)) == 12
    assert ("(PatientID) " + told in caplog.text) if told else not caplog.text


def test_folders_of_patients_are_no_labels(tmp_path):
    dataset = headers(tmp_path, lambda n: f"P{n % 3}", lambda n: f"PAT{n % 3}")
    with pytest.raises(DataError, match="folders PAT0, PAT1, PAT2 are patients and no labels"):
        dataset.listed()
    dataset.label_level = 1
    assert len(np.unique(dataset.listed().patients)) == 3
