import gzip
import importlib.util
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.datasets.conftest import assert_same
from tgap.composition import building
from tgap.core import ConfigError, DataError, ImageSet
from tgap.core.settings import Splitting
from tgap.datasets.base import Dataset
from tgap.datasets.nih_chestxray14 import NihChestxray14
from tgap.datasets.radiographs.nih_table import ALIASES, COLUMNS, FINDINGS, Metadata, parse
from tgap.datasets.radiographs.quality import doubtful
from tgap.datasets.reading.tables import csv_table
from tgap.pipeline.artifacts import ImagesOnDisk, read_images, write_images
from tgap.protocols.clean import Clean
from tgap.store import Spec, Store

HEADER_2020 = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
HEADER_2017 = HEADER_2020 + ","
HEADER_SEX = HEADER_2017.replace("Gender", "Sex")
# Not in the order of their names, as in the list of 2020.
ROWS = (
    "00000002_000.png,No Finding,0,2,81,M,PA,2500,2048,0.171,0.171",
    "00000001_000.png,Cardiomegaly,0,1,57,F,PA,2682,2749,0.143,0.143",
    "00000001_001.png,Emphysema|Cardiomegaly,1,1,58,F,AP,2894,2729,0.143,0.143",
    "00000003_000.png,No Finding,0,3,19,M,AP,2500,2048,0.168,0.168",
    "00000003_001.png,Pleural_Thickening,1,3,20,M,PA,2500,2048,0.168,0.168",
    "00000004_000.png,No Finding,0,4,33,F,PA,2500,2048,0.168,0.168",
)
FILES = sorted(row[:16] for row in ROWS)
TEST_LIST = ["00000003_000.png", "00000003_001.png"]


def text_of(rows=ROWS, header=HEADER_2020, end="\n"):
    return end.join([header, *rows]) + end


def parsed(text):
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    return parse(csv_table(lines, Path("nih.csv"), COLUMNS, ALIASES))


def read(*rows, header=HEADER_2020):
    return parsed(text_of(rows, header))


def row_of(file="00000001_000.png", findings="Mass", follow="0", patient="1", age="57"):
    return f"{file},{findings},{follow},{patient},{age},F,PA,2682,2749,0.143,0.143"


def chest(number, side=32):
    """Bright in the middle and dark at the edges, each a little different."""
    x = np.linspace(-1, 1, side)
    noise = np.random.default_rng(number).normal(0, 12, (side, side))
    values = 20 + 180 * np.exp(-2 * (x**2 + x[:, None] ** 2)) + noise
    return np.clip(values, 0, 255).astype(np.uint8)


def copy_of_nih(
    root,
    *,
    rows=ROWS,
    header=HEADER_2020,
    table="Data_Entry_2017_v2020.csv",
    place=lambda number: "images",
):
    root.mkdir(exist_ok=True)
    (root / table).write_bytes(text_of(rows, header).encode())
    for number, file in enumerate(FILES):
        folder = root / place(number)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chest(number)).save(folder / file)
    return root


@pytest.fixture
def nih(tmp_path):
    return copy_of_nih(tmp_path / "nih")


def dataset(root, **fields):
    return NihChestxray14(path=str(root), size=16, **fields)


def write_lists(root, test=TEST_LIST, train_val=None, end="\n"):
    train_val = [file for file in FILES if file not in test] if train_val is None else train_val
    (root / "train_val_list.txt").write_bytes(end.join(train_val).encode())
    (root / "test_list.txt").write_bytes(end.join(test).encode())


# The real table


@pytest.fixture(scope="module")
def real_table() -> str:
    spec = importlib.util.find_spec("torchxrayvision")  # does not import it
    if spec is None or spec.origin is None:
        pytest.skip("torchxrayvision, whose wheel holds NIH's table, is not installed")
    file = Path(spec.origin).parent / "data" / "Data_Entry_2017_v2020.csv.gz"
    return gzip.decompress(file.read_bytes()).decode()


