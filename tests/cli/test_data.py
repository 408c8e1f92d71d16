import html
import shlex
from pathlib import Path

import pytest

from tests.corpus.making import put_folders
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


def test_a_page_is_written_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["dataset=phantom_xray", "dataset.images=60", "dataset.domain='a b'"]
    assert command(["data", *words, "--html", "page.html"]) == 0
    assert "\npage: page.html\n" in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text("utf-8")
    typed = "tgap data dataset=phantom_xray dataset.images=60 "
    assert f"{typed}{shlex.quote(words[-1])} --html page.html" in html.unescape(text)
    assert "label unhealthy" in text


@pytest.mark.parametrize(("place", "told"), [("no/a.html", "no folder no"), (".", "a folder")])
def test_where_no_page_can_be_written_is_told_before_anything_is_read(
    place: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["data", "dataset=phantom_xray", "--html", place]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / ".tgap").exists()


def test_a_protocols_advice_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_folders(tmp_path / "pets", count=12)
    monkeypatch.chdir(tmp_path)
    words = ["dataset=image_folder", "dataset.path=pets", "dataset.domain=pet"]
    assert command(["data", *words]) == 0
    text = capsys.readouterr().out
    assert text.index("- Label 'cat' has 12 images only") < text.index("24 images of 32 x 32")
