"""From the journal to MLflow; the only file that imports mlflow.

Pushing is idempotent: an event that MLflow has already, at the same time and step, is not added
again, so a push that was cut short is repeated.
"""

import functools
import logging
import os
import shutil
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import filelock

from tgap.core import StoreError, TgapError
from tgap.core.files import locked
from tgap.tracking.event import Event
from tgap.tracking.journal import SINGLE, SWEEP, Journal
from tgap.tracking.server import quiet, sqlite_file, with_limits
from tgap.tracking.views import view_tag

log = logging.getLogger(__name__)

ARTIFACTS = "mlartifacts"
"""Folder of logged files beside the database."""
LOCKED_SECONDS = 10
"""So long another process is waited for that holds a lock, and PostgreSQL waits for a table."""
NETWORK_DISKS = ("nfs", "lustre", "gpfs", "cifs", "smb", "beegfs", "fuse")


def push(journal: Journal, home: Path, uri: str) -> None:
    """Bring MLflow up to the journal, the sweep's journal first if the run belongs to one.

    Args:
        journal: Its lock is held by the caller; at least one event.
        home: Folder of the database and of logged files.
        uri: MLflow's tracking uri.

    Raises:
        Exception: Whatever MLflow raises; the journal is as it was.
    """
    events, (known_id, done) = journal.events(), journal.pushed(uri)
    journal.to_disk()
    client = connect(uri)
    moved(home, uri)
    run_id = _run_id(client, journal, events[0], known_id, home, uri)
    # A run that had to be looked up or made anew gets everything.
    _log(client, run_id, journal, events[done if run_id == known_id else 0 :])
    experiment = journal.experiment_id()
    if run_id != known_id or experiment is None:
        experiment = str(client.get_run(run_id).info.experiment_id)
    if run_id != known_id and (journal.run_key == SWEEP or journal.sweep_key == SINGLE):
        key, value = view_tag(journal.sweep_key, events[0]["name"], events[0]["time"])
        client.set_experiment_tag(experiment, key, value)  # for `tgap ui` to open
    journal.set_pushed(uri, run_id, len(events), experiment)


