"""Who looks for dead records takes none of a sweep that begins in the same moment."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tgap.tracking import Journal, Tracker, ghosts
from tgap.tracking.ghosts import ASKED, close_ghosts, is_running, running

LOOK = 0.3
"""Seconds in which a sweep begins that nothing keeps from it."""


@pytest.fixture
def sweep(tmp_path: Path) -> Journal:
    """The record of a sweep whose process died."""
    journal = Journal(tmp_path / "journal" / "abcd" / "sweep")
    with journal.locked():
        journal.append("start", experiment="e", name="n", params={}, tags={})
    return journal


class Begun(threading.Thread):
    """A process that goes on with the sweep, until it is told to end."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(daemon=True)
        self._journal, self.goes_on, self.end = journal, threading.Event(), threading.Event()

    def run(self) -> None:
        with running(self._journal.folder):
            with self._journal.locked():
                self._journal.append("resume", tags={})
            self.goes_on.set()
            self.end.wait(60)


@pytest.fixture
def begun(sweep: Journal) -> Iterator[Begun]:
    thread = Begun(sweep)
    yield thread
    thread.end.set()
    thread.join(60)


def test_a_sweep_that_begins_while_it_is_asked_for_counts_as_running(
    sweep: Journal, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ghosts.locked

    @contextmanager
    def slowly(path: Path, what: str, **how: Any) -> Iterator[None]:
        with asked(path, what, **how):
            if path.name == ASKED and threading.current_thread() is not begun:
                begun.start()
                begun.goes_on.wait(LOOK)
            yield

    monkeypatch.setattr(ghosts, "locked", slowly)
    assert not is_running(sweep)
    monkeypatch.undo()
    assert begun.goes_on.wait(60)
    assert is_running(sweep)


def test_a_sweep_that_begins_while_its_old_record_is_closed_is_not_closed(
    sweep: Journal, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_record = ghosts.end_record

    def late(*what: Any, **how: Any) -> bool:
        begun.start()
        begun.goes_on.wait(LOOK)
        return end_record(*what, **how)

    monkeypatch.setattr(ghosts, "end_record", late)
    assert close_ghosts(sweep.folder.parents[2], lambda journal: None) == 1
    assert begun.goes_on.wait(60)
    assert not sweep.ended()


def test_a_sweep_that_runs_is_not_closed_and_a_dead_one_is(sweep: Journal, begun: Begun) -> None:
    begun.start()
    assert begun.goes_on.wait(60)
    home = sweep.folder.parents[2]
    assert close_ghosts(home, lambda journal: None) == 0
    begun.end.set()
    begun.join(60)
    assert close_ghosts(home, lambda journal: None) == 1
    assert sweep.ended()


def test_a_sweep_that_two_processes_launch_runs_until_both_have_ended(sweep: Journal) -> None:
    first, second = Begun(sweep), Begun(sweep)
    for one in (first, second):
        one.start()
        assert one.goes_on.wait(60)
    home = sweep.folder.parents[2]
    for one, closed in ((first, 0), (second, 1)):
        assert close_ghosts(home, lambda journal: None) == 0
        one.end.set()
        one.join(60)
        assert close_ghosts(home, lambda journal: None) == closed
    assert not list(sweep.folder.glob("running*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from tgap.tracking.ghosts import running
with running(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_one_leaves_a_lock_that_counts_for_nothing(sweep: Journal) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(sweep.folder)], check=False)
    assert list(sweep.folder.glob("running*"))
    assert not is_running(sweep)
    assert not list(sweep.folder.glob("running*"))


def test_a_sweep_runs_before_its_record_is_begun_and_until_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tgap
    from tgap.pipeline.plan import plan
    from tgap.sweeps import launch
    from tgap.sweeps.checking import CheckedRuns
    from tgap.sweeps.forecast import Forecast
    from tgap.sweeps.identity import planned, sweep_key_of

    job = planned(plan(tgap.compose("size=4")), ["size=4"])
    journal = Journal(tmp_path / "journal" / sweep_key_of([job]) / "sweep")
    seen = []

    def note(*what: Any, **how: Any) -> None:
        seen.append(is_running(journal))

    def stopped(*what: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("TGAP_HOME", str(tmp_path))
    monkeypatch.setattr(Tracker, "open_sweep", note)
    monkeypatch.setattr(Tracker, "close_sweep", note)
    monkeypatch.setattr(launch, "_launch", stopped)
    those = CheckedRuns(None, ["size=4"], None, [["size=4"]], [job], Forecast([[]]), 1)
    with pytest.raises(KeyboardInterrupt):
        launch._swept(those, None)
    assert seen == [True, True]
    assert not is_running(journal)
