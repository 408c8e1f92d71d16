"""A run that misbehaves."""

import shutil
import sqlite3
from contextlib import closing
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
