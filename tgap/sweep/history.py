"""Runs that were recorded before, whichever command they belonged to, as rows for one table."""

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tgap.analysis.rows import PlannedRun, RunRow
from tgap.core import ConfigError, nearest
from tgap.metrics.legs import LEGS
from tgap.pipeline.result import RESAMPLED
from tgap.tracking import RunLog
from tgap.tracking.journal import SWEEP, Event, Journal, complete

log = logging.getLogger(__name__)

ROW = "row.json"
"""File of a run's record that a table needs beside its metrics."""
PLANNED = "planned.json"
"""File of a sweep's record: its runs, also those that may never begin."""


def as_json(planned: Iterable[tuple[PlannedRun, Mapping[str, object]]]) -> str:
    """What a sweep writes down before its first run: its runs with their parameters."""
    return json.dumps(
        [
            dataclasses.asdict(run) | {"params": {name: str(v) for name, v in params.items()}}
            for run, params in planned
        ]
    )


def record_planned(log: RunLog, planned: PlannedRun, scores_key: str) -> None:
    """Write down what a table must know of a run, before the run begins."""
    log.text(json.dumps(dataclasses.asdict(planned) | {"evaluation_key": scores_key}), ROW)


def recorded(
    home: Path, experiment: str, chosen: Mapping[str, str]
) -> tuple[list[RunRow], list[PlannedRun]]:
    """All runs of an experiment, in the order in which they were begun.

    Args:
        home: Folder of the journal.
        experiment: Only runs of this one.
        chosen: Values of parameters, as text, several with commas between them; only runs that
            have one of each.

    Returns:
        Rows of runs that were finished, and runs that were planned or begun and not finished.

    Raises:
        ConfigError: If no run is left, or no run has a parameter of that name or such a value.
    """
    begun, planned = [], []
    for path in sorted((home / "journal").glob("*/*/journal.jsonl")):
        journal = Journal(path.parent)
        events = journal.events()
        if not events or events[0].get("experiment") != experiment:
            continue
        if journal.run_key == SWEEP:
            planned += _planned(journal)
        else:
            begun.append((events[0]["time"], journal, events))
    begun.sort(key=lambda found: (found[0], found[1].folder.name))
    params_of_all = [*(events[0]["params"] for _, _, events in begun), *(p for _, p in planned)]
    _check(chosen, params_of_all, experiment)
    rows, missing = [], [run for run, params in planned if _is_chosen(params, chosen)]
    for _, journal, events in begun:
        params = events[0]["params"]
        if not _is_chosen(params, chosen):
            continue
        run = _read(journal, events)
        if isinstance(run, RunRow):
            rows.append(run)
        elif run is not None:
            missing.append(run)
    if not rows:
        raise ConfigError(f"no finished run of experiment '{experiment}' is left to compare")
    return rows, missing


def _planned(journal: Journal) -> list[tuple[PlannedRun, Mapping[str, str]]]:
    """A sweep's planned runs with their parameters; which are finished is found out by their seeds.

    Plans of earlier versions have no parameters, and are in no choice.
    """
    file = journal.folder / "files" / PLANNED
    if not file.exists():
        return []
    planned = [(run.pop("params", {}), run) for run in json.loads(file.read_text("utf-8"))]
    return [(PlannedRun(**run), params) for params, run in planned]


def _is_chosen(params: Mapping[str, str], chosen: Mapping[str, str]) -> bool:
    return all(params.get(name) in _values(text) for name, text in chosen.items())


def _values(text: str) -> list[str]:
    """What is between commas, and the whole: a method's label may hold one."""
    return [text, *text.split(",")]


def _check(chosen: Mapping[str, str], params: Sequence[Mapping[str, str]], experiment: str) -> None:
    if not params:
        raise ConfigError(
            f"no run of experiment '{experiment}' was recorded; name another by --experiment, or "
            "another folder by TGAP_HOME"
        )
    names = sorted({name for one in params for name in one})
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise ConfigError(
            *(f"no run has a parameter '{name}'{nearest(name, names)}" for name in unknown)
        )
    wrong = []
    for name, text in chosen.items():
        there = list(dict.fromkeys(one[name] for one in params if name in one))
        if text not in there:
            missing = [value for value in text.split(",") if value not in there]
            wrong += [f"no run has {name}={value}{nearest(value, there)}" for value in missing]
    if wrong:
        raise ConfigError(*wrong)


def _read(journal: Journal, events: Sequence[Event]) -> PlannedRun | None:
    """A run's row, or its plan if it was not finished; nothing of a run that never began."""
    files = journal.folder / "files"
    try:
        row = json.loads((files / ROW).read_text("utf-8"))
    except FileNotFoundError:
        return None
    scores_key = row.pop("evaluation_key")
    if not complete(list(events)):
        return PlannedRun(**row)
    metrics: dict[str, float] = {}
    for event in events:
        metrics |= event.get("values", {})
    resampled = {}
    if (files / RESAMPLED).exists():
        replicates = np.load(files / RESAMPLED, allow_pickle=False)
        resampled = dict(zip(LEGS, replicates.T, strict=True))
    return RunRow(**row, evaluation_key=scores_key, metrics=metrics, resampled=resampled)
