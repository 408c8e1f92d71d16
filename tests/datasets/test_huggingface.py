import io
import logging
import shutil
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tgap.core import ConfigError, DataError
from tgap.datasets.huggingface import Huggingface, official_test
from tgap.datasets.reading.numbered import found_in_order, names_in

ROWS = 6


@pytest.fixture(scope="module")
def hf() -> Any:
    return pytest.importorskip("datasets", reason="the package datasets is not installed")


def pixels(row: int, size: int = 16) -> NDArray[np.uint8]:
    return np.random.default_rng(row).integers(0, 256, (size, size), np.uint8)


def png(row: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels(row)).save(stream, "PNG")
    return stream.getvalue()


def table(hf: Any, start: int = 0, **columns: Any) -> Any:
    """Rows with images, and other columns as ``name=(type, values)``."""
    features: dict[str, Any] = {"image": hf.Image()}
    data: dict[str, Any] = {
        "image": [{"bytes": png(start + row), "path": None} for row in range(ROWS)]
    }
    for name, (kind, values) in columns.items():
        features[name], data[name] = kind, values
    return hf.Dataset.from_dict(data, features=hf.Features(features))


def labelled(hf: Any, start: int = 0, values: Sequence[Any] = (0, 1, 0, 1, 0, 1)) -> Any:
    return table(hf, start, label=(hf.ClassLabel(names=["healthy", "ill"]), list(values)))


def saved(dataset: Any, folder: Path) -> str:
    dataset.save_to_disk(folder)
    return str(folder)


def load(dataset: Any, tmp_path: Path, **fields: Any) -> Any:
    path = saved(dataset, tmp_path / "saved")
    return Huggingface(path=path, size=16, **fields).load()


def test_images_are_those_that_were_saved_and_class_names_are_the_labels(
    hf: Any, tmp_path: Path
) -> None:
    data = load(labelled(hf), tmp_path)
    assert np.array_equal(data.images[..., 0], [pixels(row) for row in range(ROWS)])
    assert data.label_names == ("healthy", "ill")
    assert data.labels[:, 1].tolist() == [False, True] * 3
    assert data.patients.tolist() == list(range(ROWS))
    assert data.official_test is None
    assert data.notes == {}


def test_size_and_color(hf: Any, tmp_path: Path) -> None:
    path = saved(labelled(hf), tmp_path / "saved")
    assert Huggingface(path=path, color="rgb", size=8).load().images.shape == (ROWS, 8, 8, 3)