@pytest.fixture(scope="module")
def real(real_table: str) -> Metadata:
    return parsed(real_table)


def test_images_and_patients_of_the_real_table(real):
    assert len(real) == 112_120
    assert real.notes == {}
    patients, images = np.unique(real.patients, return_counts=True)
    assert len(patients) == 30_805
    assert np.count_nonzero(images == 1) == 17_503
    assert (images.max(), patients[images.argmax()]) == (184, 10_007)
    assert real.files[0] == "00000001_000.png"
    assert real.files[-1] == "00030805_000.png"


def test_findings_of_the_real_table(real):
    assert dict(zip(FINDINGS, real.findings.sum(axis=0).tolist(), strict=True)) == {
        "Infiltration": 19_894,
        "Effusion": 13_317,
        "Atelectasis": 11_559,
        "Nodule": 6_331,
        "Mass": 5_782,
        "Pneumothorax": 5_302,
        "Consolidation": 4_667,
        "Pleural_Thickening": 3_385,
        "Cardiomegaly": 2_776,
        "Emphysema": 2_516,
        "Edema": 2_303,
        "Fibrosis": 1_686,
        "Pneumonia": 1_431,
        "Hernia": 227,
    }
    several = real.findings.sum(axis=1)
    assert np.count_nonzero(several == 0) == 60_361
    assert np.count_nonzero(several > 1) == 20_796
    assert several.max() == 9
    sick, well = (set(real.patients[some].tolist()) for some in (several > 0, several == 0))
    assert len(sick & well) == 8_504


def test_views_sexes_and_ages_of_the_real_table(real):
    assert np.count_nonzero(real.view == "PA") == 67_310
    assert np.count_nonzero(real.view == "AP") == 44_810
    assert np.count_nonzero(real.sex == "M") == 63_340
    assert np.count_nonzero(real.sex == "F") == 48_780
    assert (real.age.min(), real.age.max()) == (0, 95)
    sick = real.findings.any(axis=1)
    assert round(100 * sick[real.view == "AP"].mean(), 1) == 53.0
    assert round(100 * sick[real.view == "PA"].mean(), 1) == 41.6
    number = np.array([int(file[9:12]) for file in real.files.tolist()])
    assert np.count_nonzero(real.follow_up != number) == 24_106


def test_cells_of_the_real_table_against_a_plain_reading(real_table, real):
    lines = [line.split(",") for line in real_table.splitlines()[1:]]
    cells = {line[1] for line in lines}
    assert len(cells) == 836
    # 35 of them differ from another one in the order of their findings alone
    sets = {frozenset(cell.split("|")) for cell in cells}
    assert len({tuple(row) for row in real.findings.tolist()}) == len(sets) == 801
    row_of_file = {file: row for row, file in enumerate(real.files.tolist())}
    for file, cell, *_ in lines[::97]:
        held = real.findings[row_of_file[file]]
        names = {name for name, has in zip(FINDINGS, held, strict=True) if has}
        assert names == set(cell.split("|")) - {"No Finding"}


def without_images(metadata: Metadata) -> ImageSet:
    sick = metadata.findings.any(axis=1, keepdims=True)
    return ImageSet(
        images=np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (len(metadata), 1, 1, 1)),
        labels=np.hstack([~sick, sick]),
        label_names=("no_finding", "unhealthy"),
        findings=metadata.findings,
        finding_names=FINDINGS,
        patients=metadata.patients,
    )


def test_the_real_table_splits_by_patient_with_even_label_rates(real):
    data = without_images(real)
    split = Clean().split(data, Splitting())
    sides = [split.pool, split.real_train, split.real_test]
    patients = [set(data.patients[side].tolist()) for side in sides]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 30_805
    assert sum(map(len, sides)) == 112_120
    for side in sides:
        assert abs(data.labels[side, 1].mean() - data.labels[:, 1].mean()) < 0.005


# The table, in all its forms


