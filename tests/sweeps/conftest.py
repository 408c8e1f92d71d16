"""A run that misbehaves, and a cluster."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

SHORT = (
    "selector=misbehaving generator=noise size=4 pool_size=200 train_size=60 test_size=60 "
    "budget.train_per_label=8 budget.test_per_label=6 classifier=logistic_regression "
    "tracking.pictures=false tracking.report=false evaluators.two_way.resamples=100 "
    "~evaluators.baselines ~evaluators.fidelity ~evaluators.memorization ~evaluators.occlusion"
).split()


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words of a run whose selector does what ``selector.way`` says."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "selector").mkdir()
    preset = "_target_: tests.sweeps.misbehaving.Misbehaving\nname: ''\nway: fine\n"
    (folder / "selector" / "misbehaving.yaml").write_text(preset)
    return [*SHORT, "--config-dir", str(folder)]


@pytest.fixture(autouse=True)
def with_tables(request: pytest.FixtureRequest) -> None:
    """Homes of these tests have a database already: making one takes MLflow seconds."""
    if "misbehaving" in request.fixturenames:
        template = request.getfixturevalue("tables")
        home = request.getfixturevalue("tmp_path") / "home"
        home.mkdir()
        shutil.copyfile(template, home / "mlflow.db")


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow's without runs."""
    from tgap.tracking.push import connect

    file = tmp_path_factory.mktemp("tables") / "mlflow.db"
    connect(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", [f"{file}.copy"])
    return file.with_name("mlflow.db.copy")


@pytest.fixture
def ray_cluster(tmp_path, monkeypatch) -> Iterator[str]:
    """Address of a cluster that was begun in another folder, without our variables."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    ray = Path(sys.executable).with_name("ray")
    words = ["start", "--head", "--num-cpus=2", "--include-dashboard=false", "--block"]
    words += ["--node-ip-address=127.0.0.1", f"--port={address.rpartition(':')[2]}"]
    variables = {name: value for name, value in os.environ.items() if "TGAP" not in name}
    if "TGAP_TRUSTED" in os.environ:  # what a cluster may load is said where it begins
        variables["TGAP_TRUSTED"] = os.environ["TGAP_TRUSTED"]
    variables |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    variables |= {"RAY_AUTH_MODE": "disabled"}  # else it depends on tokens of whose machine it is
    with (elsewhere / "log").open("w") as log:
        cluster = subprocess.Popen(
            [ray, *words], cwd=elsewhere, env=variables, stdout=log, stderr=log, process_group=0
        )
    end = time.monotonic() + 60
    while "Ray runtime started" not in (elsewhere / "log").read_text():
        assert cluster.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    yield address
    cluster.terminate()  # ends its processes
    cluster.wait(timeout=60)
    with suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)
