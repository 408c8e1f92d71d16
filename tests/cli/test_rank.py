"""``tgap rank`` of recorded runs."""

import csv
import io

import pytest

from tests.analysis.test_ranking import six
from tgap.cli.main import command


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    asked: list[dict[str, str]] = []

    def recorded(home, experiment, chosen):
        asked.append({"experiment": experiment, **chosen})
        return six(), []

    monkeypatch.setattr("tgap.sweeps.history.recorded", recorded)
    return asked


def test_it_prints_the_order_and_its_agreement(runs, capsys):
    assert command(["rank", "size=100", "--experiment", "mine"]) == 0
    text = capsys.readouterr().out
    assert text.index("| m0 |") < text.index("| m5 |")
    assert "| both | +1.000" in text
    assert "| chance (19 in 20 orders) | -." in text
    assert runs == [{"experiment": "mine", "size": "100"}]


def test_csv_is_written_beside_or_printed_alone(runs, capsys, tmp_path):
    assert command(["rank", "--csv", str(tmp_path / "order.csv")]) == 0
    assert "| m0 |" in capsys.readouterr().out
    assert command(["rank", "--csv", "-"]) == 0
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "order.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [one["method"] for one in rows] == [f"m{i}" for i in range(6)]


def test_what_is_wrong_is_told(capsys):
    assert command(["rank", "size"]) == 2
    assert "'size' must be name=value" in capsys.readouterr().err
    assert command(["rank"]) == 2
    assert "no run of experiment 'tgap' was recorded" in capsys.readouterr().err
