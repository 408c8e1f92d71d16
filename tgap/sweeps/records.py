"""Runs as their journals have them, finished or not: what they were, what they gave, and left."""

import json
import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tgap.analysis.rows import ArtifactCost, PlannedRun, RunRow
from tgap.composition.building import build
from tgap.composition.config import Run
from tgap.core import ConfigError, ContractError, StoreError, nearest
from tgap.core.files import read_array
from tgap.core.foreign import formed, json_in
from tgap.metrics.legs import by_leg
from tgap.pipeline.plan import Plan
from tgap.pipeline.result import RESAMPLED, Result
from tgap.pipeline.stored import plan_as_json, plan_from_json, stored
from tgap.store import Store
from tgap.store.spec import content_of, key_of
from tgap.tracking import CURVE, SWEEP, Journal, RunLog
from tgap.tracking.event import NUMBERS, Event
from tgap.tracking.journal import complete, last_turn
from tgap.tracking.run_log import CONFIG

log = logging.getLogger(__name__)

ROW = "row.json"
"""File of a run's record that a table needs beside its metrics."""
ARTIFACTS = "artifacts.json"
"""File of a run's record: what each of its artifacts is."""
COSTS = "costs.json"
"""File of a run's record: what making its artifacts took."""
STAGES: Mapping[str, str] = {
    "dataset": "prepare",
    "embedding": "embed",
    "selection": "select",
    "prior": "finetune",
    "generator": "finetune",
    "judge": "generate",
    "synthetic": "generate",
    "classifier": "classify",
    "scores": "classify",
    "evaluation": "evaluate",
}
"""The stage of a kind of work, by the kind's first word."""
PLAIN = "tgap.drawings.plain.Plain"
MINIATURE = "tgap.generators.stable_diffusion.StableDiffusion"
"""How every synthetic set was drawn once."""
DAMAGED = (
    OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError,
    ContractError,
)  # fmt: skip
"""What reading a file of another form than ours may raise."""
LONGEST = 1e11
"""Seconds that nothing takes."""
LEAST_LETTERS = 4
"""Of a key, so that it names one run."""


def stage_of(kind: str) -> str:
    """The stage of a kind of work, e.g. ``finetune`` of ``generator tiny_ldm dreambooth``."""
    return STAGES[kind.partition(" ")[0]]


def record_planned(log: RunLog, planned: PlannedRun, plan: Plan) -> None:
    """Write down what must be known of a run that may not finish, before it begins."""
    row = vars(planned) | {"evaluation_key": plan.scores.key}
    log.text(json.dumps(row), ROW)
    log.text(json.dumps(plan_as_json(plan)), ARTIFACTS)


UNIT = 2
"""Of an amount of work: the first one left out labels, guidance and candidates."""


@dataclass(frozen=True)
class Cost:
    """What making an artifact took, as ``costs_of`` writes it down.

    Args:
        kind: Of the work, e.g. ``generator tiny_ldm dreambooth``.
        amount: How much of it there was.
        seconds: That it took.
        unit: What amounts are counted in, ``UNIT`` today; earlier records have another.
    """

    kind: str
    amount: float
    seconds: float
    unit: int = 1


