"""Runs that were recorded before, whichever command they belonged to, as rows for one table."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tgap.analysis.rows import PlannedRun, RunRow
from tgap.core import ConfigError, StoreError, nearest
from tgap.core.foreign import formed, json_in
from tgap.sweeps.identity import OF_TUNING
from tgap.sweeps.records import DAMAGED, Record, events_of, journals, records
from tgap.tracking import SWEEP, Journal

Run = TypeVar("Run", bound=PlannedRun)
PLANNED = "planned.json"
"""File of a sweep's record: its runs, also those that may never begin."""


def as_json(planned: Iterable[tuple[str, PlannedRun, Mapping[str, object]]]) -> str:
    """What a sweep writes down before its first run: its runs with their keys and parameters."""
    return json.dumps(
        [
            dataclasses.asdict(run)
            | {"key": key, "params": {name: str(v) for name, v in params.items()}}
            for key, run, params in planned
        ]
    )


def parameters_of(words: Iterable[str]) -> dict[str, str]:
    """Values of parameters, by which runs are chosen.

    Args:
        words: ``name=value`` each.

    Raises:
        ConfigError: If one is not.
    """
    words = list(words)
    if wrong := [word for word in words if "=" not in word]:
        raise ConfigError(*(f"'{word}' must be name=value, e.g. size=500" for word in wrong))
    return dict(word.split("=", 1) for word in words)


def recorded(
    home: Path, experiment: str, chosen: Mapping[str, str]
) -> tuple[list[RunRow], list[PlannedRun]]:
    """All runs of an experiment as rows; see ``chosen_records``.

    Returns:
        Rows of runs that were finished, and runs that were planned or begun and not finished.
    """
    finished, missing = chosen_records(home, experiment, chosen)
    return [row for _, row in finished], missing


def chosen_records(
    home: Path, experiment: str, chosen: Mapping[str, str]
) -> tuple[list[tuple[Record, RunRow]], list[PlannedRun]]:
    """All runs of an experiment, in the order in which they were begun.

    Args:
        home: Folder of the journal.
        experiment: Only runs of this one.
        chosen: Values of parameters, as text, several with commas between them; only runs that
            have one of each.

    Returns:
        Runs that were finished with their rows, and runs that were planned or begun and not
        finished; of the folds that their means are over, those that were chosen.

    Raises:
        ConfigError: If no run is left, or no run has a parameter of that name or such a value.
    """
    runs = records(home, experiment)
    planned = [
        (row, params)
        for journal in journals(home)
        if journal.run_key == SWEEP
        if (events := events_of(journal)) and events[0].get("experiment") == experiment
        for _, row, params in planned_of(journal)
    ]
    check_choice(chosen, [*(one.params for one in runs), *(p for _, p in planned)], experiment)
    missing = [of_chosen_splits(run, chosen) for run, p in planned if is_chosen(p, chosen)]
    finished, begun = by_end([one for one in runs if is_chosen(one.params, chosen)])
    if not finished:
        raise ConfigError(f"no finished run of experiment '{experiment}' is left to compare")
    finished = [(one, of_chosen_splits(row, chosen)) for one, row in finished]
    return finished, [*missing, *(of_chosen_splits(run, chosen) for run in begun)]


def of_chosen_splits(run: Run, chosen: Mapping[str, str]) -> Run:
    """The run with those of its splits that were chosen: others are not missing.

    >>> every = [{"protocol.fold": str(fold)} for fold in range(5)]
    >>> run = PlannedRun(
    ...     method="a", method_key="a", size=9, seed=0, settings={}, split=every[2], splits=every
    ... )
    >>> of_chosen_splits(run, {"protocol.fold": "2,3", "size": "9"}).splits
    [{'protocol.fold': '2'}, {'protocol.fold': '3'}]
    """
    kept = [
        split
        for split in run.splits
        if all(split[name] in _values(text) for name, text in chosen.items() if name in split)
    ]
    return dataclasses.replace(run, splits=kept)


def by_end(runs: Sequence[Record]) -> tuple[list[tuple[Record, RunRow]], list[PlannedRun]]:
    """Runs that were finished with their rows, and the rows of those that were begun only."""
    finished, begun = [], []
    for one in runs:
        row = one.row
        if isinstance(row, RunRow):
            finished.append((one, row))
        elif row is not None:
            begun.append(row)
    return finished, begun


def planned_of(journal: Journal) -> list[tuple[str, PlannedRun, Mapping[str, str]]]:
    """A sweep's planned runs with their keys and parameters.

    Which are finished a comparison finds out by their seeds. Plans of earlier versions have no keys
    and perhaps no parameters, and are then in no choice.
    """
    file = journal.folder / "files" / PLANNED
    if not file.exists():
        return []
    try:
        return [_planned(run) for run in formed(list[dict[str, Any]], json_in(file))]
    except DAMAGED as error:
        raise StoreError(f"{file} is damaged ({error}); delete {journal.folder}") from error


def _planned(run: dict[str, Any]) -> tuple[str, PlannedRun, Mapping[str, str]]:
    key = formed(str, run.pop("key", ""), "'key'")
    params = formed(dict[str, str], run.pop("params", {}), "'params'")
    return key, formed(PlannedRun, run), params


def is_chosen(params: Mapping[str, str], chosen: Mapping[str, str]) -> bool:
    """Whether a run's parameters have one of the values that were chosen of each.

    A run without a tuning set, as of the untuned generator, goes with each size and selector.
    """
    return all(
        params[name] in _values(text) if name in params else name in OF_TUNING
        for name, text in chosen.items()
    )


def _values(text: str) -> list[str]:
    """What is between commas, and the whole: a method's label may hold one."""
    return [text, *text.split(",")]


def check_choice(
    chosen: Mapping[str, str], params: Sequence[Mapping[str, str]], experiment: str
) -> None:
    """See that what was chosen is there.

    Args:
        chosen: Values of parameters, as text, several with commas between them.
        params: Those of each run.
        experiment: That they are of, for the message; empty = any.

    Raises:
        ConfigError: If there is no run, or none has a parameter of that name or such a value.
    """
    if not params:
        of = f" of experiment '{experiment}'" if experiment else ""
        other = "name another by --experiment, or another" if experiment else "name another"
        raise ConfigError(f"no run{of} was recorded; {other} folder by TGAP_HOME")
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