def test_rows_come_in_the_order_of_their_file_names():
    found = read(*ROWS)
    assert found.files.tolist() == FILES
    assert found.patients.tolist() == [1, 1, 2, 3, 3, 4]
    assert found.patients.dtype == np.int64
    assert found.age.tolist() == [57, 58, 81, 19, 20, 33]
    assert found.sex.tolist() == ["F", "F", "M", "M", "M", "F"]
    assert found.view.tolist() == ["PA", "AP", "PA", "AP", "PA", "PA"]
    assert found.follow_up.tolist() == [0, 1, 0, 0, 1, 0]
    names = [[FINDINGS[i] for i in np.flatnonzero(row)] for row in found.findings]
    assert names == [
        ["Cardiomegaly"],
        ["Cardiomegaly", "Emphysema"],
        [],
        [],
        ["Pleural_Thickening"],
        [],
    ]
    assert found.notes == {}


@pytest.mark.parametrize(
    "text",
    [
        text_of(header=HEADER_2017),
        text_of([row + "," for row in ROWS], HEADER_2017),
        text_of([row + "," for row in ROWS]),
        text_of([row + "," for row in ROWS], HEADER_SEX),
        text_of(end="\r\n"),
        text_of().rstrip("\n"),
        text_of().replace("\n", "\n\n"),
        "\ufeff" + text_of(),
        text_of().replace("Pleural_T", "Pleural_t"),
        text_of().replace("Emphysema|Cardiomegaly", " Cardiomegaly | Emphysema"),
        text_of([row.replace(",57,", ",057Y,") for row in ROWS]),
        text_of([row.replace(",0,1,", ",000,1,") for row in ROWS]),
        text_of([f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in ROWS]),
        text_of(ROWS[::-1]),
    ],
)
def test_every_form_of_the_table_reads_the_same(text):
    expected, found = read(*ROWS), parsed(text)
    assert found.notes == {}
    for name in ("files", "findings", "patients", "follow_up", "age", "sex", "view"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@given(st.permutations(ROWS))
def test_the_order_of_the_rows_does_not_count(rows):
    expected, found = read(*ROWS), read(*rows)
    np.testing.assert_array_equal(found.findings, expected.findings)
    np.testing.assert_array_equal(found.age, expected.age)


@given(st.sets(st.sampled_from(FINDINGS), min_size=1), st.randoms(use_true_random=False))
def test_findings_are_sets(findings, random):
    names = sorted(findings)
    random.shuffle(names)
    found = read(row_of(findings="|".join(names)))
    assert {name for name, has in zip(FINDINGS, found.findings[0], strict=True) if has} == findings


@pytest.mark.parametrize(
    ("cell", "years"),
    [("060Y", 60), ("60", 60), ("006M", 0.5), ("026W", 182 / 365.25), ("120Y", 120), ("0", 0)],
)
def test_ages(cell, years):
    found = read(row_of(age=cell))
    assert found.age[0] == pytest.approx(years)
    assert found.notes == {}


def test_an_age_that_is_not_given_is_unknown():
    found = read(row_of(age=""))
    assert np.isnan(found.age[0])
    assert found.notes == {}


def test_impossible_ages_are_unknown_and_counted():
    rows = [row_of(age="414"), row_of("00000001_001.png", age="121Y"), ROWS[0]]
    found = read(*rows)
    np.testing.assert_array_equal(found.age, [np.nan, np.nan, 81])
    assert found.notes == {"ages_above_120": 2}


def test_rows_that_repeat_another_one_are_dropped_and_counted():
    swapped = ROWS[2].replace("Emphysema|Cardiomegaly", "Cardiomegaly|Emphysema")
    unknown = row_of("00000009_000.png", patient="9", age="414")
    found = read(*ROWS, ROWS[0], swapped, ROWS[0], unknown, unknown)
    assert found.files.tolist() == [*FILES, "00000009_000.png"]
    assert found.notes == {"duplicate_rows": 4, "ages_above_120": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (",57,", ",58,"),
        ("Cardiomegaly", "Mass"),
        (",F,PA", ",M,PA"),
        (",F,PA", ",F,AP"),
        (",0,1,", ",2,1,"),
        (",57,", ",,"),
    ],
)
def test_rows_that_contradict_each_other(old, new):
    assert old in ROWS[1]
    message = "nih.csv: lines 3 and 8 say different things of 00000001_000.png; leave one of them"
    with pytest.raises(DataError, match=message):
        read(*ROWS, ROWS[1].replace(old, new))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            row_of(findings="Infiltrate"),
            r"table nih.csv: 'Finding Labels' names unknown findings Infiltrate; did you mean "
            r"'Infiltration'\? \(one of: Atelectasis, .*, No Finding\); got 'Infil.* on line 8",
        ),
        (
            row_of(findings=""),
            "'Finding Labels' must be 'No Finding' alone, or .*; got '' on line 8",
        ),
        (
            row_of(findings="No Finding|Mass"),
            r"'Finding Labels' must be 'No Finding' alone, .*; got 'No Finding\|Mass' on line 8$",
        ),
        (
            row_of(patient="2"),
            "'Image Index' must begin with the 8 digits of the row's 'Patient ID'; "
            "got '00000001_000.png' on line 8",
        ),
        (row_of(patient="one"), "'Patient ID' must be a whole number; got 'one' on line 8"),
        (row_of(patient="9" * 30), "'Patient ID' must be a whole number; got '999"),
        (row_of(follow="x"), "'Follow-up #' must be a whole number; got 'x' on line 8"),
        (row_of("../1.png"), "'Image Index' must be a name like 00000001_000.png; got '../1.png'"),
        (row_of(age="old"), "'Patient Age' must be a number of years, .*; got 'old' on line 8"),
        (row_of(age="-1"), "'Patient Age' must be a number of years, .*; got '-1' on line 8"),
        (
            "00000001_000.png,Mass,0,1",
            "nih.csv, line 8: 4 cells, but the header has 11 columns; .* if the file is cut off",
        ),
        (row_of() + ",more", "nih.csv, line 8: 12 cells, but the header has 11 columns"),
        ('"00000001_000.png', "nih.csv, line 8: unexpected end of data"),
    ],
)
def test_rows_that_cannot_be_read(row, message):
    with pytest.raises(DataError, match=message):
        read(*ROWS, row)