@dataclass(frozen=True)
class Record:
    """A run's record.

    Args:
        journal: Where it was written down.
        events: What was.
    """

    journal: Journal
    events: Sequence[Event]

    @property
    def key(self) -> str:
        """What identifies the run."""
        return self.journal.run_key

    @property
    def started(self) -> int:
        """Milliseconds since 1970."""
        return int(self.events[0]["time"])

    @property
    def name(self) -> str:
        """As MLflow shows it."""
        return str(self.events[0]["name"])

    @property
    def experiment(self) -> str:
        """The MLflow experiment."""
        return str(self.events[0].get("experiment", ""))

    @property
    def params(self) -> Mapping[str, str]:
        """Parameters that people choose runs by."""
        params: Mapping[str, str] = self.events[0]["params"]
        return params

    @property
    def finished(self) -> bool:
        """Whether it ended well."""
        return complete(self.events)

    @property
    def status(self) -> str:
        """``finished``, ``failed``, ``killed``; ``not ended`` if it goes on or was cut off."""
        last = last_turn(self.events)
        ended = last is not None and last["event"] == "end"
        return str(last["status"]).lower() if last is not None and ended else "not ended"

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """Tags, the last values."""
        return {k: v for event in self.events for k, v in event.get("tags", {}).items()}

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """Metrics, the last values."""
        return {
            name: value
            for event in self.events
            for kind in NUMBERS
            for name, value in event.get(kind, {}).items()
        }

    @cached_property
    def row(self) -> PlannedRun | None:
        """Its row of a table: a ``RunRow`` if it was finished; ``None`` if it never began."""
        row = self._json(ROW)
        if row is None:
            return None
        with self._reading(ROW):
            scores_key = formed(str, row.pop("evaluation_key"), "'evaluation_key'")
            planned = formed(PlannedRun, row)
            if not self.finished:
                return planned
        resampled = {}
        if (file := self._file(RESAMPLED)).exists():
            with self._reading(RESAMPLED):
                replicates = read_array(file)
                if replicates.ndim != 2 or replicates.dtype.kind != "f":
                    raise ValueError(f"{replicates.shape} {replicates.dtype} are no replicates")
                resampled = by_leg(replicates, self.metrics)
        with self._reading(ROW):
            # Two artifacts of a kind never took the same time to the last digit of a clock.
            costs = [
                ArtifactCost(stage_of(one.kind), f"{one.kind} {one.seconds}", one.seconds)
                for one in self.costs
            ]
            return RunRow(
                **vars(planned),
                evaluation_key=scores_key,
                metrics=self.metrics,
                resampled=resampled,
                costs=costs,
            )

    @property
    def costs(self) -> Sequence[Cost]:
        """What making its artifacts took, as ``forecast`` wrote it; nothing if it did not."""
        with self._reading(COSTS):
            several = formed(list[Cost], self._json(COSTS) or [], COSTS)
            if any(one.amount < 1 or not 0 <= one.seconds < LONGEST for one in several):
                raise ValueError("a time or an amount is none")
        return several

    @property
    def words(self) -> tuple[str, ...] | None:
        """Of the command line that it was begun by; of one composed in Python none."""
        text = self.tags.get("tgap.overrides")
        if text is None:
            return None
        try:
            return tuple(shlex.split(text))
        except ValueError:  # a stranger's, that no shell would read
            return (text,)

    def run(self) -> Run:
        """The run itself, built from what was written down; nothing that it names is executed."""
        if not (file := self._file(CONFIG)).exists():
            raise StoreError(f"the record {self.journal.folder} has no {CONFIG}: it never began")
        with self._reading(CONFIG):
            data = yaml.safe_load(file.read_text("utf-8"))
        if isinstance(data, dict):  # of a run that was recorded before there was a choice
            data.setdefault("drawing", {"_target_": PLAIN})
            _name_miniature(data.get("generator"))
        return build(Run, data)

    def result(self, store: Store, *, fetch: bool = False) -> Result:
        """What it left in the store; see ``stored``."""
        data = self.artifacts_as_json
        if data is None:
            raise StoreError(
                f"the record {self.journal.folder} has no {ARTIFACTS}: the run never began, or was "
                "recorded by an earlier version; delete that folder and start the run again: what "
                "is in the store is reused"
            )
        run = self.run()
        with self._reading(ARTIFACTS):
            plan = plan_from_json(run, data)
        result = stored(plan, store, fetch=fetch)
        result.words = self.words
        return result

    def specs(self) -> Mapping[str, Mapping[str, Any]]:
        """What its artifacts are, by their keys; nothing if that was not written down.

        Raises:
            StoreError: If that is damaged.
        """
        with self._reading(ARTIFACTS):
            return dict(_specs(self.artifacts_as_json or {}))

    @property
    def artifacts_as_json(self) -> Mapping[str, Any] | None:
        """What each of its artifacts is, as ``plan_as_json`` wrote it; ``None`` if it did not."""
        found: Mapping[str, Any] | None = self._json(ARTIFACTS)
        return found

    def _json(self, name: str) -> Any:
        if not self._file(name).exists():
            return None
        with self._reading(name):
            return json_in(self._file(name))

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Say of a file that is damaged, or a stranger's, what to do about it."""
        try:
            yield
        except DAMAGED as error:
            raise StoreError(
                f"{self._file(name)} is damaged ({type(error).__name__}: {error}); delete the "
                f"folder {self.journal.folder} and start the run again: what is in the store is "
                "reused"
            ) from error

    def _file(self, name: str) -> Path:
        return self.journal.folder / "files" / name


