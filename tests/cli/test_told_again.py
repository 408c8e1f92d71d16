"""What was warned of when images were read is told again, and by the names of their place."""

from pathlib import Path

import pytest

from tests.corpus.making import grey, put, put_folders, put_table
from tgap.cli.main import command

PARTS = "the first folders are parts of a split"


def test_warnings_of_the_reading_are_told_by_every_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    for part, count in (("train", 20), ("test", 10)):
        put_folders(tmp_path / "pets" / part, count=count)
    words = ["dataset=image_folder", f"dataset.path={tmp_path / 'pets'}"]
    for _ in range(2):
        assert command(["data", *words]) == 0
        head, _, _ = capsys.readouterr().out.partition("images of 32 x 32")
        assert "Look at this first" in head
        assert PARTS.capitalize() in head.replace("\n  ", " ")
    caplog.clear()
    few = "size=900 pool_size=20 train_size=20 test_size=20 dataset.domain=pet".split()
    assert command(["run", *words, *few]) == 2
    assert PARTS in caplog.text


def test_what_pixels_look_like_is_told_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    put_folders(tmp_path / "pets")
    cut = grey(0, 3)
    cut[20:] = 128
    put(tmp_path / "pets" / "cat" / "3.png", cut)
    words = ["dataset=image_folder", f"dataset.path={tmp_path / 'pets'}"]
    assert command(["data", *words]) == 0
    few = "size=900 pool_size=20 train_size=20 test_size=20 dataset.domain=pet".split()
    for _ in range(2):
        caplog.clear()
        assert command(["run", *words, *few]) == 2
        assert "1 of 60 images are of one level (128) from some row" in caplog.text


def test_errors_name_the_settings_of_the_set_that_they_are_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    put_folders(tmp_path / "real")
    put_folders(tmp_path / "made")
    for number in range(30):
        put(tmp_path / "made" / "cat" / "masks" / f"{number}.png", grey(0, number))
    words = ["evaluate", "--real", str(tmp_path / "real"), "--synthetic", str(tmp_path / "made")]
    assert command(words) == 2
    told = capsys.readouterr().err
    assert "generator.images: " in told
    assert "generator.images.exclude=[masks]" in told
    assert "dataset.exclude" not in told


def test_patients_that_differ_in_case_are_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    folder = tmp_path / "files"
    put_folders(folder)
    rows = [
        f"{label}/{number}.png,{label},{'pP'[number % 2]}{number // 2 % 10}"
        for label in ("cat", "dog")
        for number in range(30)
    ]
    put_table(folder, ["file,label,patient", *rows])
    words = ["data", "dataset=image_folder", f"dataset.path={folder / 'labels.csv'}"]
    words.append("dataset.patient_column=patient")
    told = []
    for _ in range(2):
        assert command(words) == 0
        told.append(capsys.readouterr().out)
    assert "written alike but for case" in told[0]
    assert told[0] == told[1]


def test_that_no_patients_are_known_is_told_until_it_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    put_folders(tmp_path / "pets")
    words = ["dataset=image_folder", f"dataset.path={tmp_path / 'pets'}", "dataset.domain=pet"]
    text = "Each of the 60 images counts as its own patient"
    assert command(["data", *words]) == 0
    assert f":\n- {text}" in capsys.readouterr().out
    caplog.clear()
    assert command(["run", *words, "size=900"]) == 2
    assert [record.levelname for record in caplog.records if text in record.getMessage()] == [
        "WARNING"
    ]
    assert command(["data", *words, "dataset.patient_column="]) == 0
    assert text not in capsys.readouterr().out