def test_many_bad_lines_are_counted():
    rows = [row_of(f"00000001_{i:03}.png", "Ghost") for i in range(30)]
    with pytest.raises(DataError, match="'Ghost' on line 11 and 20 more"):
        read(*rows)


def test_missing_and_doubled_columns():
    message = (
        r"table nih.csv has no column 'Patient ID'; did you mean 'Patient'\? \(one of: .*\); "
        "no column 'Patient Gender'"
    )
    header = HEADER_2020.replace("Patient ID", "Patient").replace("Patient Gender", "Gender")
    with pytest.raises(DataError, match=message):
        read(*ROWS, header=header)
    header = HEADER_2020.replace("OriginalImage[Width", "Patient Sex")
    with pytest.raises(DataError, match=r"nih\.csv has two columns named 'Patient Gender'"):
        read(*ROWS, header=header)


# A copy of the dataset


def test_a_copy(nih):
    data = dataset(nih).load()
    assert data.images.shape == (6, 16, 16, 1)
    assert data.label_names == ("no_finding", "unhealthy")
    assert data.labels[:, 1].tolist() == [True, True, False, False, True, False]
    assert (data.labels.sum(axis=1) == 1).all()
    assert data.finding_names == tuple(sorted(FINDINGS))
    assert data.findings.sum(axis=1).tolist() == [1, 2, 0, 0, 1, 0]
    assert data.patients.tolist() == [1, 1, 2, 3, 3, 4]
    assert data.patient_names.tolist() == ["1", "1", "2", "3", "3", "4"]
    assert set(data.metadata) == {"file", "view", "sex", "age", "follow_up"}
    assert data.metadata["file"].tolist() == FILES
    assert data.official_test is None
    assert data.notes == {}
    assert dataset(nih).domain == "chest X-ray"


