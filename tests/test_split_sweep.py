"""A sweep over splits, as a user types it, to one row of the table."""

from pathlib import Path

import numpy as np
import pytest

import tgap
from tgap.cli.main import command, run_command

WORDS = (
    "pool_size=160 train_size=80 test_size=80 sampler.steps=2 budget.steps=2 finetuner=none "
    "budget.train_per_label=20 budget.test_per_label=10 tracking.pictures=false "
    "evaluators.two_way.resamples=100 classifier=logistic_regression"
).split()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))


def row_of(table: str) -> list[str]:
    (row,) = [line.split() for line in table.splitlines() if line.startswith("none ")]
    return row


def test_splits_are_averaged_in_the_sweep_and_by_compare(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command([*WORDS, "split_seed=0,1,2", "-m"]) == 0
    swept = capsys.readouterr().out
    results = [tgap.run(*WORDS, f"split_seed={k}", track=False) for k in range(3)]
    tested = [result.split().real_test for result in results]
    assert len(np.unique(np.concatenate(tested))) > 80
    mean = np.mean([result.metrics["tstr/auroc"] for result in results])
    assert row_of(swept)[:5] == ["none", "-", "1", "3", f"{mean:.3f}".lstrip("0")]
    assert "Means over splits (split_seed 0, 1, 2): intervals are for another pool" in swept
    assert command(["compare"]) == 0
    compared = capsys.readouterr().out
    assert row_of(compared) == row_of(swept)
    assert run_command([*WORDS, "split_seed=0", "seed=1"]) == 0
    assert command(["compare"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Not averaged over splits: none: seed 1 lacks split_seed 1, 2." in told
