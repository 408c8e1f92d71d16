"""Every case of the corpus, through the command that a person types."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import (
    bars,
    beside,
    codes,
    folders,
    formats,
    labels,
    levels,
    looks,
    models,
    namesakes,
    persons,
    pixels,
    records,
    scans,
    tables,
    tables_beside,
    unlisted,
    words,
)
from tests.corpus.case import Case
from tgap.cli.main import command
from tgap.composition.compose import compose_run, hydra_ready

PARTS = (
    bars,
    beside,
    codes,
    folders,
    formats,
    labels,
    levels,
    looks,
    models,
    namesakes,
    persons,
    pixels,
    records,
    scans,
    tables,
    tables_beside,
    unlisted,
    words,
)
CASES = tuple(case for part in PARTS for case in part.CASES)
SHORT = (
    "size=3 sampler.steps=2 budget.steps=2 budget.batch_size=2 budget.train_per_label=6 "
    "budget.test_per_label=4 classifier=logistic_regression"
).split()


def words_of(case: Case) -> list[str]:
    return ["dataset.path=.", *case.words]


def prepared(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The case's files, in the current folder."""
    folder = tmp_path / "files"
    folder.mkdir()
    case.make(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))


def test_names_are_different() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 1


def some() -> list[Any]:
    """Every case, half of them in the long tests only: neighbours are of one kind."""
    marks = ([], [pytest.mark.long])
    return [pytest.param(c, marks=marks[n % 2], id=c.name) for n, c in enumerate(CASES)]


@pytest.mark.parametrize("case", some())
def test_what_is_told_and_read(
    case: Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    prepared(case, tmp_path, monkeypatch)
    code = command(["data", *words_of(case)])
    told = "".join([*capsys.readouterr(), caplog.text])
    assert code == (2 if case.refused else 0), told
    assert case.refused != (tmp_path / "home" / "store" / "dataset").exists()
    assert "Traceback" not in told
    for pattern in case.tells:
        assert re.search(pattern, told), f"{pattern!r} is not in\n{told}"
    for pattern in case.untold:
        assert not re.search(pattern, told), f"{pattern!r} is in\n{told}"
    if case.read is not None:
        with hydra_ready(None) as hydra:
            case.read(compose_run(hydra, words_of(case)).fitted().dataset.load())


def runs() -> list[Any]:
    """Cases that are run, too: a table, labels and scans always, the others in the long tests."""
    often = {case.name for case in (*tables.CASES, *labels.CASES, *scans.CASES)}
    return [
        pytest.param(case, marks=[] if case.name in often else pytest.mark.long, id=case.name)
        for case in CASES
        if case.runs
    ]


@pytest.mark.parametrize("case", runs())
def test_the_shortest_run(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(case, tmp_path, monkeypatch)
    code = command(["run", *words_of(case), *SHORT])
    told = capsys.readouterr()
    assert code == (2 if case.refused else 0), told.err