def test_the_15_labels_as_they_are(tmp_path):
    rows = [row_of(FILES[0], "|".join(FINDINGS)), *(row for row in ROWS if FILES[0] not in row)]
    data = dataset(copy_of_nih(tmp_path / "nih", rows=rows), labels="findings").load()
    assert data.label_names == ("no_finding", *FINDINGS)
    assert data.labels.sum(axis=1).tolist() == [14, 2, 1, 1, 1, 1]
    np.testing.assert_array_equal(data.labels[:, 1:], data.findings)
    np.testing.assert_array_equal(data.labels[:, 0], ~data.findings.any(axis=1))


def test_findings_that_no_image_has_are_told(nih):
    with pytest.raises(DataError, match=r"needs at least two labels, each with .*'Hernia': 0"):
        dataset(nih, labels="findings").load()


@pytest.mark.parametrize(
    "place",
    [
        lambda number: f"images_{number // 2 + 1:03}/images",
        lambda number: f"images_{number // 2 + 1:03}",
        lambda number: "images" if number < 3 else "images_012/images",
    ],
)
def test_every_layout_reads_the_same(nih, tmp_path, place):
    other = copy_of_nih(tmp_path / "other", place=place)
    assert_same(dataset(nih).load(), dataset(other).load())


def test_both_generations_read_the_same(nih, tmp_path):
    rows = [row + "," for row in sorted(ROWS)]
    other = copy_of_nih(
        tmp_path / "other", rows=rows, header=HEADER_SEX, table="Data_Entry_2017.csv"
    )
    assert_same(dataset(nih).load(), dataset(other).load())


def test_the_newer_table_is_taken_where_both_are(nih):
    (nih / "Data_Entry_2017.csv").write_text("old")
    assert len(dataset(nih).load()) == 6


def test_every_kind_of_png_reads_the_same(nih, tmp_path):
    other = copy_of_nih(tmp_path / "other")
    pixels = [chest(number) for number in range(6)]
    grey = [Image.fromarray(p) for p in pixels]
    palette = Image.fromarray(255 - pixels[3]).convert("P")
    levels = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None], 3, axis=1)
    palette.putpalette(levels.tobytes())
    kinds = [
        grey[0].convert("RGBA"),
        grey[1].convert("LA"),
        grey[2].convert("RGB"),
        palette,
        Image.fromarray(pixels[4].astype(np.uint16) * 257),
        grey[5].convert("P"),
    ]
    for file, image in zip(FILES, kinds, strict=True):
        image.save(other / "images" / file)
    for file, mode in zip(FILES, ("RGBA", "LA", "RGB", "P", "I;16", "P"), strict=True):
        with Image.open(other / "images" / file) as image:
            assert image.mode == mode
    assert_same(dataset(nih).load(), dataset(other).load())


def test_it_is_built_from_plain_data(nih):
    data = {"_target_": "tgap.datasets.nih_chestxray14.NihChestxray14", "path": str(nih)}
    assert len(building.build(Dataset, data, "dataset").load()) == 6


def test_what_is_left_of_a_spoilt_copy_goes_into_the_store(nih, tmp_path):
    spoil(nih)
    expected = dataset(nih, bad_files="exclude").load()

    def make(folder):
        write_images(folder, dataset(nih, bad_files="exclude").load(ImagesOnDisk(folder)))

    spec = Spec("dataset", {"name": "spoilt"})
    artifact = Store(tmp_path / "store").get_or_make(spec, make, resumable=True)
    found = read_images(artifact)
    assert_same(found, expected)
    assert isinstance(found.images, np.memmap)
    assert found.notes == expected.notes
    assert not list(artifact.folder.glob("scratch*"))


