from pathlib import Path

import pytest

from tgap.cli.main import command


def test_a_dataset_is_described_and_its_sheet_named(
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