def loaded() -> Any:
    """MLflow's client class, imported so that it says nothing by itself."""
    quiet(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient
    # What goes wrong is raised, and told in a line; values cut to MLflow's limits are no news:
    # the journal has them whole.
    for name in ("mlflow", "alembic", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient


@functools.cache
def connect(uri: str) -> Any:
    """A client whose database is there; it is made by one process, under a lock."""
    client_of = loaded()
    database = sqlite_file(uri)
    if database is None:
        # PostgreSQL waits for a locked table for ever; a run goes on instead, as when it is away.
        os.environ.setdefault("PGOPTIONS", f"-c lock_timeout={LOCKED_SECONDS}s")
        address = with_limits(uri, os.environ)
        return client_of(tracking_uri=address, registry_uri=address)
    database.parent.mkdir(parents=True, exist_ok=True)
    with _lock(database):  # MLflow itself lets two processes make the same tables
        fresh = not database.exists()
        client = client_of(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)  # makes the tables, if that is still to be done
        if fresh and not on_network_disk(database):
            # Readers and a writer no longer block each other; needs memory shared by processes.
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
    return client


def _lock(database: Path) -> AbstractContextManager[None]:
    path = database.with_name(f"{database.name}.lock")
    return _for_a_while(locked(path, "MLflow's database", wait=LOCKED_SECONDS), path)


@contextmanager
def _for_a_while(lock: AbstractContextManager[None], path: Path) -> Iterator[None]:
    """Hold a lock; where that cannot be had, MLflow counts as away, which stops no run.

    So its errors are neither ``StoreError``, which says that the run's own journal is in trouble,
    nor ``Timeout``, which says that a run is in progress.
    """
    with ExitStack() as held:
        try:
            held.enter_context(lock)
        except filelock.Timeout as error:
            raise TgapError(
                f"another process has held {path} for {LOCKED_SECONDS} s; run `tgap sync` when it "
                "has ended"
            ) from error
        except StoreError as error:
            raise TgapError(str(error)) from error
        yield


def put_back(journal: Journal, uri: str) -> bool:
    """Copy logged files that were removed, from the journal to MLflow's folder or the other way.

    A server's files are its own business.

    Args:
        journal: Of a run that MLflow has.
        uri: MLflow's tracking uri.

    Returns:
        Whether there were some.
    """
    run_id = journal.pushed(uri)[0]
    address = urlparse(connect(uri).get_run(run_id).info.artifact_uri)
    if address.scheme not in ("", "file"):
        return False
    folder, copied = Path(url2pathname(address.path)), False
    home = journal.folder.resolve().parents[2]
    if not folder.resolve().is_relative_to(home):  # a stranger's database may name any folder
        return False
    for event in journal.events():
        if event["event"] == "artifact":
            here, there = journal.folder / event["path"], folder / event["name"]
            for source, gone in ((here, there), (there, here)):
                inside = all(path.resolve().is_relative_to(home) for path in (source, gone))
                if inside and source.exists() and not gone.exists():
                    gone.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, gone)
                    copied = True
    return copied


def on_network_disk(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether a file is on a disk that several machines may share, as far as Linux tells."""
    try:
        lines = [line.split() for line in mounts.read_text("utf-8").splitlines()]
    except OSError:
        return False
    here = [(len(line[1]), line[2]) for line in lines if path.resolve().is_relative_to(line[1])]
    return max(here, default=(0, ""))[1].startswith(NETWORK_DISKS)


def is_there(journal: Journal, home: Path, uri: str) -> bool:
    """Whether MLflow has the run that a journal was pushed to."""
    client = connect(uri)
    moved(home, uri)
    run_id = journal.pushed(uri)[0]
    return run_id is not None and _is_active(client, run_id)


@functools.cache
def moved(home: Path, uri: str) -> int:
    """See that files of runs are looked for where they are, after ``home`` was moved or copied.

    MLflow writes down absolute addresses of artifacts. Those in a database that lies in ``home``,
    and that are of a folder ``mlartifacts`` elsewhere, become those of the one beside it.

    Args:
        home: Folder of the database and of logged files.
        uri: MLflow's tracking uri.

    Returns:
        How many addresses were changed.
    """
    database = sqlite_file(uri)
    if database is None or database.parent != home or not database.exists():
        return 0
    here, changed = (home / ARTIFACTS).as_uri(), 0
    with _lock(database), closing(sqlite3.connect(database)) as connection, connection:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            rows = connection.execute(
                f"SELECT rowid, {column} FROM {table} WHERE {column} LIKE 'file:%/{ARTIFACTS}%' "
                f"AND {column} NOT LIKE ?",
                (f"{here}%",),
            ).fetchall()
            for rowid, address in rows:
                rest = address.rpartition(f"/{ARTIFACTS}")[2]
                if rest[:1] in ("", "/"):
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (here + rest, rowid)
                    )
                    changed += 1
    return changed


def _run_id(
    client: Any, journal: Journal, start: Event, known_id: str | None, home: Path, uri: str
) -> str:
    """The id of the journal's run: known, found by its tags, or of a run made now."""
    if known_id is not None and _is_active(client, known_id):
        return known_id
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
    except MlflowException:  # purged; what else may be wrong comes up again in the search for it
        return False


def _parent_id(journal: Journal, home: Path, uri: str) -> str | None:
    """The id of the sweep's run, which is pushed now if MLflow was away when it was opened."""
    parent = journal.parent()
    if parent is None:
        return None
    lock = parent.locked(wait=LOCKED_SECONDS)
    with _for_a_while(lock, parent.folder / "lock"):
        if parent.pushed(uri)[0] is None:
            push(parent, home, uri)
        return parent.pushed(uri)[0]


def _experiment_id(client: Any, name: str, home: Path, uri: str) -> str:
    """The id of an experiment, which is made if it is not there."""
    with _lock(sqlite_file(uri) or home / "mlflow"):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            # A server knows best where its files go; without one they go to an absolute folder,
            # not to MLflow's default, which is below the current one.
            served = uri.startswith(("http://", "https://"))
            folder = None if served else (home.absolute() / ARTIFACTS).as_uri()
            return str(client.create_experiment(name, artifact_location=folder))
    if experiment.lifecycle_stage != "active":
        raise TgapError(
            f"experiment '{name}' was deleted in MLflow; restore it (mlflow experiments restore "
            f"-x {experiment.experiment_id}) or choose another name with tracking.experiment="
        )
    return str(experiment.experiment_id)


SAMPLES = "pictures/samples.png"
IMAGE_KEY = "samples"
"""The same in every run, so that MLflow's pages lay their images side by side."""


def _log_image(client: Any, run_id: str, path: Path) -> None:
    """Log a picture for MLflow's grid of images, once."""
    from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES
    from PIL import Image

    if MLFLOW_LOGGED_IMAGES not in client.get_run(run_id).data.tags:
        with Image.open(path) as image:
            client.log_image(run_id, image, key=IMAGE_KEY, step=0)


def _log(client: Any, run_id: str, journal: Journal, events: Sequence[Event]) -> None:
    """Log events in few calls, which MLflow divides by its limits; how the run ended comes last."""
    from mlflow.entities import Metric, Param, RunTag

    turns = [event for event in events if event["event"] in ("resume", "end")]
    ended = turns[-1] if turns and turns[-1]["event"] == "end" else None
    if turns and not ended:
        client.update_run(run_id, status="RUNNING")
    metrics = [
        Metric(name, value, event["time"], event["step"])
        for event in events
        for name, value in event.get("values", {}).items()
    ]
    params, tags = (
        {name: text for event in events for name, text in event.get(kind, {}).items()}
        for kind in ("params", "tags")
    )
    client.log_batch(
        run_id,
        metrics,
        [Param(name, text) for name, text in params.items()],
        [RunTag(name, text) for name, text in tags.items()],
    )
    files = {event["name"]: event["path"] for event in events if event["event"] == "artifact"}
    for name, path in list(files.items()):
        file = journal.folder / path
        if not file.resolve().is_relative_to(journal.folder.resolve()):
            raise StoreError(f"{file} leads out of the journal; delete it")
        if file.exists():
            client.log_artifact(run_id, str(file), os.path.dirname(name))
        else:
            log.warning("%s of run %s was removed and is not logged", name, journal.run_key)
            del files[name]
    if SAMPLES in files:
        _log_image(client, run_id, journal.folder / files[SAMPLES])
    if ended is not None:
        client.set_terminated(run_id, ended["status"], ended["time"])
