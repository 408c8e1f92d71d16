"""Processes that share a stage: what they say is put in order, and none outlives a failure."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

import tgap
from tests.pipeline.members import picture
from tgap.core import TgapError
from tgap.core.progress import watched
from tgap.pipeline.plan import plan
from tgap.pipeline.sharing import crew
from tgap.pipeline.sharing.crew import Crew
from tgap.store import Store

PROGRAM = f"{crew.START}; from tests.pipeline.members import main; main()"
BATCHES = [([f"prompt {n}"] * (1 + n % 3), list(range(n, n + 1 + n % 3))) for n in range(9)]


@pytest.fixture
def members(tmp_path, monkeypatch):
    """Starts a crew of two whose members do what ``tests.pipeline.members`` says."""
    monkeypatch.setattr(crew, "PROGRAM", PROGRAM)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    planned = plan(tgap.compose("generator.device=cpu"))

    def start(way: str, **task: object) -> Crew:
        return Crew(planned, Store(tmp_path / "store"), "none", "working", 2, way=way, **task)

    yield start
    assert not children()


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "members" in " ".join(each.cmdline())]


def test_images_come_in_their_order_whoever_draws_them(members):
    with members("draw") as pair:
        drawn = list(pair.drawn(BATCHES))
    for (prompts, seeds), images in zip(BATCHES, drawn, strict=True):
        assert (images == np.stack([*map(picture, prompts, seeds)])).all()


def test_a_member_that_is_killed_is_told_and_none_is_left(members):
    told = pytest.raises(TgapError, match=r"^working: process 2 of 2 is gone: it was killed by ")
    with members("draw", then=2) as pair, closing(pair.drawn(BATCHES * 9)) as drawn, told:
        list(drawn)


def test_a_member_that_is_killed_is_told_though_one_that_it_forked_lives(members):
    told = pytest.raises(TgapError, match=r"^working: process 2 of 2 is gone: it was killed by ")
    with members("orphan") as pair, told:
        pair.finished()


@pytest.mark.parametrize(
    ("told", "message"),
    [(False, "^working: process 2 of 2 failed: ValueError: of"), (True, "^ValueError: of")],
)
def test_the_reason_is_told_and_not_that_another_one_is_gone(members, caplog, told, message):
    caplog.set_level(logging.DEBUG, "tgap")
    with members("fail", told=told) as pair, pytest.raises(TgapError, match=message):
        pair.finished()
    assert "process 2 of 2 failed:\nTraceback: here" in caplog.text


def test_what_the_first_one_comes_to_is_told(members):
    with members("end") as pair:
        assert pair.finished() == {"rank": 0}


def test_at_an_interruption_the_first_one_saves(members, tmp_path, monkeypatch):
    """Also if that takes longer than to end otherwise may."""
    monkeypatch.setattr(crew, "GRACE", 0.8)
    saves, seen = tmp_path / "saved", threading.Event()

    def interrupt() -> None:
        seen.wait(60)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    start = time.monotonic()
    noticed = watched(lambda *told: seen.set())
    with (
        noticed,
        members("work", saves=str(saves), seconds=1.5) as pair,
        pytest.raises(KeyboardInterrupt),
    ):
        pair.finished()
    assert saves.read_text() == "0"
    assert time.monotonic() - start < 60


def test_members_end_with_the_process_that_started_them(tmp_path):
    code = (
        "import sys, tgap\n"
        "from tgap.pipeline.plan import plan\n"
        "from tgap.pipeline.sharing import crew\n"
        "from pathlib import Path\n"
        "from tgap.store import Store\n"
        f"crew.PROGRAM, crew._surroundings = {PROGRAM!r}, lambda *_: {{}}\n"
        "planned = plan(tgap.compose('generator.device=cpu'))\n"
        f"store = Store(Path({str(tmp_path)!r}))\n"
        "with crew.Crew(planned, store, 'none', 'working', 2, way='draw') as pair:\n"
        "    print(*[each.process.pid for each in pair._members], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        process.kill()
    end = time.monotonic() + 60
    while (alive := [*filter(psutil.pid_exists, pids)]) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive == []
