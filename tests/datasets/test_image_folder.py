import json
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.datasets.conftest import assert_same, write_grey
from tgap.composition import building
from tgap.core import ConfigError, DataError
from tgap.datasets.base import Dataset
from tgap.datasets.image_folder import ImageFolder

LEVELS = {"cat/1.png": 10, "cat/deep/2.png": 20, "dog/3.jpg": 30, "dog/4.PNG": 40}


def put(folder, levels):
    """Image files of one grey level each."""
    for name, level in levels.items():
        write_grey(folder / name, level)
    return folder


@pytest.fixture
def folder(tmp_path):
    return put(tmp_path / "pets", LEVELS)


TABLE = """file,label,findings,patient,age,view
dog/4.PNG,dog,,p2,7,PA
cat/1.png,cat,Fur|Tail,p1,3.5,
cat/deep/2.png,cat|small,Tail,p2,,AP
dog/3.jpg,dog,Fur,p10,1,AP
"""


@pytest.fixture
def tabled(folder):
    (folder / "t.csv").write_text(TABLE)
    return folder


def dataset(folder, **fields):
    return ImageFolder(path=str(folder), size=8, **fields)


def with_table(folder, text=None, **fields):
    if text is not None:
        (folder / "t.csv").write_text(text)
    return dataset(folder, table="t.csv", **fields)


ALL_COLUMNS = {"findings_column": "findings", "patient_column": "patient"}


# What is read


def test_a_folder_per_label(folder):
    data = dataset(folder).load()
    assert data.images.shape == (4, 8, 8, 1)
    assert data.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40]
    assert data.label_names == ("cat", "dog")
    assert data.labels.tolist() == [[True, False]] * 2 + [[False, True]] * 2
    assert data.findings.shape == (4, 0)
    assert len(set(data.patients.tolist())) == 4
    assert data.metadata["file"].tolist() == list(LEVELS)
    assert data.notes == {"own_patients": True}
    assert data.official_test is None


def test_a_table(tabled):
    data = with_table(tabled, **ALL_COLUMNS).load()
    assert data.metadata["file"].tolist() == sorted(LEVELS)
    assert data.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40]
    assert data.label_names == ("cat", "dog", "small")
    assert data.labels.astype(int).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert data.finding_names == ("Fur", "Tail")
    assert data.findings.astype(int).tolist() == [[1, 1], [0, 1], [1, 0], [0, 0]]
    assert data.patients[1] == data.patients[3]
    assert len(set(data.patients.tolist())) == 3
    np.testing.assert_array_equal(data.metadata["age"], [3.5, np.nan, 1, 7])
    assert data.metadata["view"].tolist() == ["", "AP", "AP", "PA"]
    assert set(data.metadata) == {"file", "age", "view"}
    assert data.notes == {}


def test_where_labels_are_named_an_image_may_have_none(folder):
    text = "file,label\ncat/1.png,cat\ncat/deep/2.png,\ndog/3.jpg,dog|cat\ndog/4.PNG, | \n"
    data = with_table(folder, text, labels=["dog", "cat"]).load()
    assert data.labels.astype(int).tolist() == [[0, 1], [0, 0], [1, 1], [0, 0]]
    assert data.label_counts() == {"dog": 1, "cat": 2}
    with pytest.raises(DataError, match=r"by dataset\.labels; got '' on line 3, '\|' on line 5"):
        with_table(folder, text).load()


def test_csv_and_jsonl_say_the_same(tabled):
    head, *rows = [line.split(",") for line in TABLE.splitlines()]
    objects = [dict(zip(head, row, strict=True)) for row in rows]
    for row in objects:
        row["label"] = row["label"].split("|")
        row["findings"] = row["findings"].split("|") if row["findings"] else []
        row["age"] = float(row["age"]) if row["age"] else None
    (tabled / "t.jsonl").write_text("\n".join(map(json.dumps, objects)))
    csv = with_table(tabled, **ALL_COLUMNS).load()
    jsonl = dataset(tabled, table="t.jsonl", **ALL_COLUMNS).load()
    assert_same(csv, jsonl)


def test_other_column_names_and_another_separator(folder):
    text = "image;x,class\ncat/1.png,a;b\ncat/deep/2.png,a\ndog/3.jpg,b\ndog/4.PNG,b\n"
    fields = {"file_column": "image;x", "label_column": "class", "separator": ";"}
    data = with_table(folder, text, **fields).load()
    assert data.label_counts() == {"a": 2, "b": 3}


def test_the_table_s_order_does_not_count(tabled):
    first = with_table(tabled, **ALL_COLUMNS).load()
    head, *rows = TABLE.splitlines()
    again = with_table(tabled, "\n".join([head, *reversed(rows)]), **ALL_COLUMNS).load()
    assert_same(first, again)


def test_labels_keep_the_order_they_are_asked_for_in(folder):
    data = dataset(folder, labels=["dog", "cat"]).load()
    assert data.label_names == ("dog", "cat")
    assert data.labels[:, 1].tolist() == [True, True, False, False]


def test_colour_size_and_fit_reach_the_images(folder):
    Image.new("L", (32, 16), 50).save(folder / "cat/1.png")
    data = dataset(folder, color="rgb", fit="pad").load()
    assert data.images.shape == (4, 8, 8, 3)
    assert data.images[0, :, 0, 0].tolist() == [0, 0, 50, 50, 50, 50, 0, 0]


def test_hidden_files_do_not_count(folder):
    put(folder, {".thumbnails/x.png": 1, "cat/.x.png": 1})
    assert len(dataset(folder).load()) == 4


def test_it_is_built_from_plain_data(folder):
    data = {"_target_": "tgap.datasets.image_folder.ImageFolder", "path": str(folder)}
    built = building.build(Dataset, data, "dataset")
    assert built.load().label_counts() == {"cat": 2, "dog": 2}
    with pytest.raises(ConfigError, match=r"^dataset.path must name a folder of im"):
        building.build(Dataset, data | {"path": ""}, "dataset")


# What is wrong with the configuration


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 7}, "size must be at least 8, got 7"),
        ({"labels": ["a"]}, r"labels must be at least two different names, got \['a'\]"),
        ({"labels": ["a", "b", "a"]}, "labels must be at least two different names"),
        ({"separator": " "}, "separator must be visible characters, got ' '"),
        ({"patient_column": "p"}, "findings_column and patient_column are a table's; set table"),
        (
            {"table": "t.csv", "findings_column": "label"},
            "must be different names, got 'file', 'label', 'label'",
        ),
        ({"fit": "stretch"}, "fit must be one of crop, squash, pad, got 'stretch'"),
        ({"color": "gray"}, "color must be one of grey, rgb, got 'gray'"),
        ({"bad_files": "skip"}, "bad_files must be one of error, exclude, got 'skip'"),
    ],
)
def test_wrong_fields_are_told_when_it_is_made(fields, message):
    with pytest.raises(ConfigError, match=message):
        ImageFolder(**fields)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("x.csv", "table must be a file in path, but there is no .*x.csv"),
        ("t.txt", "table must end with .csv, .tsv or .jsonl; save it as CSV: .*got 't.txt'"),
        ("../t.csv", "table must be the relative path of a CSV or JSONL file in path"),
        ("/t.csv", "table must be the relative path of a CSV or JSONL file in path"),
        ("link.csv", "table must lie in path, but .*link.csv is a link to .*outside.csv"),
    ],
)
def test_a_table_that_is_not_there_or_leaves_the_folder(folder, table, message):
    (folder.parent / "outside.csv").write_text(TABLE)
    (folder / "link.csv").symlink_to(folder.parent / "outside.csv")
    with pytest.raises(ConfigError, match=message):
        dataset(folder, table=table)


def test_an_empty_folder_and_one_without_labels(tmp_path):
    (tmp_path / ".hidden").mkdir()
    with pytest.raises(ConfigError, match=r"path must name a folder of images, but .* is empty"):
        dataset(tmp_path)
    put(tmp_path, {"1.png": 1})
    with pytest.raises(ConfigError, match=r"path must hold a folder per label, but .* has none"):
        dataset(tmp_path)


# What is wrong with the folder


def test_images_beside_the_labels_folders(folder):
    put(folder, {"5.png": 1, "6.png": 1})
    message = "2 image files are in no label's folder: 5.png, 6.png; move them into one, leave"
    with pytest.raises(DataError, match=message):
        dataset(folder).load()


def test_a_label_without_images(folder):
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match="no image files in the folder of label bird; remove it"):
        ImageFolder(path=str(folder)).load()
    (folder / "bird" / "readme.txt").write_text("soon")
    with pytest.raises(DataError, match=r"bird, but 1 .txt file: .* leave the folder out by"):
        dataset(folder).load()


