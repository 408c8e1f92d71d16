"""Every launcher makes the same bytes, in any order; one that is not installed is named."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

from tgap.cli.main import run_command
from tgap.store.manifest import MANIFEST
from tgap.sweeps.launching import without_earlier_workers
from tgap.sweeps.records import records

SHORT = (
    "seed=0,1 size=4 sampler.steps=1 prior_sampler.steps=1 budget.steps=2 budget.batch_size=4 "
    "budget.train_per_label=8 budget.test_per_label=6 pool_size=200 train_size=60 test_size=60 "
    "classifier.epochs=1 evaluators.two_way.resamples=100 tracking.report=false "
    "~evaluators.baselines ~evaluators.fidelity ~evaluators.memorization ~evaluators.occlusion"
).split()
LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra/launcher=submitit_local"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"],
}


def swept(home: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """SHA-256 of every file that a sweep leaves in a store, and what each run found."""
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("TGAP_HOME", str(home))
    assert run_command([*SHORT, *words, "-m"]) == 0
    found = {
        f"{manifest.parent.relative_to(home)}/{name}": recorded["sha256"]
        for manifest in (home / "store").glob(f"*/*/{MANIFEST}")
        for name, recorded in json.loads(manifest.read_text())["files"].items()
    }
    assert len(records(home)) == 2
    return found | {
        f"{one.name} {name}": repr(value)
        for one in records(home)
        for name, value in one.metrics.items()
        if "seconds" not in name and not name.startswith("reused/")
    }


@pytest.fixture(scope="module")
def one_after_another(tmp_path_factory) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield swept(tmp_path_factory.mktemp("basic") / "home", [], monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_makes_the_same_bytes(
    launcher, one_after_another, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    found = swept(tmp_path / "home", LAUNCHERS[launcher], monkeypatch)
    assert found.keys() == one_after_another.keys()
    assert {name for name in found if found[name] != one_after_another[name]} == set()
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "Warning" not in told


@pytest.mark.long
def test_a_cluster_that_runs_already_works_in_our_folders(
    ray_cluster, one_after_another, tmp_path, monkeypatch, capsys
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    words = ["hydra/launcher=ray", f"hydra.launcher.ray.init.address={ray_cluster}"]
    assert swept(work / "home", words, monkeypatch) == one_after_another
    assert len(list(work.glob("multirun/*/*/*/.hydra/config.yaml"))) == 2
    assert "run 2 of 2: " in capsys.readouterr().err, "each knows its sweep"
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"log"}


def test_a_cluster_that_does_not_answer_is_told_with_what_to_do(tmp_path, monkeypatch, capsys):
    def nobody(**_: object) -> None:
        raise ConnectionError("Failed to connect to Ray cluster at 127.0.0.1:1")

    monkeypatch.setattr("ray.init", nobody)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    words = ["hydra/launcher=ray", "hydra.launcher.ray.init.address=127.0.0.1:1"]
    assert run_command([*SHORT, *words, "-m"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "no Ray cluster answers at hydra.launcher.ray.init.address=127.0.0.1:1" in told
    assert "RAY_AUTH_MODE=token" in told
    assert "Traceback" not in told


@pytest.mark.long
def test_a_second_sweep_on_ray_is_not_done_where_the_first_one_was(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        swept(tmp_path / name / "home", LAUNCHERS["ray"], monkeypatch)


@pytest.mark.long
def test_the_order_of_runs_changes_nothing(one_after_another, tmp_path, monkeypatch) -> None:
    assert swept(tmp_path / "home", ["seed=1,0"], monkeypatch) == one_after_another


@pytest.mark.parametrize("launcher", ["joblib", "submitit_slurm", "ray"])
def test_a_launcher_that_is_not_installed_is_named_with_what_to_install(
    launcher, tmp_path, monkeypatch, capsys
) -> None:
    from hydra.core.plugins import Plugins

    known = Plugins.instance().class_name_to_class
    monkeypatch.setattr(
        Plugins.instance(),
        "class_name_to_class",
        {name: cls for name, cls in known.items() if "hydra_plugins." not in name},
    )
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    extra = {"submitit_slurm": "slurm"}.get(launcher, launcher)
    assert run_command([f"hydra/launcher={launcher}", "seed=0,1", "-m"]) == 2
    assert f"pip install 'tgap[{extra}]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_worker_has_the_environment_of_an_earlier_sweep(monkeypatch) -> None:
    """joblib keeps its own for minutes."""

    def seen() -> list[str | None]:
        return joblib.Parallel(n_jobs=2)(joblib.delayed(os.getenv)("TGAP_SEEN") for _ in range(2))

    monkeypatch.setenv("TGAP_SEEN", "first")
    assert seen() == ["first"] * 2
    monkeypatch.setenv("TGAP_SEEN", "second")
    without_earlier_workers({"_target_": "hydra_plugins.x.joblib_launcher.JoblibLauncher"})
    assert seen() == ["second"] * 2
