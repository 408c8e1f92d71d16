"""Runs that were checked are the runs that are made, in this process or another."""

import contextlib

import pytest

import tgap
from tgap.cli.main import run_command
from tgap.pipeline.plan import plan
from tgap.sweep import launch
from tgap.sweep.identity import planned

TINY = (
    "generator=noise size=12 pool_size=200 train_size=100 test_size=100 budget.train_per_label=24 "
    "budget.test_per_label=12 classifier.epochs=1 evaluators.baselines.shuffled=false "
    "~evaluator@evaluators.memorization seed=0,1 -m"
).split()


def test_a_process_that_has_checked_nothing_plans_by_itself(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "remembered", lambda jobs: contextlib.nullcontext())
    assert run_command(TINY) == 0
    assert "noise" in capsys.readouterr().out


def test_another_run_than_was_checked_is_not_made() -> None:
    checked = planned(plan(tgap.compose("size=5")), [])
    with launch.remembered([checked]):
        assert launch._planned_before(tgap.compose("size=5")) is checked
        with pytest.raises(tgap.core.errors.TgapError, match="another run than was checked"):
            launch._planned_before(tgap.compose("size=6"))
    assert launch._planned_before(tgap.compose("size=5")) is None
