"""A report's folder is whole, or as it was."""

import os
from pathlib import Path

import pytest

from tgap.core import DataError
from tgap.report.runs.folder import MARK, check_folder, write_folder

FILES = {"index.html": f"<!doctype html>{MARK}", "cost.csv": "a\n", "cost.tex": "b\n"}


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report"
    write_folder(out, {**FILES, "old.md": "old"})
    write_folder(out, FILES)
    assert {path.name: path.read_text() for path in out.iterdir()} == FILES
    assert [path.name for path in out.parent.iterdir()] == ["report"]


def test_an_empty_folder_becomes_one(tmp_path: Path) -> None:
    write_folder(tmp_path, FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    "foreign", [{"thesis.docx": "x"}, {"data.csv": "x"}, {"index.html": "<html>my page</html>"}]
)
def test_what_is_no_report_is_left_alone(tmp_path: Path, foreign: dict[str, str]) -> None:
    for name, text in foreign.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=r"holds what is no report of tgap \(.*name of a new"):
        write_folder(tmp_path, FILES)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == foreign


def test_a_report_with_a_file_of_one_s_own_is_left_alone(tmp_path: Path) -> None:
    write_folder(tmp_path / "r", FILES)
    (tmp_path / "r" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"no report of tgap \(notes.txt\)"):
        check_folder(tmp_path / "r")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("x")
    with pytest.raises(DataError, match=r"--out must name a folder, and .* is a file"):
        check_folder(tmp_path / "r")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_right_to_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match=r"cannot write the report to .*change its permissions"):
            write_folder(tmp_path / "r", FILES)
    finally:
        tmp_path.chmod(0o700)


def test_a_disk_that_is_full_leaves_the_earlier_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "r", FILES)
    write = Path.write_text

    def full(path: Path, text: str, *args: object, **kwargs: object) -> int:
        if path.name == "cost.tex":
            raise OSError(28, "No space left on device")
        return write(path, text, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match=r"cannot write the report to .*No space left.*free space"):
        write_folder(tmp_path / "r", {**FILES, "index.html": f"new {MARK}"})
    assert {path.name: path.read_text() for path in (tmp_path / "r").iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_move_that_fails_brings_the_earlier_report_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "r", FILES)
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name.endswith(".part"):
            raise OSError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(DataError, match="Permission denied"):
        write_folder(tmp_path / "r", {**FILES, "index.html": f"new {MARK}"})
    assert (tmp_path / "r" / "index.html").read_text() == FILES["index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
