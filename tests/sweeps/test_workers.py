"""How many runs a launcher does at a time, and numbers that cannot be meant."""

import pytest

from tgap.core import ConfigError
from tgap.sweeps import workers
from tgap.sweeps.workers import workers_of


@pytest.fixture(autouse=True)
def four_cores_and_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 4)
    monkeypatch.setattr(workers, "gpus", lambda: 2)


def launcher(kind: str, **settings: object) -> dict[str, object]:
    return {"_target_": f"somewhere.{kind}", **settings}


RAY = {"init": {"address": None, "num_cpus": None}, "remote": {"num_cpus": 2}}


def ray(init: dict[str, object] | None = None, **remote: object) -> dict[str, object]:
    return launcher("RayLauncher", ray={"init": init or {"address": None}, "remote": remote})


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
        (ray(num_cpus=1, num_gpus=0), 9, 4),
        (ray(num_cpus=1, num_gpus=1), 9, 2),
        (ray(num_cpus=1, num_gpus=2), 9, 1),
        (ray(num_cpus=1, num_gpus=0.5), 9, 4),
        (ray(num_cpus=2, num_gpus=0.5), 9, 2),
        (ray({"num_gpus": 3}, num_cpus=1, num_gpus=1), 9, 3),
        (ray({"num_cpus": 64, "num_gpus": 8}, num_cpus=2, num_gpus=2), 9, 4),
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


@pytest.mark.parametrize(
    ("node", "path", "least", "got"),
    [
        (launcher("SlurmLauncher", array_parallelism=-3), "array_parallelism", 1, -3),
        (launcher("SlurmLauncher", array_parallelism=0), "array_parallelism", 1, 0),
        (launcher("LocalLauncher", timeout_min=-5), "timeout_min", 1, -5),
        (ray(num_cpus=-2), "ray.remote.num_cpus", 1, -2),
        (ray(num_cpus=0), "ray.remote.num_cpus", 1, 0),
        (ray(num_cpus="many"), "ray.remote.num_cpus", 1, "many"),
        (ray(num_cpus=float("nan")), "ray.remote.num_cpus", 1, "nan"),
        (ray(num_gpus=-1), "ray.remote.num_gpus", 0, -1),
        (ray({"num_cpus": 0}), "ray.init.num_cpus", 1, 0),
        (ray({"address": "auto"}, num_cpus=-2), "ray.remote.num_cpus", 1, -2),
    ],
)
def test_numbers_that_cannot_be_meant(
    node: dict[str, object], path: str, least: int, got: object
) -> None:
    with pytest.raises(ConfigError) as told:
        workers_of(node, 9)
    assert str(told.value) == f"hydra.launcher.{path} must be at least {least}, got {got}"


def test_more_workers_than_cores_are_told_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert workers_of(launcher("JoblibLauncher", n_jobs=4), 99) == 4
    assert caplog.messages == []
    assert workers_of(launcher("JoblibLauncher", n_jobs=64), 99) == 64
    assert caplog.messages == [
        "hydra.launcher.n_jobs=64 runs at a time, but there are 4 cores: they slow each other "
        "down, and each takes a gigabyte of memory and more; set n_jobs=4, or leave it out"
    ]