def test_one_label_only(folder):
    shutil.rmtree(folder / "dog")
    with pytest.raises(DataError, match="at least two labels must have images, got 'cat'"):
        dataset(folder).load()
    with pytest.raises(DataError, match="at least two labels must have images, got 'cat'"):
        with_table(folder, "file,label\ncat/1.png,cat\ncat/deep/2.png,cat\n").load()


def test_labels_that_are_not_in_the_list(folder):
    message = (
        r"labels that are not in the list dataset.labels: 'cat' \(2 images\); "
        r"did you mean 'cats'\? \(one of: dog, cats\)"
    )
    with pytest.raises(DataError, match=message):
        dataset(folder, labels=["dog", "cats"]).load()


def test_a_label_in_the_list_that_no_image_has(folder):
    with pytest.raises(DataError, match=r"needs at least two labels, each with .*'bird': 0"):
        dataset(folder, labels=["dog", "cat", "bird"]).load()


def test_files_that_are_no_images_by_their_names_are_counted(folder, caplog):
    (folder / "cat" / "scan.gif").write_bytes(b"x")
    (folder / "readme.txt").write_text("pets")
    os.mkfifo(folder / "dog" / "pipe.png")
    with caplog.at_level(logging.WARNING):
        data = dataset(folder).load()
    assert data.notes == {"own_patients": True, "other_files": 3, "warned": data.notes["warned"]}
    assert "3 files that are no images by their names are left out" in caplog.text
    assert "cat/scan.gif" in caplog.text


@pytest.mark.parametrize("target", ["..", "cat", "gone.png"])
def test_links_to_folders_and_to_nowhere_are_errors(folder, target):
    (folder / "link").symlink_to(folder / target)
    with pytest.raises(DataError, match=r"link is a link to .*; only links to files inside"):
        dataset(folder).load()


def test_a_link_to_a_file_inside_and_a_folder_that_is_a_link_are_followed(folder):
    (folder / "dog" / "5.png").symlink_to("4.PNG")
    (folder.parent / "link").symlink_to(folder)
    data = dataset(folder.parent / "link").load()
    assert data.metadata["file"].tolist() == [*LEVELS, "dog/5.png"]
    assert np.array_equal(data.images[4], data.images[3])


# What is wrong with the files


def test_excluded_files_leave_no_row_in_any_array(tabled):
    (tabled / "cat" / "1.png").write_text("no picture")
    text = TABLE + "dog/gone.png,dog,,p1,1,\nnotes.pdf,cat,,p1,1,\n"
    fields = {**ALL_COLUMNS, "bad_files": "exclude"}
    data = with_table(tabled, text, **fields).load()
    assert data.notes["excluded"] == {
        "missing": ["dog/gone.png", "notes.pdf"],
        "unreadable": ["cat/1.png"],
    }
    assert data.metadata["file"].tolist() == sorted(LEVELS)[1:]
    assert data.images[:, 0, 0, 0].tolist() == [20, 30, 40]
    assert data.labels.astype(int).tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert data.findings.astype(int).tolist() == [[0, 1], [1, 0], [0, 0]]
    assert data.patients[0] == data.patients[2] != data.patients[1]
    np.testing.assert_array_equal(data.metadata["age"], [np.nan, 1, 7])


def test_a_label_whose_files_are_all_excluded_is_an_error(folder):
    for name in ("1.png", "deep/2.png"):
        (folder / "cat" / name).write_text("no picture")
    with pytest.raises(DataError, match=r"needs at least two labels, each with images; got .*: 0"):
        dataset(folder, bad_files="exclude").load()


def test_listed_files_that_are_absent_are_one_error(tabled):
    text = TABLE + "dog/gone.png,dog,,p1,1,\nnotes.pdf,dog,,p1,1,\ncat/.h.png,dog,,p1,1,\n"
    put(tabled, {"cat/.h.png": 1})
    with pytest.raises(DataError) as caught:
        with_table(tabled, text, **ALL_COLUMNS).load()
    assert str(caught.value).startswith(
        "3 of 7 image files cannot be used:\n"
        "all 3 are of label dog\n"
        "  - cat/.h.png: there is no such file\n"
        "  - dog/gone.png: there is no such file\n"
        "  - notes.pdf: its name does not end with .png, .jpg"
    )


