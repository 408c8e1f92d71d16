"""A run that was made before, by its key, its id, or the words of its command; nothing is made."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.config import Run
from tgap.core import ConfigError
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.runs import check_components
from tgap.pipeline.result import Result
from tgap.pipeline.stored import stored
from tgap.store import Store
from tgap.sweeps.records import Record, record_named, records

MOST_NAMED = 6
"""Runs that a message names."""


def result_of(home: Path, words: Sequence[str], config_dir: str | None = None) -> Result:
    """What a run left in the store, or in its second level, from which it is fetched.

    Args:
        home: Folder of store and journal.
        words: The start of its key or its MLflow id; or the words of its command, which may be
            none: the default run's. Of recorded runs the newest that was begun by these words is
            meant, or the one that has all of them among its words or parameters; else the run that
            these words lead to now.
        config_dir: Folder of further configs, for the words of a command.

    Raises:
        ConfigError: If there is no such run, it was not finished, or the words name none alone.
        StoreError: If its record or the store cannot be read.
    """
    named = [word for word in words if "=" not in word and word[0] != "~"]
    if not named:
        return _result_by_words(home, words, config_dir)
    if len(words) > 1:
        raise ConfigError(
            f"a run is named by its key alone, or by the overrides of its command (name=value): "
            f"'{named[0]}' goes with nothing else"
        )
    record = record_named(home, named[0])
    if not record.finished:
        begun = shlex.join(record.words or ())
        raise ConfigError(
            f"run {record.key[:8]} ({record.name}) was not finished: start it again, what is in "
            f"the store is reused (tgap run {begun})"
        )
    return record.result(Store(home / "store"), fetch=True)


def _result_by_words(home: Path, words: Sequence[str], config_dir: str | None) -> Result:
    matching = [] if config_dir is not None else _recorded(home, words)
    if len({one.key for one in matching}) == 1:
        return matching[-1].result(Store(home / "store"), fetch=True)
    run = _composed(words, config_dir)
    result = stored(plan(run), Store(home / "store"), fetch=True)
    result.words = None if config_dir is not None else tuple(words)
    missing = result.plan.evaluations.keys() - result.artifacts.evaluations.keys()
    if missing or result.artifacts.scores is None:
        where = f" --config-dir {shlex.quote(config_dir)}" if config_dir else ""
        raise ConfigError(
            "these overrides lead to a run that is not in the store, or not all of it, and nothing "
            f"is computed here: do it first (tgap run {shlex.join(words)}{where}); tgap runs shows "
            f"those that are there{_named(matching)}"
        )
    return result


def _recorded(home: Path, words: Sequence[str]) -> list[Record]:
    """Finished runs that words name, the newest last: the newest that was begun by just these; or
    all that have each of them among their own words or parameters.
    """
    finished = [one for one in records(home) if one.finished]
    exact = [one for one in finished if one.words is not None and set(one.words) == set(words)]
    if exact or not words:
        return exact[-1:]
    return [one for one in finished if all(_has(one, word) for word in words)]


def _has(record: Record, word: str) -> bool:
    name, _, value = word.partition("=")
    return word in (record.words or ()) or (value != "" and record.params.get(name) == value)


def _named(matching: Sequence[Record]) -> str:
    """Runs that words fit, by their keys; empty if there are none."""
    keys = list(dict.fromkeys(one.key[:8] for one in reversed(matching)))
    several = f", {', '.join(keys[:MOST_NAMED])}{', ...' if len(keys) > MOST_NAMED else ''}"
    return (
        f"; {len(keys)} of them fit these overrides, name one by its key{several}" if keys else ""
    )


def _composed(words: Sequence[str], config_dir: str | None) -> Run:
    with hydra_ready(config_dir) as hydra:
        run = compose_run(hydra, words)
    if problems := check_components([run.components()]):
        raise ConfigError(*problems)
    return run.fitted()
