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
from tgap.datasets.reading.guessing import guessed
from tgap.datasets.reading.patient_ids import tell_of_ids
from tgap.datasets.reading.patients import column_of_groups

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
    assert "6 patients of 24 images, which are kept together" in caplog.text
    assert "own_patients" not in data.notes
    named = ImageFolder(path=str(tmp_path), table="labels.csv", size=16, patient_column=column)
    assert dataset.identity() == named.identity()
    own = ImageFolder(path=str(tmp_path), table="labels.csv", size=16, patient_column="")
    assert len(np.unique(own.listed().patients)) == 24
    assert own.identity()["patient_column"] == ""


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
    "channels": (of_both(lambda k, n: f"A{k}{n // 3:02d}_w{n % 3 + 1}.png"), 16),
    "planes of channels": (
        of_both(lambda k, n: f"A{k}{n // 4}_z{n % 2:02d}_ch0{n % 4 // 2}.png"),
        12,
    ),
    "edited by a phone": (
        of_both(lambda k, n: f"IMG_{'E' * (n % 2)}{1000 * k + n // 2:04d}.JPG"),
        24,
    ),
    "labels before numbers": (
        of_both(lambda k, n: f"{('cat', 'dog')[k]}-{n // 4 * 7919 + 555}-{n % 4}.png"),
        6,
    ),
    "labels before numbers that begin anew": (
        of_both(lambda k, n: f"{('cat', 'dog')[k]}-{n // 4}-{n % 4}.png"),
        12,
    ),
    "barcodes": (of_both(lambda k, n: f"TCGA-A6-{k}00{n // 6}-01Z-00-DX{n % 2}_{n}_0.png"), 8),
    "crops": (
        [f"{x}/{n}.png" for x in ("cat", "dog") for n in range(8)]
        + [f"{x}/crops/{n}_{k}.png" for x in ("cat", "dog") for n in range(8) for k in range(3)],
        8,
    ),
    "tracks of each folder": (of_both(lambda k, n: f"{n // 6:05d}_{n % 6:05d}.ppm"), 8),
    "frames of each folder": (of_both(lambda k, n: f"clip a{n // 6}x_{n % 6}.png"), 8),
    "tracks with both labels": (of_both(lambda k, n: f"{n // 6}_{n % 6 + 6 * k}.png"), 4),
    "numbers behind numbers": (of_both(lambda k, n: f"LIDC-IDRI-{k}{n // 8:03d}_{n}.png"), 6),
}


@pytest.mark.parametrize("how", SEVERAL)
def test_what_is_told_of_images_that_seem_one_patient_s_works_when_typed(how, tmp_path, caplog):
    files, groups = SEVERAL[how]
    with_files(tmp_path, files)
    assert len(np.unique(ImageFolder(path=str(tmp_path), size=16).listed().patients)) == len(files)
    assert f"{len(files)} images seem to be of {groups} patients or originals" in caplog.text
    typed = re.search(r'"(dataset\.patient_pattern=[^"]*)"; ', caplog.text)[1]
    assert ("begin anew in each folder" in caplog.text) == how.endswith(" of each folder")
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
    "a phone's, edited": of_both(lambda k, n: f"IMG_E{n:04d}.JPG"),
    "edited in folders whose numbers begin anew": [
        f"{x}/{day}/IMG_{'E' * (n % 2)}{n:04d}.JPG" for x in "ab" for day in "12" for n in range(12)
    ],
    "numbers and seeds": of_both(lambda k, n: f"{n:05d}-{n * 77}.png"),
    "numbers and seeds of their own": of_both(lambda k, n: f"{n:05d}-{n * 7919 + 10**8 + k}.png"),
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


def test_that_no_patients_are_known_is_noted_unless_it_is_said(tmp_path):
    with_files(tmp_path, PLAIN["numbers"])
    assert ImageFolder(path=str(tmp_path), size=16).listed().notes == {"own_patients": True}
    plain, own = (
        ImageFolder(path=str(tmp_path), size=16, patient_column=name) for name in (None, "")
    )
    assert own.listed().notes == {}
    assert own.identity() != plain.identity()  # or what is noted of one would be told of the other


# Columns of what images have in common

N = 240
LABELS = [("ab"[n % 2],) for n in range(N)]