def test_no_listed_file_is_there(folder):
    with pytest.raises(DataError, match=r"(?s)1 of 1 image files .*no image is left"):
        with_table(folder, "file,label\nx.png,cat\n", bad_files="exclude").load()


# What is wrong with the table


BAD_TABLES = {
    "no file column": ("image,label\nx,y\n", {}, "t.csv has no column 'file'"),
    "near column": (
        "file,labels\nx,y\n",
        {},
        r"no column 'label'; did you mean 'labels'\? \(one of: file, lab",
    ),
    "no patient column": (
        "file,label\nx,y\n",
        {"patient_column": "patient"},
        "has no column 'patient'",
    ),
    "header alone": ("file,label\n", {}, "t.csv has no rows"),
    "no label": (
        TABLE + "dog/3.jpg,,,p1,1,\ncat/1.png, | ,,p1,1,\n",
        {},
        r"t.csv: 'label' must not be empty: fill it in, or remove the rows, or, if an image may "
        r"have no label, name all labels by dataset.labels; got '' on line 6, '\|' on line 7",
    ),
    "no file": ("file,label\n ,cat\n", {}, "'file' must not be empty: .*; got '' on line 2"),
    "no patient": (
        "file,label,p\ncat/1.png,cat,\n",
        {"patient_column": "p"},
        "'p' must not be empty: .*; got '' on line 2",
    ),
    "contradiction": (
        TABLE + "./cat/1.png,dog,Fur|Tail,p1,3.5,\n",
        {},
        r"lines 3 and 6 say different things of cat/1.png \(label\); let each file have one row",
    ),
    "dots": (
        "file,label\ncat/1.png,cat\ncat/../../pets/dog/3.jpg,dog\n",
        {"bad_files": "exclude"},
        "names files by absolute paths or with '..': cat/../../pets/dog/3.jpg; paths must be rela",
    ),
    "absolute": (
        "file,label\n/etc/passwd,cat\n",
        {"bad_files": "exclude"},
        "names files by absolute paths or with '..': /etc/passwd; paths",
    ),
    "a second file column": (
        "image,label,file\ncat/1.png,cat,7\n",
        {"file_column": "image"},
        "has a column 'file' beside the file column 'image'; rename it",
    ),
}


@pytest.mark.parametrize("what", BAD_TABLES)
def test_bad_tables(folder, what):
    text, fields, message = BAD_TABLES[what]
    with pytest.raises(DataError, match=message):
        with_table(folder, text, **fields).load()


def test_repeated_rows_and_unlisted_files_are_counted(folder, caplog):
    row = "cat/1.png,cat\n"
    text = f"file,label\n{row}dog/3.jpg,dog\n{row}{row}./{row}"
    with caplog.at_level(logging.WARNING):
        data = with_table(folder, text).load()
    assert data.metadata["file"].tolist() == ["cat/1.png", "dog/3.jpg"]
    expected = {"own_patients": True, "duplicate_rows": 3, "unlisted": 2}
    assert data.notes == {**expected, "warned": data.notes["warned"]}
    assert "3 rows of the table that repeat another one are left out: cat/1.png" in caplog.text
    assert "2 image files are left out, as no table names them where they lie: cat" in caplog.text


# Identity


def touch(folder):
    os.utime(folder / "cat/1.png", ns=(0, 1))


def rewrite(folder):
    status = (folder / "cat/1.png").stat()
    with (folder / "cat/1.png").open("ab") as file:
        file.write(b"x")
    os.utime(folder / "cat/1.png", ns=(status.st_atime_ns, status.st_mtime_ns))


def rename(folder):
    (folder / "cat/1.png").rename(folder / "dog/1.png")


def add(folder):
    put(folder, {"cat/9.png": 3})


def edit_table(folder):
    (folder / "t.csv").write_text(TABLE.replace("p10", "p11"))


@pytest.mark.parametrize("change", [touch, rewrite, rename, add, edit_table])
def test_a_change_of_the_content_changes_the_identity(tabled, change):
    before = dataset(tabled, table="t.csv").identity()
    change(tabled)
    assert dataset(tabled, table="t.csv").identity() != before


def test_files_that_do_not_count_do_not_change_the_identity(tabled):
    before = dataset(tabled, table="t.csv").identity()
    (tabled / "readme.txt").write_text("pets")
    (tabled / ".cache").write_text("x")
    os.utime(tabled / "t.csv", ns=(0, 1))
    assert dataset(tabled, table="t.csv").identity() == before
