"""``tgap predict`` over recorded runs."""

import csv
import io
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tgap.analysis import predictions, scaling
from tgap.analysis.rows import PlannedRun
from tgap.cli.main import command
from tgap.store import Spec
from tgap.sweeps.records import record_planned
from tgap.tracking import Tracker

SIZES = (25, 50, 100, 200, 400)
NOISE = np.random.default_rng(0).normal(0, 0.01, (4, 5))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tracker, "push", lambda self, journal: None)
    monkeypatch.setattr(predictions, "predict", partial(scaling.predict, resamples=10))


def record(home: Path, method: str, size: int, seed: int, tstr: float) -> None:
    """A finished run as a sweep leaves it."""
    planned = PlannedRun(
        method=method,
        method_key=method,
        size=size,
        seed=seed,
        settings={"protocol.class": "clean", "size_unit": "per_label"},
    )
    key = f"{method}{size}{seed}"
    params = {"method": method, "seed": seed, "size": size}
    with Tracker(home, "nowhere", "tgap", None).run(key, key, params, {}) as log:
        record_planned(log, planned, SimpleNamespace(scores=Spec("scores", {"of": key})))
        log.metrics({"tstr/auroc": tstr, "trts/auroc": 0.95, "trtr/auroc": 0.96})


@pytest.fixture
def recorded(home: Path) -> Path:
    """A method over five sizes, and one over two."""
    for seed in range(4):
        for place, size in enumerate(SIZES):
            record(home, "a", size, seed, 0.95 - size**-0.5 + NOISE[seed, place])
            if size < 100:
                record(home, "b", size, seed, 0.8)
    return home


def test_the_command_prints_what_was_measured_and_what_is_predicted(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["predict"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["method", "size", "seeds", "how", "TSTR"]
    rows = [line.split() for line in lines if line.startswith(("a ", "b "))]
    assert [row[:4] for row in rows] == [
        ["a", "400", "4", "measured"],
        ["a", "400", "4", "by"],
        ["a", "800", "4", "predicted"],
        ["a", "1600", "4", "predicted"],
        ["b", "50", "4", "measured"],
    ]
    told = " ".join(" ".join(lines).split())
    assert "a: 1 - TSTR = ." in told
    assert "a: check: the others predict ." in told
    assert "b: cannot predict: 2 sizes (25, 50), and 4 are needed." in told
    assert "if the law goes on" in told


def test_tables_and_numbers_are_written_and_agree(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "predicted.json"
    words = ["predict", "method=a", "--at", "2000,800", "--csv", "-", "--json", str(file)]
    assert command(words) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (found,) = json.loads(file.read_text("utf-8"))
    assert [row["size"] for row in rows] == ["400", "400", "800", "2000"]
    assert [one["size"] for one in found["predicted"]] == [800, 2000]
    for row, one in zip(rows[2:], found["predicted"], strict=True):
        assert float(row["TSTR"]) == pytest.approx(1 - one["estimate"])
        assert float(row["TSTR lo"]) == pytest.approx(1 - one["hi"])
        assert float(row["TSTR hi"]) == pytest.approx(1 - one["lo"])
    assert found["sizes"] == list(SIZES)
    assert found["seeds"] == [0, 1, 2, 3]
    assert np.array(found["losses"]).shape == (4, 5)
    assert found["cannot"] is None
    assert found["law"].keys() >= {"floor", "factor", "exponent", "misfit_p"}
    assert found["check"]["measured"] == pytest.approx(1 - float(rows[0]["TSTR"]))


def test_markdown_has_the_sentences_below_the_table(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["predict", "--of", "utility_lost", "--markdown"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("| method | size | seeds | how | TRTR - TSTR |")
    assert "a: TRTR - TSTR = " in told


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--at 0", "--at must be numbers of images, e.g. 2000,5000; got 0"),
        ("--at 2k", "--at must be numbers of images, e.g. 2000,5000; got 2k"),
        ("--of fter", "'fter' is not one of 'tstr', 'utility_lost'"),
        ("--csv - --json -", "--csv and --json both print; give one of them a file"),
        ("--csv - --markdown", "--csv and --markdown both print"),
        ("--over real", "there are such curves with --over size"),
        ("size=7", "no run has size=7"),
        ("size=100", "no method has finished runs of two or more tuning-set sizes"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    words: str, problem: str, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["predict", *words.split()]) == 2
    assert problem in capsys.readouterr().err


def test_both_literals_are_those_of_the_analysis() -> None:
    from typing import get_args

    from tgap.cli import predict

    assert get_args(predictions.Over) == predict.OVER
    assert get_args(predictions.Of) == predict.OF
