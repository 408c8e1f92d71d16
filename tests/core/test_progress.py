import logging

import pytest

from tgap.core import progress as module
from tgap.core.progress import _lines, progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_most_once_per_interval_and_at_the_end(caplog):
    caplog.set_level(logging.INFO, logger="tgap.core.progress")
    clock = Clock()
    advance = _lines("drawing", 100, interval=10, clock=clock)
    for done in range(1, 101):
        clock.now += 1
        advance(done)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 10
    assert lines[0] == "drawing 10/100, 10 s, 90 s left"
    assert lines[-1] == "drawing 100/100, 100 s, 0 s left"


def test_nothing_done_tells_nothing(caplog):
    caplog.set_level(logging.INFO, logger="tgap.core.progress")
    clock = Clock()
    advance = _lines("drawing", 0, interval=10, clock=clock)
    clock.now += 100
    advance(0)
    assert not caplog.records


def test_without_a_terminal_there_are_log_lines_only(caplog, capfd, monkeypatch):
    caplog.set_level(logging.INFO, logger="tgap.core.progress")
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)
    with progress("fitting", 3) as advance:
        advance(3)
    assert caplog.records[0].getMessage().startswith("fitting 3/3")
    assert capfd.readouterr().out == ""


def test_on_a_terminal_there_is_a_bar(capsys, caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="tgap.core.progress")
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    with progress("fitting", 3) as advance:
        advance(2)
        advance(3)
    out, err = capsys.readouterr()
    assert "fitting" in err
    assert "3/3" in err
    assert out == ""
    assert not caplog.records


def test_an_error_passes_through():
    with pytest.raises(ZeroDivisionError), progress("dividing", 1):
        raise ZeroDivisionError