def column(value):
    """A table's column: of the label and the image's number among those of the label."""
    return [value(n % 2, n // 2) for n in range(N)]


GROUPS = {
    "video": (column(lambda k, n: f"vid{k}{n // 5}"), 48),
    "slide": (column(lambda k, n: f"S-{k}{n // 20}"), 12),
    "animal": (column(lambda k, n: str(24 * k + n // 5)), 48),
    "few animals": (column(lambda k, n: str(12 * k + n // 10)), 24),
    "plate": (column(lambda k, n: f"P{4 * k + n // 30}"), 8),
    "breeder": (column(lambda k, n: f"{'xy'[k]}{chr(97 + n // 6)}"), 40),
    "known of most": (column(lambda k, n: f"vid{k}{n // 5}" if n % 5 else "NA"), 48),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_column_of_what_images_have_in_common_is_told(name):
    cells, values = GROUPS[name]
    told = column_of_groups({name: cells, "view": column(lambda k, n: "xy"[n % 2])}, LABELS)
    assert told.startswith(f"column '{name}' has {values} values over 240 images, and")
    assert f"\"dataset.patient_column='{name}'\", so that they stay together" in told


def test_the_coarsest_of_several_columns_comes_first():
    told = column_of_groups({"clip": GROUPS["video"][0], "slide": GROUPS["slide"][0]}, LABELS)
    assert told.startswith("column 'slide' has 12 values")
    assert told.endswith("(or one of 'clip')")


AGES = np.random.default_rng(0).integers(20, 90, N)
OTHERS = {
    "view": column(lambda k, n: ("AP", "PA")[n % 2]),
    "age": [str(age) for age in AGES],
    "site": [f"hospital{age % 7}" for age in AGES],
    "scanner": [f"SN{age % 25:04d}" for age in AGES],
    "label in other words": column(lambda k, n: ("cat1", "dog1")[k]),
    "sub-class": column(lambda k, n: "klm nop"[3 * k + n % 3]),
    "codes of sub-classes": column(lambda k, n: f"s{k}{n % 3}"),
    "breeds": column(lambda k, n: f"{'pq'[k]} {'klmno'[n % 5]}"),
    "grade": column(lambda k, n: str(3 * k + n % 3)),
    "score": column(lambda k, n: f"{k}.{n % 60:02d}"),
    "unique": column(lambda k, n: f"{k}{n}"),
    "known of few": column(lambda k, n: f"{k}{n // 2}" if n < 40 else ""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_columns_are_not_told_of(name):
    assert column_of_groups({name: OTHERS[name]}, LABELS) == ""


def test_where_labels_are_not_known_no_column_is_told_of():
    assert column_of_groups({"video": GROUPS["video"][0]}, [("image",)] * N) == ""


# What ids tell

IDS = {
    "eyes": (
        [f"P{n:03d}{side}" for n in range(9) for side in "LR"],
        r"18 patients are called alike but for a side \('P000L' and 'P000R', .* leave the side out",
    ),
    "od and os": ([f"{n}_{x}" for n in range(9) for x in ("OD", "os")], "'0_OD' and '0_os'"),
    "magnifications": (
        [f"S_A-{n}-{times}" for n in range(10) for times in (40, 100, 200)],
        "'S_A-0-40' and 'S_A-0-100' and 'S_A-0-200', .*without it there are 10",
    ),
    "masked copies": (
        [f"{n:05d}{end}" for n in range(9) for end in ("", "_final_masked")],
        "'00000_final_masked' and '00000', .*without it there are 9",
    ),
    "one left and right": (["p left", "p right", "q", "r"], "2 patients are called alike but"),
    "another order": (
        ["Adams^Ann", "Ann Adams", "ADAMS ANN", "Bo Li", "Li Cy"],
        r"in another order count as different ones: 'Adams\^Ann' and 'Ann Adams' and 'ADAMS ANN';",
    ),
    "a number for nobody": (
        ["9999999"] * 30 + [str(n // 2) for n in range(70)],
        "'9999999' has 30 of 100 images, the next one 2: if it stands for patients who are not",
    ),
    "zero for nobody": (["0"] * 8 + [str(n // 2) for n in range(2, 90)], "'0' has 8 of 96 images"),
    "a word for nobody": (["Unknown"] * 2 + ["a", "a", "b", "c"], "'Unknown' has 2 of 6 images"),
    "anonymous": (["a"] * 9 + ["ANON"] * 2 + ["b", "c"], "'ANON' has 2 of 13 .* largest one 9"),
    "most of the images": (
        ["x17"] * 30 + [f"p{n}" for n in range(70)],
        "'x17' has 30 of 100 images, the next one 1",
    ),
}


@pytest.mark.parametrize("how", IDS)
def test_ids_that_may_mean_others_are_told(how, caplog):
    ids, told = IDS[how]
    tell_of_ids(ids)
    assert len(caplog.messages) == 1
    assert re.search(told, caplog.messages[0])


@pytest.mark.parametrize(
    "ids",
    [
        [str(n // 4) for n in range(400)],
        [f"{n:05x}"[::-1] for n in range(0, 9000, 7)],
        ["hall", "har", "Paul", "Paur", "12L", "13R", "x_r", "y_l"],
        ["A-1-2", "A-2-1", "3-12", "12-3", "Ann Adams", "ann-adams", "Ann"],
        ["a"] * 12 + ["b"] * 3 + ["c"] * 4 + ["d"] * 2,
        ["x", "x", "y", "y", "z"],
        ["unknown", "a", "b"],
    ],
    ids=["numbers", "hex", "ends", "words", "one has more", "few", "one unknown"],
)
def test_ordinary_ids_are_not_told_of(ids, caplog):
    tell_of_ids(ids)
    assert caplog.messages == []


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
        (lambda n: "", "name none, so that each"),
        (lambda n: f"P{n}", "name 12 patients of 12 images; dataset.patient_column= makes"),
    ],
)
def test_headers_that_name_each_image_its_own_patient_or_none(patient, told, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    assert len(np.unique(headers(tmp_path, patient).listed().patients)) == 12
    assert "(PatientID) " + told in caplog.text


def test_folders_of_patients_are_no_labels(tmp_path):
    dataset = headers(tmp_path, lambda n: f"P{n % 3}", lambda n: f"K{n % 3}")
    with pytest.raises(DataError, match="folders K0, K1, K2 are patients and no labels"):
        dataset.listed()
    dataset.label_level = 1
    assert len(np.unique(dataset.listed().patients)) == 3
