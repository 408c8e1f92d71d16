"""Runs of several commands in one table."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from tgap.analysis.rows import PlannedRun, RunRow
from tgap.cli.main import command
from tgap.core import ConfigError
from tgap.pipeline.result import RESAMPLED
from tgap.store import Spec
from tgap.sweeps.history import PLANNED, as_json, recorded
from tgap.sweeps.records import record_planned
from tgap.tracking import Tracker

URI = "nowhere"


@pytest.fixture(autouse=True)
def journal_only(monkeypatch):
    monkeypatch.setattr(Tracker, "push", lambda self, journal: None)


def begin(home, method, seed, sweep=None, finish=True, experiment="tgap", size=100, **more):
    planned = PlannedRun(
        method=method, method_key=method, size=size, seed=seed, settings={"protocol.class": "clean"}
    )
    key = f"{method}{size}{seed}"
    params = {"method": method, "seed": seed, **more} | ({} if size is None else {"size": size})
    array = home / "resampled.npy"
    np.save(array, np.random.default_rng(seed).uniform(0.7, 0.9, (100, 4)))
    tracker = Tracker(home, URI, experiment, sweep)
    try:
        with tracker.run(key, key, params, {}) as log:
            record_planned(log, planned, SimpleNamespace(scores=Spec("scores", {"of": key})))
            log.metrics({"finetune/loss": 1.0}, step=5)
            log.metrics({"tstr/auroc": 0.8 + seed / 100, "trts/auroc": 0.9, "fter": float("nan")})
            if not finish:
                raise KeyboardInterrupt
            log.artifact(array, RESAMPLED)
    except KeyboardInterrupt:
        pass


def test_runs_of_all_commands_are_found_and_unfinished_ones_are_missing(tmp_path):
    begin(tmp_path, "a", 0, sweep="s1")
    begin(tmp_path, "a", 1, sweep="s1", finish=False)
    begin(tmp_path, "b", 0)
    begin(tmp_path, "c", 0, experiment="other")
    rows, missing = recorded(tmp_path, "tgap", {})
    assert [(row.method, row.seed) for row in rows] == [("a", 0), ("b", 0)]
    assert [(run.method, run.seed) for run in missing] == [("a", 1)]
    assert not isinstance(missing[0], RunRow)
    assert rows[0].metrics["tstr/auroc"] == 0.8
    assert np.isnan(rows[0].metrics["fter"])
    assert rows[0].resampled["tsts"].shape == (100,)
    assert rows[0].settings == {"protocol.class": "clean"}


def test_a_run_that_was_finished_later_is_no_longer_missing(tmp_path):
    begin(tmp_path, "a", 0, finish=False)
    begin(tmp_path, "a", 0)
    rows, missing = recorded(tmp_path, "tgap", {})
    assert (len(rows), len(missing)) == (1, 0)


def test_runs_are_chosen_by_their_parameters(tmp_path):
    for size in (100, 200):
        begin(tmp_path, "a", 0, size=size)
    begin(tmp_path, "unfinished", 0, size=200, finish=False)
    rows, _ = recorded(tmp_path, "tgap", {"size": "200"})
    assert [row.size for row in rows] == [200]
    rows, _ = recorded(tmp_path, "tgap", {"size": "100,200"})
    assert [row.size for row in rows] == [100, 200]
    with pytest.raises(ConfigError, match=r"no run has a parameter 'siz'; did you mean 'size'"):
        recorded(tmp_path, "tgap", {"siz": "200"})
    with pytest.raises(ConfigError, match=r"no run has size=300.*\(one of: 100, 200\)"):
        recorded(tmp_path, "tgap", {"size": "300"})
    with pytest.raises(ConfigError, match="no finished run of experiment 'tgap' is left"):
        recorded(tmp_path, "tgap", {"size": "200", "method": "unfinished"})
    with pytest.raises(ConfigError, match="no run of experiment 'nope' was recorded"):
        recorded(tmp_path, "nope", {})


def test_a_run_without_a_tuning_set_goes_with_each_size(tmp_path):
    begin(tmp_path, "none", 0, size=None)
    begin(tmp_path, "a", 0, size=100, selector="random")
    begin(tmp_path, "a", 0, size=200, selector="stratified")
    for chosen, size in (({"size": "200"}, 200), ({"selector": "random"}, 100)):
        rows, _ = recorded(tmp_path, "tgap", chosen)
        assert [row.size for row in rows] == [None, size]
    rows, _ = recorded(tmp_path, "tgap", {"method": "a", "size": "100"})
    assert [row.size for row in rows] == [100]


def test_the_command_prints_one_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TGAP_HOME", str(tmp_path))
    for seed in range(3):
        begin(tmp_path, "a", seed, sweep="s1")
        begin(tmp_path, "b", seed, sweep="s2")
    begin(tmp_path, "b", 3, sweep="s2", finish=False)
    assert command(["compare"]) == 0
    told = capsys.readouterr().out
    assert "3 of 4" in told
    assert "missing 3" in told
    assert "no test: no interval" in told
    assert command(["compare", "--markdown", "size=100"]) == 0
    assert capsys.readouterr().out.startswith("| method | size | seeds |")
    assert command(["compare", "--reference", "a", "--metric", "finetune/loss"]) == 0
    told = capsys.readouterr().out
    assert "Difference of TSTR to a," in told
    assert "finetune/loss" in told
    assert command(["compare", "--of", "fterr"]) == 2
    assert "did you mean 'fter'" in capsys.readouterr().err
    assert command(["compare", "size"]) == 2
    assert "'size' must be name=value" in capsys.readouterr().err


def test_what_is_written_before_a_run_is_plain_json(tmp_path):
    begin(tmp_path, "a", 0)
    (row,) = (tmp_path / "journal").glob("single/*/files/row.json")
    assert json.loads(row.read_text())["method_key"] == "a"


def test_runs_of_a_sweep_that_never_began_are_missing(tmp_path, monkeypatch, capsys):
    runs = [
        PlannedRun(method=m, method_key=m, size=100, seed=s, settings={"protocol.class": "clean"})
        for m in ("a", "b")
        for s in (0, 1)
    ]
    with_params = [
        (f"{run.method}100{run.seed}", run, {"method": run.method, "selector": f"{run.method}1"})
        for run in runs
    ]
    tracker = Tracker(tmp_path, URI, "tgap", "s1")
    tracker.open_sweep("sweep", 4, {}, {PLANNED: as_json(with_params)})
    begin(tmp_path, "a", 0, sweep="s1")
    begin(tmp_path, "a", 1, sweep="s1")
    rows, missing = recorded(tmp_path, "tgap", {})
    assert len(rows) == 2
    assert missing == runs
    monkeypatch.setenv("TGAP_HOME", str(tmp_path))
    assert command(["compare"]) == 0
    told = capsys.readouterr().out
    assert "0 of 2" in told
    assert "missing 0, 1" in told
    _, of_method = recorded(tmp_path, "tgap", {"method": "a"})
    assert [run.method for run in of_method] == ["a", "a"]


def test_a_run_outside_the_choice_is_not_missing_though_its_row_does_not_tell(tmp_path):
    runs = [
        PlannedRun(method=m, method_key=m, size=100, seed=0, settings={"protocol.class": "clean"})
        for m in ("a", "b", "c")
    ]
    losses = {"a": "high", "b": "high", "c": "low"}
    plans = as_json((f"{run.method}1000", run, {"loss": losses[run.method]}) for run in runs)
    tracker = Tracker(tmp_path, URI, "tgap", "s1")
    tracker.open_sweep("sweep", 3, {}, {PLANNED: plans})
    begin(tmp_path, "a", 0, sweep="s1", loss="high")
    rows, missing = recorded(tmp_path, "tgap", {"loss": "high"})
    assert [row.method for row in rows] == ["a"]
    assert [run.method for run in missing] == ["a", "b"]
