"""A child that is to stop has little time, but what it takes to save a checkpoint."""

import os
import queue
import time
from collections.abc import Callable, Iterator

import pytest

from tgap.core import checkpoint, interrupts
from tgap.core.checkpoint import saving_told
from tgap.pipeline.sharing import child as module
from tgap.pipeline.sharing.child import START, Child, Inbox, next_said

SAVES = f"""{START}
import time
def say(**message): print(json.dumps(message), flush=True)
try:
    say(event="ready")
    time.sleep(60)
except KeyboardInterrupt:
    say(event="saving", going=True)
    time.sleep(1.5)
    say(event="saving", going=False)
    say(event="ended", failure="stopped")
time.sleep(60)
"""
SAVES_NOTHING = SAVES.replace('"saving"', '"other"')
DIES_SAVING = f"""{START}
print(json.dumps({{"event": "saving", "going": True}}), flush=True)
"""
LEAVES_ONE = f"""{START}
import os, time
print(json.dumps({{"event": "ready"}}), flush=True)
if os.fork():
    os._exit(7)
time.sleep(60)
"""
CLOSES, GARBLES = (
    f"""{START}
import os, time
print(json.dumps({{"event": "ready"}}), flush=True)
{how}
time.sleep(60)
"""
    for how in ("os.close(1)", "print('{', flush=True)")
)


@pytest.fixture
def child() -> Iterator[Callable[[str], Child]]:
    children = []

    def started(program: str) -> Child:
        inbox: Inbox = queue.SimpleQueue()
        children.append(Child(program, inbox))
        while next_said(inbox) is None:
            continue
        return children[0]

    yield started
    children[0].close()


def test_it_has_as_long_as_it_saves_and_that_is_told_on(child) -> None:
    told: list[bool] = []
    with saving_told(told.append):
        ended = child(SAVES).stop("SIGINT", grace=0.8, longest=60)
    assert ended == {"event": "ended", "failure": "stopped"}
    assert told == [True, False]


def test_one_that_dies_while_it_saves_saves_no_longer(child) -> None:
    told: list[bool] = []
    with saving_told(told.append):
        child(DIES_SAVING)
    assert told == [True, False]


@pytest.mark.parametrize(("program", "longest"), [(SAVES, 0.9), (SAVES_NOTHING, 60)])
def test_it_has_no_more_than_that(child, program: str, longest: float) -> None:
    stopping = child(program)
    start = time.monotonic()
    assert stopping.stop("SIGINT", grace=0.8, longest=longest) is None
    assert time.monotonic() - start < 30
    assert stopping.alive


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that forks")
def test_one_that_is_dead_is_gone_though_one_that_it_started_lives(child) -> None:
    dead = child(LEAVES_ONE)
    dead.process.wait(20)
    assert next_said(dead._inbox, [dead]) == (dead, {"event": "gone"}, b"")
    assert dead.stop("SIGINT", grace=20, longest=20) == {"event": "gone"}
    assert dead.death("it") == "it ended its process with exit code 7"


@pytest.mark.parametrize("program", [CLOSES, GARBLES])
def test_one_that_no_longer_speaks_is_killed(child, program: str, monkeypatch) -> None:
    monkeypatch.setattr(module, "DYING", 0.1)
    silent = child(program)
    assert next_said(silent._inbox) == (silent, {"event": "gone"}, b"")
    assert silent.death("it").startswith("it no longer spoke to the process that started it")
    assert silent.process.poll() is not None


def test_each_process_that_waits_has_more_time_than_the_one_it_waits_for() -> None:
    from tgap.pipeline.sharing import crew
    from tgap.sweeps import isolation, worker

    killed_by_slurm = 30
    grace = [interrupts.HOLD_SECONDS, crew.GRACE, isolation.GRACE, worker.LAST_SECONDS]
    longest = [interrupts.SAVING_SECONDS, crew.LONGEST, isolation.LONGEST, killed_by_slurm]
    clusters = [interrupts.CLUSTERS_SECONDS, isolation.CLUSTERS_GRACE, killed_by_slurm]
    for waits in (grace, longest, clusters, [crew.LONGEST, isolation.CLUSTERS_GRACE]):
        assert waits == sorted(set(waits))
    step, save = interrupts.HOLD_SECONDS, checkpoint.QUICK_SECONDS
    assert step + save < interrupts.SAVING_SECONDS
    assert step * interrupts.PATIENCE + save < interrupts.CLUSTERS_SECONDS
