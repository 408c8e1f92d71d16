"""Tests run offline, without telemetry, and without the environment's own tgap settings."""

import functools
import logging
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from hypothesis import HealthCheck, settings

# No test depends on how fast or how busy a machine is, and a failure comes again.
settings.register_profile(
    "tgap", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tgap")

# A shell that starts the tests in the background has them ignore Ctrl-C, which some are about.
signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ |= {"HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
SETTINGS = (
    "TGAP_HOME",
    "TGAP_TRUSTED",
    "TGAP_STORE_REMOTE",
    "MLFLOW_TRACKING_URI",
    "HYDRA_FULL_ERROR",
)
for name in SETTINGS:
    os.environ.pop(name, None)

SLOW = (
    "corpus/test_corpus",
    "test_notebooks",
    "test_end_to_end",
    "cli/test_evaluate",
    "test_adding_your_own",
    "cli/test_report",
    "pipeline/export/test_generator",
    "test_controls_line",
    "pipeline/test_resume",
    "sweeps/test_forecast",
    "test_few_images",
    "test_wheel",
    "test_split_sweep",
)
"""Files that take longest, which come first: then the processes of a parallel run end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    files = [(folder / f"{name}.py").resolve(strict=True) for name in SLOW]
    turn = {file: number for number, file in enumerate(files)}
    items.sort(key=lambda item: turn.get(item.path, len(turn)))


@contextmanager
def logging_kept() -> Iterator[None]:
    """Hydra sets up logging for a whole process, onto a stream that ends with its test."""
    root = logging.getLogger()
    _close_log_files(root)  # of what a fixture of a whole module ran
    level, handlers = root.level, root.handlers[:]
    yield
    _close_log_files(root)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    with logging_kept():
        yield


def _close_log_files(logger: logging.Logger) -> None:
    """Close and drop the log files that Hydra opened, not pytest's own."""
    for handler in logger.handlers[:]:
        of_pytest = type(handler).__module__.startswith("_pytest")
        if isinstance(handler, logging.FileHandler) and not of_pytest:
            logger.removeHandler(handler)
            handler.close()


class ComposedOnce(WeakKeyDictionary):
    """What Hydra makes of words that choose among groups, kept from one test to the next.

    Hydra takes two tenths of a second for them, and most tests type the same ones. Only what
    tgap's own configs and the same components' schemas compose is kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, ...], tuple[list[Any], dict[Any, Any]]] = {}

    def setdefault(self, hydra: Any, default: Any = None) -> Any:
        from tgap.composition.registry import conf_folder

        path = {part.path for part in hydra.config_loader.get_search_path().get_path()}
        if path != {"pkg://hydra.conf", str(conf_folder()), "structured://"}:
            return super().setdefault(hydra, default)
        nodes = list(schemas())
        return self.kept.setdefault(tuple(map(id, nodes)), (nodes, default))[1]


def schemas(folder: dict[str, Any] | None = None) -> Iterator[Any]:
    """tgap's own in Hydra's store: launchers' plugins put theirs there anew each time."""
    from hydra.core.config_store import ConfigStore

    for node in (ConfigStore.instance().repo if folder is None else folder).values():
        if isinstance(node, dict):
            yield from schemas(node)
        elif node.provider == "tgap":
            yield node


@pytest.fixture(autouse=True, scope="session")
def composed_once() -> Iterator[None]:
    """Tests of ``tests/composition`` undo this for themselves."""
    from tgap.composition import compose

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "_bases", ComposedOnce())
        yield


@pytest.fixture(autouse=True, scope="session")
def tables_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow takes seconds to make a database, so that a new home gets a copy of the first one's.

    Tests of ``tests/tracking`` undo this for themselves.
    """
    from tgap.tracking import push
    from tgap.tracking.server import sqlite_file

    by_mlflow, template = push.connect, tmp_path_factory.mktemp("tables") / "mlflow.db"

    @functools.cache
    def connect(uri: str) -> Any:
        database = sqlite_file(uri)
        if database is not None and not database.exists():
            if not template.exists():
                _make_tables(by_mlflow, template)
            database.parent.mkdir(parents=True, exist_ok=True)
            with push._lock(database):
                shutil.copyfile(template, database)
        return by_mlflow(uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(push, "connect", connect)
        yield


def _make_tables(connect: Any, template: Path) -> None:
    """A database without runs, in one file, and set to what ``push.connect`` sets a new one to."""
    made = template.with_name("made.db")
    connect(f"sqlite:///{made}")
    with closing(sqlite3.connect(made)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        connection.execute("VACUUM INTO ?", [str(template)])
    with closing(sqlite3.connect(template)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")


@pytest.fixture(autouse=True, scope="session")
def power_stays_on() -> Iterator[None]:
    """Nobody cuts the power in a test: what is written need not reach the disk at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
