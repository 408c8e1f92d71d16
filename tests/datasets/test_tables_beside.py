"""What is told of tables beside images works when it is typed."""

import pathlib
import re

import pandas
import pytest

from tests.corpus.making import grey, put
from tests.corpus.tables_beside import _by_blanks, _persons
from tgap.core import ConfigError, DataError
from tgap.datasets.image_folder import ImageFolder


def test_a_row_per_image_is_written_of_a_row_per_person(tmp_path, monkeypatch):
    _persons(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as refused:
        ImageFolder(path=".", size=16).listed()
    code = re.search(r"import pandas, pathlib; (.*)\), let dataset.path", str(refused.value))[1]
    exec(code, {"pandas": pandas, "pathlib": pathlib})
    data = ImageFolder(
        path="images.csv", patient_column="participant_id", label_column="group", size=16
    ).listed()
    assert data.label_counts() == {"AD": 18, "CN": 18}
    assert data.metadata["file"][0] == "sub-00/anat/sub-00_0.png"
    assert len(set(data.patients.tolist())) == 12


@pytest.mark.parametrize("between", [" ", "   ", "\t"])
def test_a_csv_is_made_of_text(between, tmp_path, monkeypatch):
    _by_blanks(tmp_path, between)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        ImageFolder(path="train.txt", size=16)
    code = re.search(r"\(pandas: (.*)\)", str(refused.value))[1]
    exec(f"pandas.{code}", {"pandas": pandas})
    table = pandas.read_csv("train.csv")
    assert table["file"].tolist() == [f"a{n}.png" for n in range(30)]
    assert table["column3"].tolist() == ["negative", "positive"] * 15


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_csv_is_made_of_text_as_windows_saves_it(tmp_path, monkeypatch, encoding):
    _by_blanks(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = pathlib.Path("train.txt").read_text("utf-8").replace("positive", "größer")
    pathlib.Path("train.txt").write_text(text, encoding)
    with pytest.raises(ConfigError, match=f"encoding='{encoding}'") as refused:
        ImageFolder(path="train.txt", size=16)
    exec(f"pandas.{re.search(r'[(]pandas: (.*)[)]', str(refused.value))[1]}", {"pandas": pandas})
    assert pandas.read_csv("train.csv")["column3"].tolist() == ["negative", "größer"] * 15


def test_a_csv_that_is_there_is_not_written_over(tmp_path, monkeypatch):
    _by_blanks(tmp_path)
    (tmp_path / "train.csv").write_text("mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"to_csv\('train_table.csv', index=False\)"):
        ImageFolder(path="train.txt", size=16)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_files_that_are_not_read_are_to_be_converted_and_not_removed(tmp_path, monkeypatch):
    for label in ("cat", "dog"):
        put(tmp_path / label / "1.png", grey(0, 1))
    (tmp_path / "bird").mkdir()
    for n in range(7):
        put(tmp_path / "bird" / f"{n}.gif", grey(1, n))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=r"the folder of label bird, but 7 \.gif files: if"
    ) as refused:
        ImageFolder(path=".", size=16).listed()
    assert "remove" not in str(refused.value)
    imported, code = re.search(
        r"\(import pathlib, (PIL.Image); (.*)\); if not", str(refused.value)
    ).groups()
    exec(f"import {imported}; {code}", {"pathlib": pathlib})
    assert ImageFolder(path=".", size=16).listed().label_counts() == {"bird": 7, "cat": 1, "dog": 1}