def test_the_array_is_the_one_that_new_images_made(hf: Any, tmp_path: Path) -> None:
    made = []

    def recorded(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        made.append(np.zeros(shape, np.uint8))
        return made[-1]

    data = Huggingface(path=saved(labelled(hf), tmp_path / "saved")).load(recorded)
    assert data.images is made[0]


def test_splits_follow_each_other_and_test_is_the_official_one(hf: Any, tmp_path: Path) -> None:
    both = hf.DatasetDict({"train": labelled(hf), "test": labelled(hf, start=ROWS)})
    data = load(both, tmp_path)
    assert np.array_equal(data.images[..., 0], [pixels(row) for row in range(2 * ROWS)])
    assert data.official_test.tolist() == [False] * ROWS + [True] * ROWS
    path = str(tmp_path / "saved")
    turned = Huggingface(path=path, size=16, splits=["test", "train"]).load()
    assert np.array_equal(turned.images[..., 0], [pixels((row + ROWS) % 12) for row in range(12)])
    assert turned.official_test is not None
    assert turned.official_test.tolist() == [True] * ROWS + [False] * ROWS
    alone = Huggingface(path=path, splits=["test"]).load()
    assert len(alone) == ROWS
    assert alone.official_test is None


@pytest.mark.parametrize(
    ("kind", "values", "fields", "names", "rows"),
    [
        ("int64", [10, 9, 10, 9, 9, 9], {}, ("9", "10"), "101000"),
        ("int8", [0, 1, 0, 1, 0, 0], {"labels": ["no", "yes"]}, ("no", "yes"), "010100"),
        ("bool", [True, False, True, False, True, True], {}, ("false", "true"), "101011"),
        ("bool", [True, False] * 3, {"labels": ["well", "ill"]}, ("well", "ill"), "101010"),
        ("string", ["b", "a", " b ", "a", "b", "b"], {}, ("a", "b"), "101011"),
        ("string", ["b", "a"] * 3, {"labels": ["b", "a"]}, ("b", "a"), "010101"),
        ("string", ["None", "a"] * 3, {"labels": ["None", "a"]}, ("None", "a"), "010101"),
        ("float64", [1.0, 2.0] * 3, {}, ("1", "2"), "010101"),
    ],
)
def test_kinds_of_label_columns(
    hf: Any, tmp_path: Path, kind: str, values: list[Any], fields: Any, names: Any, rows: str
) -> None:
    data = load(table(hf, label=(hf.Value(kind), values)), tmp_path, **fields)
    assert data.label_names == names
    assert "".join(str(int(second)) for second in data.labels[:, 1]) == rows
    assert (data.labels.sum(axis=1) == 1).all()


def test_lists_are_labels_that_may_hold_together_or_not_at_all(hf: Any, tmp_path: Path) -> None:
    numbers = [[0], [1], [0, 1], [], [1], [0]]
    texts = [["ab"[n] for n in row] for row in numbers]
    expected = [[n in row for n in (0, 1)] for row in numbers]
    kinds = [
        (hf.List(hf.ClassLabel(names=["a", "b"])), numbers),
        (hf.List(hf.Value("string")), texts),
        (hf.List(hf.Value("int32")), numbers),
    ]
    for i, column in enumerate(kinds):
        data = load(table(hf, label=column), tmp_path / str(i))
        assert data.labels.tolist() == expected
        assert data.label_names == (("0", "1") if i == 2 else ("a", "b"))


def test_findings_patients_and_metadata_come_from_their_columns(hf: Any, tmp_path: Path) -> None:
    dataset = table(
        hf,
        label=(hf.ClassLabel(names=["healthy", "ill"]), [0, 1] * 3),
        finding=(hf.Value("string"), [None, "mass", None, "edema", "", "mass"]),
        patient=(hf.Value("int64"), [7, 7, 3, 3, 3, 12]),
        age=(hf.Value("float32"), [1.5, None, 3, 4, 5, 6]),
        smoker=(hf.Value("bool"), [True, False, None, True, True, True]),
        site=(hf.ClassLabel(names=["north", "south"]), [0, 1, -1, 1, 0, 0]),
        sex=(hf.Value("string"), ["m", None, "f", "f", "m", "m"]),
        day=(hf.Value("date32"), [date(2020, 1, 2)] * 6),
        report=(hf.Value("string"), ["long " * 100] * 6),
        boxes=(hf.List(hf.Value("int32")), [[1]] * 6),
    )
    data = load(dataset, tmp_path, findings_column="finding", patient_column="patient")
    assert data.finding_names == ("edema", "mass")
    assert data.findings.astype(int).tolist() == [[0, 0], [0, 1], [0, 0], [1, 0], [0, 0], [0, 1]]
    same = data.patients[:, None] == data.patients
    assert np.array_equal(same, np.equal.outer([7, 7, 3, 3, 3, 12], [7, 7, 3, 3, 3, 12]))
    assert sorted(data.metadata) == ["age", "day", "sex", "site", "smoker"]
    assert np.array_equal(data.metadata["age"], [1.5, np.nan, 3, 4, 5, 6], equal_nan=True)
    assert np.array_equal(data.metadata["smoker"], [1, 0, np.nan, 1, 1, 1], equal_nan=True)
    assert data.metadata["site"].tolist() == ["north", "south", "", "south", "north", "north"]
    assert data.metadata["sex"].tolist() == ["m", "", "f", "f", "m", "m"]
    assert data.metadata["day"][0] == "2020-01-02"


def test_a_missing_value_hides_no_finding_beside_it(hf: Any, tmp_path: Path) -> None:
    found = [["mass", None], ["edema"], [], ["NaN"], ["mass", "edema"], None]
    dataset = table(
        hf, label=(hf.Value("string"), ["a", "b"] * 3), finding=(hf.List(hf.Value("string")), found)
    )
    data = load(dataset, tmp_path, findings_column="finding")
    assert data.finding_names == ("edema", "mass")
    assert data.findings.sum(axis=1).tolist() == [1, 1, 0, 0, 2, 0]


def test_long_texts_are_left_out_and_that_is_told(
    hf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = labelled(hf).add_column("report", ["x" * 300] * ROWS)
    with caplog.at_level(logging.WARNING):
        assert load(dataset, tmp_path).metadata == {}
    assert "column 'report' is not kept" in caplog.text


def test_a_format_that_was_saved_along_does_not_matter(hf: Any, tmp_path: Path) -> None:
    assert len(load(labelled(hf).with_format("numpy"), tmp_path)) == ROWS


def broken_image(hf: Any, cell: dict[str, Any] | None) -> Any:
    dataset = labelled(hf)
    cells = [{"bytes": png(row), "path": None} for row in range(ROWS)]
    cells[2] = cell  # type: ignore[assignment]
    return hf.Dataset.from_dict(
        {"image": cells, "label": dataset["label"][:]}, features=dataset.features
    )


def test_values_of_twelve_bits_are_told_and_read_with_a_window(hf: Any, tmp_path: Path) -> None:
    def deep(row: int) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels(row).astype(np.uint16) * 16).save(stream, "PNG")
        return stream.getvalue()

    features = labelled(hf).features
    cells = [{"image": {"bytes": deep(row), "path": None}, "label": row % 2} for row in range(ROWS)]
    path = saved(hf.Dataset.from_list(cells, features=features), tmp_path / "saved")
    with pytest.raises(DataError, match=r"6 of 6 images are nearly black.*dataset.window=0:4095"):
        Huggingface(path=path, size=16).load()
    windowed = Huggingface(path=path, size=16, window="0:4080")
    assert np.array_equal(windowed.load().images[..., 0], [pixels(row) for row in range(ROWS)])


@pytest.mark.parametrize("cell", [{"bytes": b"text", "path": None}, None])
def test_bad_images_are_told_or_left_out(hf: Any, tmp_path: Path, cell: Any) -> None:
    path = saved(hf.DatasetDict({"train": broken_image(hf, cell)}), tmp_path / "saved")
    with pytest.raises(DataError, match=r"(?s)1 of 6 .*train\[2\].*bad_files=exclude"):
        Huggingface(path=path, size=16).load()
    data = Huggingface(path=path, size=16, bad_files="exclude").load()
    kept = [0, 1, 3, 4, 5]
    assert np.array_equal(data.images[..., 0], [pixels(row) for row in kept])
    assert data.labels[:, 1].tolist() == [False, True, True, False, True]
    assert data.notes == {"excluded": {"unreadable": ["train[2]"]}, "warned": data.notes["warned"]}


def test_images_beside_the_data_are_read_and_those_elsewhere_are_not(
    hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, secret = tmp_path / "saved", tmp_path / "secret.png"
    folder.mkdir()
    secret.write_bytes(png(2))
    shutil.copy(secret, folder / "inside.png")
    (folder / "link.png").symlink_to(secret)

    def loaded(named: str) -> NDArray[np.uint8]:
        dataset = broken_image(hf, {"bytes": None, "path": named})
        # save_to_disk puts the images into the data, so that such a folder is not of its making
        monkeypatch.setattr(hf, "load_from_disk", lambda path: dataset)
        return Huggingface(path=str(folder), size=16, bad_files="exclude").load().images[..., 0]

    for named in ("inside.png", str(folder / "inside.png")):
        assert np.array_equal(loaded(named)[2], pixels(2))
    for named in ("link.png", "../secret.png", str(secret)):
        with pytest.raises(DataError, match=r"image all\[2\] is not in the data.*not read: save"):
            loaded(named)
    assert len(loaded("missing.png")) == ROWS - 1


def test_identity_is_the_content_not_the_place(hf: Any, tmp_path: Path) -> None:
    first = Huggingface(path=saved(labelled(hf), tmp_path / "a"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert Huggingface(path=str(tmp_path / "b")).identity() == first.identity()
    other = Huggingface(path=saved(labelled(hf, start=1), tmp_path / "c"))
    assert other.identity() != first.identity()
    hub = Huggingface(repo="a/b", revision="main", splits=["train"]).identity()
    assert hub["repo"] == "a/b"
    assert hub["revision"] == "main"
    assert "path" not in hub
    assert hub != Huggingface(repo="a/b", revision="main").identity()


def test_the_hub_is_asked_for_what_was_named(hf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load_dataset(*args: Any, **kwargs: Any) -> Any:
        asked.append((args, kwargs))
        return hf.DatasetDict({"train": labelled(hf), "test": labelled(hf, ROWS)})

    monkeypatch.setattr(hf, "load_dataset", load_dataset)
    dataset = Huggingface(repo="owner/name", revision="abc", subset="small", splits=["train"])
    assert len(dataset.load()) == ROWS
    assert asked == [(("owner/name", "small"), {"revision": "abc"})]


def test_the_hub_s_images_are_read_from_its_cache_only(
    hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    (tmp_path / "hub").mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for folder in (tmp_path / "hub", tmp_path):
        (folder / "x.png").write_bytes(png(2))
        dataset = broken_image(hf, {"bytes": None, "path": str(folder / "x.png")})
        monkeypatch.setattr(hf, "load_dataset", lambda *a, d=dataset, **k: hf.DatasetDict(train=d))
        if folder == tmp_path:
            with pytest.raises(DataError, match=r"outside .*hub and .*is not read"):
                Huggingface(repo="a/b").load()
        else:
            data = Huggingface(repo="a/b", size=16).load()
            assert np.array_equal(data.images[2, ..., 0], pixels(2))


def test_without_network_the_remedy_is_told(hf: Any) -> None:
    assert hf.config.HF_HUB_OFFLINE
    with pytest.raises(DataError, match=r"(?s)cannot be fetched.*save_to_disk.*dataset.path=<fold"):
        Huggingface(repo="tgap-test/none").load()


def test_a_name_that_is_also_a_folder_here(
    hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="'mnist' is also a file or folder here"):
        Huggingface(repo="mnist").load()


def test_without_the_package_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'tgap\[huggingface\]'"):
        Huggingface(path=str(tmp_path)).load()


def test_wrong_fields_are_told_together() -> None:
    with pytest.raises(ConfigError) as told:
        Huggingface(
            path="/nowhere",
            repo="../etc",
            subset="x",
            label_column="image",
            splits=["a", "a"],
            labels=["b", "b"],
            fit="stretch",
            size=4,
        )
    text = str(told.value)
    for part in (
        "one of the two",
        "path must name an existing folder, got '/nowhere'",
        "revision and subset are the hub's",
        "repo must be a name on the hub such as owner/name, got '../etc'",
        "patient_column must differ, got image, image",
        "splits must differ from each other, got ['a', 'a']",
        "labels must differ from each other, got ['b', 'b']",
        "fit must be one of crop, squash, pad, got 'stretch'",
        "size must be at least 8, got 4",
    ):
        assert part in text
    with pytest.raises(ConfigError, match="path must name an existing folder, got ''"):
        Huggingface(path="")  # not the current folder
    with pytest.raises(
        ConfigError, match=r"path .*or repo.*one of the two, got path=None and repo=None"
    ):
        Huggingface()


def test_a_folder_that_is_no_dataset(hf: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read as a dataset.*save_to_disk wrote"):
        Huggingface(path=str(tmp_path)).load()
    path = Path(saved(labelled(hf), tmp_path / "saved"))
    (path / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as a dataset"):
        Huggingface(path=str(path)).load()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"label_column": "lable"}, "has no column 'lable'; did you mean 'label'"),
        ({"patient_column": "who"}, "has no column 'who'"),
        ({"splits": ["tran"]}, "has no split 'tran'; did you mean 'train'"),
        ({"image_column": "label", "label_column": "image"}, "must be of type Image, got ClassL"),
        ({"labels": ["healthy", "sick"]}, "not in the list dataset.labels: 'ill' "),
    ],
)
def test_what_the_data_lacks_is_told(hf: Any, tmp_path: Path, fields: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        load(hf.DatasetDict({"train": labelled(hf)}), tmp_path, **fields)


def test_a_column_that_may_name_patients_is_told_of(
    hf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = labelled(hf).add_column("Patient ID", [1, 1, 2, 2, 3, 3])
    load(hf.DatasetDict({"train": table}), tmp_path)
    assert "set dataset.patient_column='Patient ID', so that a patient's" in caplog.text


def test_rows_without_label_or_patient_are_told(hf: Any, tmp_path: Path) -> None:
    both = hf.DatasetDict({"train": labelled(hf), "test": labelled(hf, values=[-1] * ROWS)})
    with pytest.raises(DataError, match=r"6 of 12 rows have no label in column 'label'.*test\[0\]"):
        load(both, tmp_path)
    assert len(Huggingface(path=str(tmp_path / "saved"), splits=["train"]).load()) == ROWS
    unknown = labelled(hf).add_column("patient", ["a", None, "b", "", "c", "d"])
    with pytest.raises(DataError, match=r"2 of 6 rows have no patient in column 'patient'.*\[1\]"):
        load(unknown, tmp_path / "patients", patient_column="patient")


@pytest.mark.parametrize(
    ("column", "kind", "values", "told"),
    [
        (
            "label",
            "string",
            ["a", "NaN", "b", "n/a", "a", "b"],
            r"2 of 6 rows have no label .*\[1\]",
        ),
        ("label", "float64", [1.0, float("nan")] * 3, "3 of 6 rows have no label"),
        ("label", "string", ["a", "A", "b"] * 2, r"the same: 'a' \(2 images\) and 'A'"),
        ("patient", "string", ["7", "7.0", "8"] * 2, r"'7' on .*\[0\] and '7.0' on .*\[1\]"),
        ("patient", "float64", [1.0, float("nan")] * 3, "3 of 6 rows have no patient"),
        ("finding", "string", ["Edema", "edema", "-"] * 2, "findings that are written in several"),
    ],
)
def test_cells_that_mean_the_same_or_nothing_are_told(
    hf: Any, tmp_path: Path, column: str, kind: str, values: list[Any], told: str
) -> None:
    labels = {"label": (hf.Value("string"), list("abcabc"))}
    dataset = table(hf, **{**labels, column: (hf.Value(kind), values)})
    fields = {"patient": {"patient_column": column}, "finding": {"findings_column": column}}
    with pytest.raises(DataError, match=told):
        load(dataset, tmp_path, **fields.get(column, {}))


def test_nothing_beside_something_is_told(
    hf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = (hf.Value("string"), ["No Finding", "a"] * 3)
    findings = (hf.Value("string"), ["", "x", "Edema", "x", "", "x"])
    load(table(hf, label=labels, finding=findings), tmp_path, findings_column="finding")
    assert "'No Finding' stands alone in 2 images and together with others" in caplog.text
    assert "[2] (Edema); correct these rows" in caplog.text


def test_labels_of_another_kind_and_numbers_without_names(hf: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold class numbers.*got 0\.5"):
        load(table(hf, label=(hf.Value("float32"), [0.5] * ROWS)), tmp_path)
    with pytest.raises(DataError, match=r"has the class number 2, but there are 2 names .* a, b"):
        load(table(hf, label=(hf.Value("int8"), [0, 1, 2] * 2)), tmp_path / "b", labels=["a", "b"])


def test_splits_with_other_columns_are_told(hf: Any, tmp_path: Path) -> None:
    other = table(hf, label=(hf.Value("string"), ["a", "b"] * 3))
    with pytest.raises(DataError, match=r"splits train, test have different columns"):
        load(hf.DatasetDict({"train": labelled(hf), "test": other}), tmp_path)


def test_no_rows(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = labelled(hf).select([])
    with pytest.raises(DataError, match="cannot be read as a dataset"):
        load(empty, tmp_path)  # the library itself cannot read it back
    monkeypatch.setattr(hf, "load_dataset", lambda *a, **k: hf.DatasetDict({"train": empty}))
    with pytest.raises(DataError, match="dataset a/b has no rows in train"):
        Huggingface(repo="a/b").load()


@given(st.lists(st.integers(0, 4), max_size=5), st.booleans())
def test_names_of_numbers_are_in_their_place(numbers: list[int], named: bool) -> None:
    names = ["a", "b", "c", "d", "e"]
    expected = tuple(names[n] if named else str(n) for n in numbers)
    assert names_in(numbers, names if named else [], "label") == expected


@pytest.mark.parametrize("cell", [None, "", "  ", [None], ["a", ""]])
def test_cells_without_value(cell: Any) -> None:
    assert names_in(cell, [], "label") is None


def test_minus_one_is_a_number_where_numbers_have_no_names() -> None:
    assert names_in(-1, [], "label") == ("-1",)
    assert names_in(-1, ["a"], "label") is None
    assert found_in_order([("-1",), ("10",), ("2",)]) == ("-1", "2", "10")


def test_official_test_counts_the_images_that_were_kept() -> None:
    parts = [("train", 2), ("test", 2)]
    found = official_test(parts, np.array([0, 3]))
    assert found is not None
    assert found.tolist() == [False, True]
    assert official_test(parts, np.array([0, 1])) is None
    assert official_test([("test", 2)], np.array([0, 1])) is None
