"""Homes with a database."""

import sqlite3
from contextlib import closing

import pytest

from tests.tracking.logged import connect, start_process
from tgap.tracking import push


@pytest.fixture(scope="session")
def raced(tmp_path_factory):
    """A home that two processes began to log to at once, when there was no database."""
    home = tmp_path_factory.mktemp("raced")
    uri = f"sqlite:///{home}/mlflow.db"
    processes = [start_process(home, uri, key) for key in ("a", "b")]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    return home, outputs


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(push, "connect", connect)  # makes its tables, as a command's first does


@pytest.fixture
def home(raced, tmp_path):
    """A home with a database: a copy, since making one takes seconds."""
    with closing(sqlite3.connect(raced[0] / "mlflow.db")) as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "mlflow.db")])
    return tmp_path
