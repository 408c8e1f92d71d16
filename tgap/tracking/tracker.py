"""What the pipeline logs to: a run is in the journal at once, in MLflow at stage ends."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import filelock

from tgap.core import ContractError, StoreError, TgapError
from tgap.core.secrets import masked
from tgap.tracking.beat import beating
from tgap.tracking.ghosts import close_ghosts, end_record, running
from tgap.tracking.journal import CURVE, SINGLE, SWEEP, Journal, place_of
from tgap.tracking.run_log import RunLog
from tgap.tracking.server import sqlite_file
from tgap.tracking.views import SWEEPS, short_name

log = logging.getLogger(__name__)

AGAIN = 600.0
"""Seconds after which an MLflow that could not be reached is tried again."""


class Tracker:
    """Logs runs and sweeps.

    Args:
        home: Folder of the journal, and of the database if there is no server.
        uri: MLflow's tracking uri, from ``resolve_uri``.
        experiment: MLflow experiment.
        sweep_key: The sweep that the runs belong to, if any.
    """

    def __init__(self, home: Path, uri: str, experiment: str, sweep_key: str | None) -> None:
        self.home, self.uri, self.experiment = home.absolute(), uri, experiment
        self.sweep_key = sweep_key
        self._away: float | None = None

    @contextmanager
    def run(
        self, run_key: str, name: str, params: Mapping[str, object], tags: Mapping[str, str]
    ) -> Iterator[RunLog]:
        """Record what happens inside.

        The run ends as FINISHED, KILLED (Ctrl-C, SIGTERM) or FAILED (any other exception). If it
        was recorded before, by whichever command, ``done`` of its log is true and nothing new is
        written but that it belongs to this sweep too; if that was interrupted, its record goes on.

        Args:
            run_key: What identifies the run.
            name: Shown in MLflow.
            params: Flat; MLflow cuts long values.
            tags: Further tags.
        """
        kind = {"tgap.kind": "run"}
        with self._recorded(self.journal(run_key), name, params, kind | dict(tags)) as run_log:
            yield run_log

    @contextmanager
    def _recorded(
        self, journal: Journal, name: str, params: Mapping[str, object], tags: Mapping[str, str]
    ) -> Iterator[RunLog]:
        with self._log(journal) as run_log:
            run_log.open(self.experiment, name, params, tags)
            if self.sweep_key is not None:
                run_log.belongs_to(self.sweep_key)
            try:
                with beating(journal.folder):
                    yield run_log
            except BaseException as error:
                killed = isinstance(error, KeyboardInterrupt)
                run_log.close("KILLED" if killed else "FAILED", f"{type(error).__name__}: {error}")
                raise
            run_log.close("FINISHED")

    def open_sweep(
        self, name: str, n_runs: int, params: Mapping[str, object], texts: Mapping[str, str] = {}
    ) -> None:
        """Open the sweep's parent run, unless it is there: the same sweep again, or continued."""
        with self._sweep_log() as sweep_log:
            tags = {"tgap.kind": "sweep", "tgap.n_runs": str(n_runs)}
            sweep_log.open(self.experiment, name, {"n_runs": n_runs, **params}, tags)
            for file, content in texts.items():
                sweep_log.text(content, file)

    def curve(
        self,
        run_key: str,
        name: str,
        params: Mapping[str, object],
        points: Mapping[int, Mapping[str, float]],
    ) -> None:
        """Log a curve of the sweep as a run of its own, so that MLflow draws a line of it.

        Args:
            run_key: What identifies it in its sweep.
            name: Shown in MLflow.
            params: Flat.
            points: Metrics by step.
        """
        journal = self._in_sweep(f"{CURVE}{run_key}")
        tags = {"tgap.kind": "curve", SWEEPS: short_name(journal.sweep_key)}
        with self._recorded(journal, name, params, tags) as run_log:
            for step, values in sorted(points.items()):
                run_log.metrics(values, step)

    def close_sweep(
        self,
        status: str,
        tags: Mapping[str, str] = {},
        texts: Mapping[str, str] = {},
        files: Mapping[str, Path] = {},
    ) -> None:
        """Close the sweep's parent run; nothing happens if it was FINISHED before.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
            tags: Further tags.
            texts: Files by name, e.g. ``{"table.md": ...}``.
            files: To be copied, by name.
        """
        with self._sweep_log() as sweep_log:
            if sweep_log.new:
                raise ContractError(
                    f"sweep {self.sweep_key} was not opened; open it before it is closed"
                )
            sweep_log.tags(tags)
            for file, content in texts.items():
                sweep_log.text(content, file)
            for file, path in files.items():
                sweep_log.artifact(path, file)
            sweep_log.close(status)

    def push(self, journal: Journal) -> None:
        """Bring MLflow up to a journal; a failure is told once, and minutes later tried again."""
        told, now = self._away is not None, time.monotonic()
        if self._away is not None and now - self._away < AGAIN:  # each costs a timeout
            return
        try:
            _push(journal, self.home, self.uri)
        except StoreError as error:  # a journal's own folder, which may soon be well again
            log.warning("%s; the run goes on: log it later with `tgap sync`", error)
        except Exception as error:
            self._away = time.monotonic()
            log.log(
                logging.DEBUG if told else logging.WARNING,
                "cannot log to MLflow at %s (%s); the run goes on, and what is to be logged is "
                "kept in %s: log it later with `tgap sync`",
                masked(self.uri),
                _reason(error),
                journal.folder,
            )
        else:
            self._away = None

    def journal(self, run_key: str) -> Journal:
        """Where a run is recorded; see ``place_of``."""
        return place_of(self.home, run_key, self.sweep_key or SINGLE)

    def end(self, run_key: str, status: str, reason: str) -> None:
        """Write down how a run ended whose process cannot do that any more.

        Args:
            run_key: The run.
            status: ``FAILED`` or ``KILLED``.
            reason: Of what it died; nothing = it was stopped, and could perhaps write that down.
        """
        journal, again = self.journal(run_key), bool(reason)
        end_record(journal, status, reason or "it was stopped", self.push, again=again)

    def close_ghosts(self) -> None:
        """End the records of processes that died without a word."""
        close_ghosts(self.home, self.push)

    @contextmanager
    def running_sweep(self) -> Iterator[None]:
        """Inside, the sweep counts as running."""
        folder = self._in_sweep(SWEEP).folder
        with running(folder), beating(folder):
            yield

    @contextmanager
    def _log(self, journal: Journal) -> Iterator[RunLog]:
        with journal.locked():
            try:
                run_log = RunLog(journal, self.push)
            except StoreError:
                journal.mend()
                run_log = RunLog(journal, self.push)
            yield run_log

    @contextmanager
    def _sweep_log(self) -> Iterator[RunLog]:
        with self._log(self._in_sweep(SWEEP)) as sweep_log:
            yield sweep_log

    def _in_sweep(self, key: str) -> Journal:
        """What is of this sweep alone: its own record, and curves."""
        if self.sweep_key is None:
            raise ContractError("this tracker has no sweep_key; give it one to open a sweep")
        return Journal(self.home / "journal" / self.sweep_key / key)


