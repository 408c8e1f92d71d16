"""Consoles and files of any encoding show what was computed."""

import io
import re
import sys
from pathlib import Path

import pytest

from tests.corpus.making import put_folders
from tgap.cli.main import command

SHORT = (
    "generator=noise size=3 budget.train_per_label=6 budget.test_per_label=4 dataset.size=32 "
    "classifier=logistic_regression tracking.pictures=false dataset.domain=Röntgenbild"
).split()


def shown(
    words: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch, code: int = 0
) -> tuple[str, str]:
    """What a command writes to streams of that encoding, read back."""
    streams = {}
    for name in ("stdout", "stderr"):
        streams[name] = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
        monkeypatch.setattr(sys, name, streams[name])
    assert command(words) == code
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams.values())
    assert "Traceback" not in err
    return out, err


def test_every_command_shows_its_results(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_folders(tmp_path / "pets", ("größe", "žluť"))
    dataset = ["dataset=image_folder", "dataset.path=pets"]
    out, _ = shown(["data", *dataset, "dataset.size=32"], "cp1252", monkeypatch)
    assert "größe" in out
    assert "žlu\\u0165" in out
    assert "\n---" in out, "rules of tables are lines"
    out, _ = shown(["run", *dataset, *SHORT], "ascii", monkeypatch)
    assert "\n-----" in out
    assert "TSTR" in out
    out, _ = shown(["compare"], "latin-1", monkeypatch)
    assert "\n-----" in out
    out, _ = shown(["compare", "--markdown", "--metric", "tstr/auroc_größe"], "ascii", monkeypatch)
    assert "gr\\xf6\\xdfe" in out
    (log,) = Path().glob("outputs/*/*/tgap.log")
    assert log.read_text("utf-8")


def test_columns_line_up_whatever_a_console_lacks(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_folders(tmp_path / "pets", ("größe", "cat"), count=10)
    words = ["data", "dataset=image_folder", "dataset.path=pets", "dataset.size=32"]
    out, _ = shown(words, "ascii", monkeypatch)
    of_counts = [line for line in out.splitlines() if re.match(r"label \S+ +\|?\d+ \(", line)]
    assert len(of_counts) == 2, out
    assert "label gr\\xf6\\xdfe" in of_counts[1]
    assert len({line.index(")") for line in of_counts}) == 1


@pytest.mark.parametrize("words", ["--help", "run --help", "run --help all", "completion zsh"])
def test_help_is_shown(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(words.split(), "ascii", monkeypatch)[0]


def test_mistakes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = shown(["run", "selector=größe"], "ascii", monkeypatch, code=2)
    assert "no selector is named 'gr\\xf6\\xdfe'" in err
    out, _ = shown(["run", "--cfg", "job", "dataset.domain=größe"], "ascii", monkeypatch)
    assert "domain: gr\\xf6\\xdfe" in out
