import logging
from types import SimpleNamespace

import pytest

from tgap.core import progress as module
from tgap.core.progress import progress


@pytest.fixture
def no_terminal(caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="tgap.core.progress")
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.usefixtures("no_terminal")
def test_lines_come_at_most_once_per_interval_and_at_the_end(caplog, clock, capfd):
    with progress("drawing", 100) as advance:
        for done in range(1, 101):
            clock.now += 1
            advance(done)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 10
    assert lines[0] == "drawing 10/100, 10 s, 90 s left"
    assert lines[-1] == "drawing 100/100, 100 s, 0 s left"
    assert capfd.readouterr().out == ""


@pytest.mark.usefixtures("no_terminal")
def test_nothing_done_tells_nothing(caplog, clock):
    with progress("drawing", 0) as advance:
        clock.now += 100
        advance(0)
    assert not caplog.records


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
