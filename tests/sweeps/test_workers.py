"""How many runs a launcher does at a time, and numbers that cannot be meant."""

import pytest

from tgap.core import ConfigError
from tgap.sweeps import workers
from tgap.sweeps.workers import workers_of


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 4)


def launcher(kind: str, **settings: object) -> dict[str, object]:
    return {"_target_": f"somewhere.{kind}", **settings}


RAY = {"init": {"address": None, "num_cpus": None}, "remote": {"num_cpus": 2}}


@pytest.mark.parametrize(
    ("node", "runs", "expected"),
    [
        (launcher("BasicLauncher"), 9, 1),
        (launcher("JoblibLauncher", n_jobs=2), 9, 2),
        (launcher("JoblibLauncher", n_jobs=2), 1, 1),
        (launcher("JoblibLauncher", n_jobs=-1), 9, 4),
        (launcher("JoblibLauncher", n_jobs=-3), 9, 2),
        (launcher("RayLauncher", ray=RAY), 9, 2),
        (launcher("RayLauncher", ray=RAY | {"init": {"num_cpus": 8}}), 9, 4),
        (launcher("RayLauncher", ray=RAY | {"init": {"address": "auto"}}), 9, 9),
        (launcher("SlurmLauncher", array_parallelism=16), 40, 16),
        (launcher("LocalLauncher", array_parallelism=256), 40, 40),
        (launcher("Another"), 40, 40),
    ],
)
def test_runs_at_a_time(node: dict[str, object], runs: int, expected: int) -> None:
    assert workers_of(node, runs) == expected


@pytest.mark.parametrize("asked", [0, -5, "many", None])
def test_no_number_of_runs(asked: object) -> None:
    with pytest.raises(ConfigError) as told:
        workers_of(launcher("JoblibLauncher", n_jobs=asked), 9)
    assert str(told.value) == (
        "hydra.launcher.n_jobs must be the number of runs at a time, or -1 for one for each core "
        f"(4 here); got {asked}"
    )


def test_more_workers_than_cores_are_told_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert workers_of(launcher("JoblibLauncher", n_jobs=4), 99) == 4
    assert caplog.messages == []
    assert workers_of(launcher("JoblibLauncher", n_jobs=64), 99) == 64
    assert caplog.messages == [
        "hydra.launcher.n_jobs=64 runs at a time, but there are 4 cores: they slow each other "
        "down, and each takes a gigabyte of memory and more; set n_jobs=4, or leave it out"
    ]
