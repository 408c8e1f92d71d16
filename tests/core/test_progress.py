import io
import logging
import re
from types import SimpleNamespace

import pytest

from tgap.core import progress as module
from tgap.core.progress import LogLines, progress


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal_for(monkeypatch):
    """Standard error as a terminal that keeps what is written, for a test's own time."""
    shown = Terminal()
    monkeypatch.setattr(module.sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", "100")
    return shown


def test_a_stage_is_a_bar_of_the_same_display_and_leaves_it(monkeypatch):
    terminal = terminal_for(monkeypatch)
    with progress("12 runs", 540, counted=False) as run_ended:
        with progress("drawing", 30) as advance:
            advance(30)
            assert [task.description for task in module._displays[0].tasks] == [
                "12 runs",
                "drawing",
            ]
        assert [task.description for task in module._displays[0].tasks] == ["12 runs"]
        run_ended(540)
    assert module._displays == []
    assert "30/30" in terminal.getvalue()
    assert "540/540" not in terminal.getvalue()


def test_log_lines_stand_above_the_display_as_they_are(monkeypatch):
    terminal = terminal_for(monkeypatch)
    lines = LogLines(terminal)
    record = logging.LogRecord("x", logging.INFO, "", 0, "[bold]%s" + "x" * 120, ("a",), None)
    with progress("drawing", 3) as advance:
        lines.emit(record)
        advance(3)
    assert "[bold]a" + "x" * 120 + "\n" in re.sub(
        r"\x1b\[[\d;?]*[A-Za-z]|\r", "", terminal.getvalue()
    )
    lines.emit(record)
    assert terminal.getvalue().endswith("x\n")


@pytest.mark.usefixtures("no_terminal")
def test_what_is_quick_or_has_no_numbers_has_no_line(caplog, clock):
    with progress("drawing", 3) as advance:
        clock.now += 9
        advance(3)
    with progress("12 runs", 540, counted=False) as advance:
        clock.now += 100
        advance(540)
    assert not caplog.records