# The official lists


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("final", ["", "\n"])
def test_official_lists_are_honoured(nih, end, final):
    write_lists(nih, end=end)
    with (nih / "test_list.txt").open("a") as file:
        file.write(final)
    data = dataset(nih).load()
    assert data.metadata["file"][data.official_test].tolist() == TEST_LIST


def test_real_test_is_the_official_test_list_and_the_rest_is_divided_by_patient(tmp_path):
    files = [f"{patient:08}_{number:03}.png" for patient in range(1, 13) for number in range(2)]
    findings = ("Mass", "No Finding")
    rows = [row_of(f, findings[int(f[:8]) % 2], "0", str(int(f[:8]))) for f in files]
    root = copy_of_nih(tmp_path / "nih", rows=rows)
    for number, file in enumerate(files):
        Image.fromarray(chest(number)).save(root / "images" / file)
    listed = [file for file in files if file[:8] in ("00000003", "00000004", "00000008")]
    write_lists(root, test=listed, train_val=[file for file in files if file not in listed])
    data = dataset(root).load()
    split = Clean().split(data, Splitting())
    assert data.metadata["file"][split.real_test].tolist() == listed
    pool, train = (set(data.patients[side].tolist()) for side in (split.pool, split.real_train))
    assert pool
    assert train
    assert not pool & train
    assert pool | train == {1, 2, 5, 6, 7, 9, 10, 11, 12}


def test_official_lists_may_be_left_aside(nih):
    write_lists(nih, test=["00000003_000.png", "nonsense"])
    assert dataset(nih, official_split=False).load().official_test is None


def test_official_lists_follow_when_files_are_left_out(nih):
    write_lists(nih)
    (nih / "images" / FILES[0]).unlink()
    (nih / "images" / TEST_LIST[0]).unlink()
    data = dataset(nih, bad_files="exclude").load()
    assert data.metadata["file"][data.official_test].tolist() == TEST_LIST[1:]


def test_one_list_without_the_other(nih):
    (nih / "test_list.txt").write_text(TEST_LIST[0])
    message = (
        "official_split needs both train_val_list.txt and test_list.txt, but .*nih has only "
        "test_list.txt; add the other one, or set official_split=false"
    )
    with pytest.raises(ConfigError, match=message):
        dataset(nih)
    assert dataset(nih, official_split=False).load().official_test is None


def test_a_patient_on_both_lists(nih):
    write_lists(nih, test=["00000003_001.png"])
    message = "1 patients are on both train_val_list.txt and test_list.txt: 3; download"
    with pytest.raises(DataError, match=message):
        dataset(nih).load()


def test_a_list_that_names_what_the_table_does_not(nih):
    write_lists(nih, test=[*TEST_LIST, "00000099_000.png"])
    message = (
        "test_list.txt names 1 images that the table does not: 00000099_000.png; download the "
        "lists again, or leave them aside with dataset.official_split=false"
    )
    with pytest.raises(DataError, match=message):
        dataset(nih).load()


def test_images_on_neither_list(nih):
    write_lists(nih, train_val=FILES[:2])
    message = (
        "2 images of the table are on neither train_val_list.txt nor test_list.txt: "
        "00000002_000.png, 00000004_000.png; download"
    )
    with pytest.raises(DataError, match=message):
        dataset(nih).load()


# What is wrong with the configuration or the folder


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": "15"}, "labels must be one of binary, findings, got '15'"),
        ({"size": 15}, "size must be at least 16, got 15"),
        ({"bad_files": "skip"}, "bad_files must be one of error, exclude, got 'skip'"),
        ({"near_empty": -1.0}, "near_empty must be at least 0, got -1.0"),
        ({"inverted": 0.1}, "inverted must be at most 0, got 0.1"),
    ],
)
def test_wrong_fields_are_told_when_it_is_made(fields, message):
    with pytest.raises(ConfigError, match=message):
        NihChestxray14(**fields)


