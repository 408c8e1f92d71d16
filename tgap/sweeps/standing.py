"""How the runs of a sweep stand: done, running, failed or missing; from records alone."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tgap.core import ConfigError, StoreError, nearest
from tgap.sweeps.history import planned_of
from tgap.sweeps.records import journals
from tgap.tracking import CURVE, SWEEP, Journal
from tgap.tracking.beat import Beat, beat_of
from tgap.tracking.ghosts import is_running

STATES = ("done", "running", "failed", "stopped", "missing")
"""``stopped`` was interrupted, or its process died; ``missing`` was never begun."""


@dataclass(frozen=True)
class RunStanding:
    """How one run stands.

    Args:
        key: Of the run.
        name: As people read it.
        state: One of ``STATES``.
        reason: Of what it failed or was stopped.
        begun: When, in seconds since 1970; 0 if it was not.
        seconds: That it took, or has taken so far.
        beat: Its last sign of life, if it is running.
    """

    key: str
    name: str
    state: str
    reason: str = ""
    begun: float = 0.0
    seconds: float = 0.0
    beat: Beat | None = None

    @property
    def left(self) -> float | None:
        """Seconds that what it is doing now will take, as far as can be known."""
        beat = self.beat
        if beat is None or not 0 < beat.done < beat.total:
            return None
        return (beat.time - beat.since) / beat.done * (beat.total - beat.done)


@dataclass(frozen=True)
class SweepStanding:
    """How a sweep stands.

    Args:
        key: Of the sweep.
        name: As people read it.
        words: Of its command line.
        begun: When it was begun, or last gone on with, in seconds since 1970.
        running: Whether it goes on.
        runs: Its runs, in the order of the command line.
    """

    key: str
    name: str
    words: str
    begun: float
    running: bool
    runs: Sequence[RunStanding]

    def of(self, state: str) -> list[RunStanding]:
        """The runs that stand so."""
        return [one for one in self.runs if one.state == state]

    @property
    def left(self) -> float | None:
        """Seconds until its end, if the rest take as long as those that are done."""
        done, running = [one.seconds for one in self.of("done")], self.of("running")
        if not self.running or not done:
            return None
        each = statistics.median(done)
        now = max((max(each - one.seconds, one.left or 0.0) for one in running), default=0.0)
        waiting = len(self.of("missing")) + len(self.of("stopped"))
        return now + each * waiting / max(len(running), 1)


def sweeps(home: Path, chosen: str = "") -> list[SweepStanding]:
    """How sweeps stand: those that are running or, if none is, the last one.

    Args:
        home: Folder of the journals.
        chosen: The start of a sweep's key; then that one.

    Raises:
        ConfigError: If no sweep has such a key.
    """
    places = _places(home)
    found = [one for one in places.pop(SWEEP, []) if one.turn() is not None]
    if chosen:
        named = [one for one in found if one.sweep_key.startswith(chosen)]
        if not named:
            keys = [one.sweep_key[:8] for one in found]
            there = f"; there are {', '.join(keys[-5:])}" if keys else "; none was begun here"
            raise ConfigError(f"no sweep has the key '{chosen}'{nearest(chosen, keys)}{there}")
        return [_sweep(one, places) for one in named]
    running = [one for one in found if not one.ended() and is_running(one)]
    last = sorted(found, key=_begun)[-1:]
    return [_sweep(one, places) for one in sorted(running, key=_begun) or last]


def others_running(home: Path, shown: Sequence[SweepStanding]) -> list[RunStanding]:
    """Runs that go on and belong to no sweep that is shown."""
    keys = {run.key for sweep in shown for run in sweep.runs}
    every = [
        one
        for one in journals(home)
        if not one.run_key.startswith((SWEEP, CURVE))
        if one.run_key not in keys and not one.ended()
    ]
    standing = [_standing(one.run_key, "", [one]) for one in every]
    return [one for one in standing if one.state == "running"]


def _places(home: Path) -> dict[str, list[Journal]]:
    places: dict[str, list[Journal]] = {}
    for journal in journals(home):
        places.setdefault(journal.run_key, []).append(journal)
    return places


def _begun(journal: Journal) -> float:
    """When it was begun, or last gone on with or ended."""
    turn = journal.turn()
    return 0.0 if turn is None else turn["time"] / 1000


def _sweep(journal: Journal, places: Mapping[str, Sequence[Journal]]) -> SweepStanding:
    events = journal.events()
    begun = [event["time"] for event in events if event["event"] in ("start", "resume")]
    runs = [
        _standing(key, _name(row.method, row.size, row.seed, row.split), places.get(key, []))
        for key, row, _ in planned_of(journal)
    ]
    return SweepStanding(
        journal.sweep_key,
        events[0].get("name", ""),
        events[0].get("params", {}).get("overrides", ""),
        begun[-1] / 1000 if begun else 0.0,
        not journal.ended() and is_running(journal),
        runs,
    )


def _name(method: str, size: int | None, seed: int, split: Mapping[str, str]) -> str:
    sizes = {} if size is None else {"size": size}
    words = {**sizes, "seed": seed, **split}
    return " ".join([method, *(f"{key}={value}" for key, value in words.items())])


def _standing(key: str, name: str, places: Sequence[Journal]) -> RunStanding:
    """How a run stands, of its records the best."""
    every = [one for place in places if (one := _of_record(key, name, place)) is not None]
    return min(
        every, key=lambda one: STATES.index(one.state), default=RunStanding(key, name, STATES[-1])
    )


def _of_record(key: str, name: str, journal: Journal) -> RunStanding | None:
    try:
        turn = journal.turn()
        if turn is None:
            return None
        if turn["event"] != "end":
            return _unended(key, name, journal)
        begun = _last_begun(journal)
    except StoreError as error:
        return RunStanding(key, name, "stopped", str(error))
    state = {"FINISHED": "done", "FAILED": "failed"}.get(turn["status"], "stopped")
    reason = turn.get("tags", {}).get("tgap.error", "")
    return RunStanding(key, name, state, reason, begun, turn["time"] / 1000 - begun)


def _unended(key: str, name: str, journal: Journal) -> RunStanding:
    begun, start = _last_begun(journal), journal.events()[0]
    name = name or start.get("name", "")
    if not is_running(journal):
        return RunStanding(key, name, "stopped", "its process died", begun)
    return RunStanding(
        key, name, "running", "", begun, time.time() - begun, beat_of(journal.folder)
    )


def _last_begun(journal: Journal) -> float:
    times = [e["time"] for e in journal.events() if e["event"] in ("start", "resume")]
    return float(times[-1]) / 1000 if times else 0.0
