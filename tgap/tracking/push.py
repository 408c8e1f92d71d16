"""From the journal to MLflow; the only file that imports mlflow.

Pushing is idempotent: an event that MLflow has already, at the same time and step, is not added
again, so a push that was cut short is repeated.
"""

import functools
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from tgap.core.errors import TgapError
from tgap.tracking.journal import Event, Journal, Pushed, complete
from tgap.tracking.server import quiet, sqlite_file, without_password

METRICS_AT_ONCE = 1000


TEXTS_AT_ONCE = 100
"""MLflow's limits for one call, for metrics and for parameters or tags."""


TAG_LENGTH = 8000


NETWORK_DISKS = ("nfs", "lustre", "gpfs", "cifs", "smb", "beegfs", "fuse")


def push(journal: Journal, home: Path, uri: str) -> int:
    """Bring MLflow up to the journal, the sweep's journal first if the run belongs to one.

    Args:
        journal: Its lock is held by the caller.
        home: Folder of the database and of logged files.
        uri: MLflow's tracking uri.

    Returns:
        The number of events that were pushed.

    Raises:
        Exception: Whatever MLflow raises; the journal is as it was.
    """
    where = without_password(uri)
    events = journal.events()
    pushed = journal.pushed(where)
    database = sqlite_file(uri)
    lost = database is not None and not database.exists()
    if not events or (pushed is not None and pushed.events == len(events) and not lost):
        return 0
    journal.to_disk()
    client = connect(uri)
    run_id = _run_id(client, journal, events[0], pushed, home, uri)
    # A run that had to be looked up or made anew gets everything.
    done = pushed.events if pushed is not None and pushed.run_id == run_id else 0
    _log(client, run_id, journal, events[done:])
    journal.set_pushed(Pushed(where, run_id, len(events), complete(events)))
    return len(events) - done


@functools.cache
def connect(uri: str) -> Any:
    """A client whose database is there; it is made by one process, under a lock."""
    quiet(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    database = sqlite_file(uri)
    if database is None:
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    database.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock_path(database)):
        fresh = not database.exists()
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)  # makes the tables, if that is still to be done
        if fresh and not on_network_disk(database):
            # Readers and a writer no longer block each other; needs memory shared by processes.
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
    return client


def lock_path(database: Path) -> Path:
    """The lock under which tables and experiments are made."""
    return database.with_name(f"{database.name}.lock")


def on_network_disk(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether a file is on a disk that several machines may share, as far as Linux tells."""
    try:
        lines = [line.split() for line in mounts.read_text("utf-8").splitlines()]
    except OSError:
        return False
    here = [(len(line[1]), line[2]) for line in lines if path.resolve().is_relative_to(line[1])]
    return max(here, default=(0, ""))[1].startswith(NETWORK_DISKS)


def _run_id(
    client: Any, journal: Journal, start: Event, pushed: Pushed | None, home: Path, uri: str
) -> str:
    """The id of the journal's run: known, found by its tags, or of a run made now."""
    if pushed is not None and _is_active(client, pushed.run_id):
        return pushed.run_id
    experiment = _experiment_id(client, start["experiment"], home, uri)
    tags = {"tgap.run_key": journal.run_key, "tgap.sweep_key": journal.sweep_key}
    same = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found = client.search_runs([experiment], same, max_results=1)
    if found:
        return str(found[0].info.run_id)
    parent = _parent_id(journal, home, uri)
    if parent is not None:
        tags["mlflow.parentRunId"] = parent
    made = client.create_run(experiment, start["time"], tags=tags, run_name=start["name"])
    return str(made.info.run_id)


def _is_active(client: Any, run_id: str) -> bool:
    """Whether the run is still there: it may have been deleted by hand."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _parent_id(journal: Journal, home: Path, uri: str) -> str | None:
    """The id of the sweep's run, which is pushed now if MLflow was away when it was opened."""
    parent = journal.parent()
    if parent is None:
        return None
    with parent.locked():
        if parent.pushed(without_password(uri)) is None:
            push(parent, home, uri)
        pushed = parent.pushed(without_password(uri))
    return None if pushed is None else pushed.run_id


def _experiment_id(client: Any, name: str, home: Path, uri: str) -> str:
    """The id of an experiment, which is made if it is not there."""
    with filelock.FileLock(lock_path(sqlite_file(uri) or home / "mlflow")):
        found = client.get_experiment_by_name(name)
        if found is None:
            # A server knows best where its files go; without one they go to an absolute folder,
            # not to MLflow's default, which is below the current one.
            served = uri.startswith(("http://", "https://"))
            folder = None if served else (home.absolute() / "mlartifacts").as_uri()
            return str(client.create_experiment(name, artifact_location=folder))
    if found.lifecycle_stage != "active":
        raise TgapError(
            f"experiment '{name}' was deleted in MLflow; restore it (mlflow experiments restore "
            f"-x {found.experiment_id}) or choose another name with tracking.experiment="
        )
    return str(found.experiment_id)


@dataclass
class _Batch:
    """What a stretch of events comes to."""

    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    status: str | None = None
    ended: int | None = None

    def add(self, event: Event) -> None:
        kind, time = event["event"], event["time"]
        if kind == "metrics":
            self.metrics += [(k, v, time, event["step"]) for k, v in event["values"].items()]
        elif kind == "artifact":
            self.artifacts[event["name"]] = event["path"]
        elif kind in ("resume", "end"):
            self.status = event.get("status", "RUNNING")
            self.ended = time if kind == "end" else None
        self.params |= event.get("params", {})
        self.tags |= event.get("tags", {})


def _log(client: Any, run_id: str, journal: Journal, events: Sequence[Event]) -> None:
    """Log events in as few calls as MLflow allows; how the run ended comes last."""
    from mlflow.entities import Metric, Param, RunTag

    batch = _Batch()
    for event in events:
        batch.add(event)
    if batch.status == "RUNNING":
        client.update_run(run_id, status="RUNNING")
    for metrics in _chunks(batch.metrics, METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=[Metric(*metric) for metric in metrics])
    for params in _chunks(list(batch.params.items()), TEXTS_AT_ONCE):
        client.log_batch(run_id, params=[Param(*param) for param in params])
    for tags in _chunks(list(batch.tags.items()), TEXTS_AT_ONCE):
        client.log_batch(run_id, tags=[RunTag(name, value[:TAG_LENGTH]) for name, value in tags])
    for name, path in batch.artifacts.items():
        folder = Path(name).parent.as_posix()
        client.log_artifact(run_id, str(journal.folder / path), "" if folder == "." else folder)
    if batch.ended is not None:
        client.set_terminated(run_id, batch.status, batch.ended)


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