def test_a_folder_without_a_table(nih):
    (nih / "Data_Entry_2017_v2020.csv").rename(nih / "data.csv")
    message = (
        "path must hold Data_Entry_2017_v2020.csv or Data_Entry_2017.csv, but .*nih has neither"
    )
    with pytest.raises(ConfigError, match=message):
        dataset(nih)


def test_images_that_lie_elsewhere(nih):
    (nih / "images").rename(nih / "pictures")
    with pytest.raises(DataError, match=r"there are no PNG images in images/, images_001/images/"):
        dataset(nih).load()


def test_an_image_that_is_there_twice(nih):
    (nih / "images_001").mkdir()
    Image.fromarray(chest(0)).save(nih / "images_001" / FILES[0])
    message = (
        "the image 00000001_000.png is there twice, as images/00000001_000.png and as "
        "images_001/00000001_000.png; remove one"
    )
    with pytest.raises(DataError, match=message):
        dataset(nih).load()


def test_images_that_are_not_listed_are_counted(nih, caplog):
    Image.fromarray(chest(9)).save(nih / "images" / "00000009_000.png")
    (nih / "thumbnails").mkdir()
    Image.fromarray(chest(0)).save(nih / "thumbnails" / FILES[0])
    with caplog.at_level(logging.WARNING):
        data = dataset(nih).load()
    assert len(data) == 6
    assert data.notes == {"unlisted": 2, "warned": data.notes["warned"]}
    assert "2 image files are left out, as no table names them where they lie" in caplog.text
    assert "images/00000009_000.png, thumbnails/00000001_000.png" in caplog.text


def test_repeated_rows_and_impossible_ages_are_reported(tmp_path, caplog):
    rows = [*ROWS[:5], ROWS[5].replace(",33,", ",414,"), ROWS[0]]
    data = dataset(copy_of_nih(tmp_path / "nih", rows=rows)).load()
    assert data.notes == {"duplicate_rows": 1, "ages_above_120": 1, "warned": data.notes["warned"]}
    assert "1 rows of the table that repeat another one are left out" in caplog.text
    assert "1 ages above 120 years are taken for unknown" in caplog.text


# Bad images