def _specs(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Specifications in a plan that was written down, with their keys."""
    if isinstance(value, Mapping):
        if "spec" in value:
            content = content_of(value["spec"])
            yield key_of(content), content
        else:
            for part in value.values():
                yield from _specs(part)


def journals(home: Path) -> list[Journal]:
    """The journals of all runs and sweeps below ``TGAP_HOME`` that were begun."""
    return [Journal(path.parent) for path in sorted((home / "journal").glob("*/*/journal.jsonl"))]


def records(home: Path, experiment: str | None = None) -> list[Record]:
    """All runs, in the order in which they were begun.

    Args:
        home: Folder of the journal.
        experiment: Only runs of this one.
    """
    runs = [one for one in journals(home) if not one.run_key.startswith((SWEEP, CURVE))]
    found = [record for journal in runs if (record := _record(journal)) is not None]
    chosen = [one for one in found if experiment in (None, one.experiment)]
    return sorted(chosen, key=lambda one: (one.started, one.key))


def events_of(journal: Journal) -> list[Event]:
    """What was written down; nothing if it is damaged, which is told."""
    try:
        return journal.events()
    except StoreError as error:
        log.warning("%s; until then it is left out", error)
        return []


def _record(journal: Journal) -> Record | None:
    """A run's record; none of a run that never began, or whose record is damaged."""
    events = events_of(journal)
    record = Record(journal, events)
    if events and events[0]["event"] != "start":
        log.warning("%s is left out: its first line is no start of a run", journal.folder)
        return None
    try:
        row = record.row if events else None
    except StoreError as error:
        log.warning("run %s is left out: %s", record.key[:8], error)
        return None
    if events and record.finished and row is None:
        log.warning(
            "run %s is left out: its record %s has lost its files; delete that folder and start "
            "the run again: what is in the store is reused",
            record.key[:8],
            journal.folder,
        )
        return None
    return record if events else None


def record_named(home: Path, word: str) -> Record:
    """The run that a word names: the start of its key, or its id in MLflow.

    Of a run that was recorded several times, in several sweeps, the last record that was finished,
    or the last one.

    Raises:
        ConfigError: If there is none, the word is too short, or it begins several keys.
    """
    every = records(home)
    found = [
        one
        for one in every
        if word == one.journal.mlflow_id()
        or (len(word) >= LEAST_LETTERS and one.key.startswith(word))
    ]
    keys = list(dict.fromkeys(one.key for one in found))
    if not keys:
        if len(word) < LEAST_LETTERS:
            raise ConfigError(
                f"a key needs at least {LEAST_LETTERS} letters, got '{word}'; tgap runs shows all"
            )
        raise ConfigError(
            f"no run has the key or MLflow id '{word}'"
            f"{nearest(word, [one.key[:8] for one in every])}; tgap runs shows all"
        )
    if len(keys) > 1:
        raise ConfigError(f"'{word}' begins the keys of {len(keys)} runs: {', '.join(keys)}")
    return next((one for one in reversed(found) if one.finished), found[-1])


def _name_miniature(generator: object) -> None:
    """Of a run that was recorded when the one packaged miniature had no name to be chosen by."""
    if not isinstance(generator, dict) or generator.get("_target_") != MINIATURE:
        return
    if generator.get("path") is None:
        generator.setdefault("packaged", "tiny_ldm")