def sync(home: Path, uri: str) -> dict[str, int]:
    """Log whatever is in the journal and not in MLflow yet; runs in progress are left alone.

    Args:
        home: Folder of the journal.
        uri: MLflow's tracking uri.

    Returns:
        How many ``runs``, ``sweeps`` and ``curves`` were brought up to date.

    Raises:
        TgapError: If MLflow cannot be reached; what was logged until then stays.
    """
    files = (home.absolute() / "journal").glob("*/*/journal.jsonl")
    close_ghosts(home.absolute(), lambda journal: None)  # all are pushed below, or tell why not
    # A sweep before its runs, which name it as their parent.
    folders = sorted((file.parent for file in files), key=lambda f: (f.parent, f.name != SWEEP))
    counts, damaged = {"runs": 0, "sweeps": 0, "curves": 0}, []
    for journal in map(Journal, folders):
        try:
            with journal.locked(wait=False):
                counts[_kind(journal)] += _push(journal, home.absolute(), uri, certain=True)
        except filelock.Timeout:
            log.info("run %s is in progress; it logs itself", journal.run_key)
        except StoreError as error:
            damaged.append(str(error))
        except TgapError:
            raise
        except Exception as error:
            raise TgapError(
                f"cannot log run {journal.run_key} to MLflow at {masked(uri)}: "
                f"{_reason(error)}; nothing is lost, run `tgap sync` again when MLflow is there "
                "(MLFLOW_TRACKING_URI says where it is looked for)"
            ) from error
    if damaged:
        raise StoreError("; ".join([*damaged, "all other records are in MLflow"]))
    return counts


def _kind(journal: Journal) -> str:
    if journal.run_key == SWEEP:
        return "sweeps"
    return "curves" if journal.run_key.startswith(CURVE) else "runs"


def _push(journal: Journal, home: Path, uri: str, certain: bool = False) -> bool:
    """Bring MLflow up to a journal; whether there was something to bring.

    Args:
        journal: Of a run, a sweep or a curve.
        home: Folder of the journal.
        uri: MLflow's tracking uri.
        certain: Whether MLflow itself is asked if it has the run, which takes seconds to load.
    """
    if _is_pushed(journal, uri) and not certain:
        return False
    from tgap.tracking.push import is_there, push, put_back

    if _is_pushed(journal, uri) and is_there(journal, home, uri):
        return certain and put_back(journal, uri)

    push(journal, home, uri)
    return True


def _is_pushed(journal: Journal, uri: str) -> bool:
    """Whether MLflow has all of a journal; found out without importing it."""
    count, database = journal.count(), sqlite_file(uri)
    if database is not None and not database.exists():
        return count == 0  # it was deleted: everything is logged anew
    return count == journal.pushed(uri)[1]


def _reason(error: Exception) -> str:
    """The line of an error that says what is wrong, without a password that may be part of it."""
    lines = str(error).strip().splitlines() or [""]
    # SQLAlchemy may say first when it happened, in brackets.
    told = (line for line in lines if not line.startswith("(raised as a result of"))
    line = next(told, lines[0])[:300]
    return masked(line) or type(error).__name__