def spoil(root):
    """A file of each kind of badness."""
    folder = root / "images"
    (folder / FILES[0]).unlink()
    content = (folder / FILES[1]).read_bytes()
    (folder / FILES[1]).write_bytes(content[: len(content) // 2])
    Image.new("L", (32, 32), 3).save(folder / FILES[2])
    Image.fromarray(255 - chest(3)).save(folder / FILES[3])


def test_bad_files_are_errors(nih):
    images = nih / "images"
    good = {file: (images / file).read_bytes() for file in FILES}
    spoil(nih)
    messages = {
        FILES[0]: "1 of 6 image files cannot be used:\n  - 00000001_000.png: there is no such file",
        FILES[1]: "1 of 6 image files cannot be used:\n  - 00000001_001.png: .*truncated",
        FILES[2]: (
            "2 of 6 .*\n  - 00000002_000.png: it is near-empty: its grey levels have a standard "
            "deviation of 0.00, below near_empty=2\n  - 00000003_000.png: it looks inverted: its "
            "correlation with the mean image is -0.9., below inverted=-0.5\nrepair or remove them, "
            "or leave them out with dataset.bad_files=exclude"
        ),
    }
    for file, message in messages.items():
        with pytest.raises(DataError, match=message):
            dataset(nih).load()
        (images / file).write_bytes(good[file])


def test_bad_files_are_left_out_named_and_counted(nih, caplog):
    clean = dataset(nih).load()
    spoil(nih)
    data = dataset(nih, bad_files="exclude").load()
    assert_same(data, clean.take(np.array([4, 5])))
    assert data.notes["excluded"] == {
        "missing": [FILES[0]],
        "unreadable": [FILES[1]],
        "near_empty": [FILES[2]],
        "inverted": [FILES[3]],
    }
    assert data.notes["excluded_counts"] == dict.fromkeys(data.notes["excluded"], 1)
    for file in FILES[:4]:
        assert f"- {file}: " in caplog.text


def test_part_of_the_images_will_do(tmp_path):
    rows = [row_of(f"00000005_{number:03}.png", patient="5") for number in range(250)]
    root = copy_of_nih(tmp_path / "nih", rows=[*ROWS, *rows])
    with pytest.raises(DataError, match=r"250 of 256 image files (?s:.*)\n  - and 240 more"):
        dataset(root).load()
    data = dataset(root, bad_files="exclude").load()
    assert data.metadata["file"].tolist() == FILES
    assert data.notes["excluded_counts"] == {"missing": 250}
    assert data.notes["excluded"] == {"missing": [row[:16] for row in rows[:100]]}


def test_nothing_left_is_an_error_under_either_policy(nih):
    for file in FILES:
        Image.new("L", (32, 32)).save(nih / "images" / file)
    with pytest.raises(DataError, match=r"6 of 6 image files cannot (?s:.*)no image is left"):
        dataset(nih, bad_files="exclude").load()


def test_checks_of_the_picture_can_be_switched_off(nih):
    Image.new("L", (32, 32), 3).save(nih / "images" / FILES[0])
    Image.fromarray(255 - chest(1)).save(nih / "images" / FILES[1])
    data = dataset(nih, near_empty=0.0, inverted=-1.0).load()
    assert len(data) == 6
    assert data.notes == {}


def test_standard_deviation_and_correlation_are_the_usual_ones():
    rng = np.random.default_rng(0)
    images = np.stack([chest(number, 16) for number in range(40)])[..., None]
    images[7], images[20] = 255 - images[7], rng.integers(100, 104, images[20].shape)
    images.setflags(write=False)
    found = doubtful(images, 2.0, -0.5)
    flat = images.reshape(40, -1).astype(float)
    std = flat.std(axis=1)
    usable = np.delete(np.arange(40), 20)
    z = (flat[usable] - flat[usable].mean(axis=1, keepdims=True)) / std[usable, None]
    r = np.array([np.corrcoef(row, z.mean(axis=0))[0, 1] for row in z])
    assert set(found["near_empty"]) == set(np.flatnonzero(std < 2.0).tolist()) == {20}
    assert set(found["inverted"]) == set(usable[r < -0.5].tolist()) == {7}
    assert f"a standard deviation of {std[20]:.2f}," in found["near_empty"][20]
    assert f"the mean image is {r[7]:.2f}," in found["inverted"][7]


def test_near_empty_images_do_not_turn_the_mean_image():
    faint = [128 - (chest(number, 16) // 64) for number in range(12)]
    images = np.stack([*(chest(number, 16) for number in range(6)), *faint])[..., None]
    found = doubtful(images, 2.0, -0.5)
    assert found.keys() == {"near_empty"}
    assert sorted(found["near_empty"]) == list(range(6, 18))


@given(st.integers(1, 30), st.integers(0, 1000))
def test_pictures_that_have_nothing_in_common_are_not_inverted(n, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 1), dtype=np.uint8)
    assert doubtful(noise, 2.0, -0.5) == {}


def test_an_image_is_judged_alike_in_small_and_large_blocks(monkeypatch):
    images = np.stack([chest(number, 16) for number in range(9)])[..., None]
    images[4] = 255 - images[4]
    whole = doubtful(images, 2.0, -0.5)
    monkeypatch.setattr("tgap.datasets.radiographs.quality._BLOCK_VALUES", 600)
    assert doubtful(images, 2.0, -0.5) == whole
    assert set(whole["inverted"]) == {4}


# Identity


def test_lists_count_where_they_are_honoured(nih):
    before = dataset(nih).identity()
    write_lists(nih)
    assert dataset(nih).identity() != before
    assert dataset(nih, official_split=False).identity()["texts"] == before["texts"]
