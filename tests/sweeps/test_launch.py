"""Runs that were checked are the runs that are made, in this process or another."""

import contextlib
from types import SimpleNamespace

import pytest

import tgap
from tests.corpus.making import put_folders
from tgap.cli.main import run_command
from tgap.pipeline.plan import plan
from tgap.store import Spec
from tgap.sweeps import launch, task
from tgap.sweeps.forecast import Forecast, Making, Work
from tgap.sweeps.identity import planned
from tgap.sweeps.recorder import Recorder

TINY = (
    "generator=noise size=12 pool_size=200 train_size=100 test_size=100 budget.train_per_label=24 "
    "budget.test_per_label=12 classifier.epochs=1 evaluators.baselines.shuffled=false "
    "~evaluator@evaluators.memorization seed=0,1 -m"
).split()


@pytest.mark.long
def test_a_process_that_has_checked_nothing_plans_by_itself(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "remembered", lambda jobs: contextlib.nullcontext())
    assert run_command(TINY) == 0
    assert "noise" in capsys.readouterr().out


def test_paths_and_parts_of_a_sweep_that_works_in_other_folders(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Relative paths are the command line's; a part goes to the option that has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", "home")
    put_folders(tmp_path / "pics")
    words = "dataset=image_folder dataset.path=pics dataset.size=32 dataset.domain=Bild(a) size=3 "
    words += "generator=noise,tiny_ldm finetuner=none generator.device=cpu sampler.steps=1 "
    words += "budget.train_per_label=6 budget.test_per_label=4 classifier=logistic_regression "
    words += "evaluators.baselines.shuffled=false ~evaluator@evaluators.memorization "
    words += "tracking.pictures=false hydra.job.chdir=true -m"
    assert run_command(words.split()) == 0
    assert "FAILED" not in capsys.readouterr().err
    chosen = sorted(file.read_text() for file in tmp_path.glob("multirun/*/*/*/.hydra/over*.yaml"))
    assert ["generator.device=cpu" in text for text in chosen] == [False, True]
    assert [path.name for path in tmp_path.iterdir() if path.name == "home"] == ["home"]
    (report,) = tmp_path.glob("multirun/*/*/report.html")
    assert report.read_bytes() == (tmp_path / "home" / "report.html").read_bytes()


def test_another_run_than_was_checked_is_not_made() -> None:
    checked = planned(plan(tgap.compose("size=5")), [])
    with task.remembered([checked]):
        assert task._planned_before(tgap.compose("size=5")) is checked
        with pytest.raises(tgap.core.errors.TgapError, match="another run than was checked"):
            task._planned_before(tgap.compose("size=6"))
    assert task._planned_before(tgap.compose("size=5")) is None


def test_runs_begin_so_that_few_wait_and_are_told_as_they_were_typed(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra.core.plugins import Plugins
    from omegaconf import OmegaConf

    begun: list[str] = []

    def launched(jobs: list[list[str]], initial_job_idx: int) -> list[SimpleNamespace]:
        begun.extend(word for (word,) in jobs)
        return [SimpleNamespace(return_value=f"ended {word}") for (word,) in jobs]

    launcher = SimpleNamespace(launch=launched)
    monkeypatch.setattr(Plugins.instance(), "instantiate_launcher", lambda *_: launcher)
    shared = [Making(Work("prior", 1, Spec("prior", {"of": name})), None) for name in "ab"]
    those = SimpleNamespace(
        hydra=SimpleNamespace(config_loader=None),
        jobs=[["first"], ["second"], ["third"], ["fourth"]],
        runs=[],
        expected=Forecast([[shared[0]], [shared[0]], [shared[1]], [shared[1]]]),
        workers=2,
    )
    hydra = {"sweep": {"dir": str(tmp_path)}, "callbacks": {}, "launcher": {"_target_": "x"}}
    config = OmegaConf.create({"hydra": hydra})
    ended, folder = launch._launch(those, config, Recorder(tmp_path))
    # What takes nobody knows how long is shared all the same.
    assert begun == ["first", "third", "second", "fourth"]
    assert ended == ["ended first", "ended second", "ended third", "ended fourth"]
    assert folder == tmp_path
