"""Progress in a notebook, with what a kernel is shown."""

import logging
import re
import sys
from types import SimpleNamespace
from typing import Any

import IPython
import IPython.display
import pytest

from tgap.core.progress import LogLines, progress


class Shown:
    """An output of a cell: all that it has shown, the newest last."""

    def __init__(self) -> None:
        self.states: list[str] = []

    def update(self, picture: Any) -> None:
        self.states.append(picture.data)


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    """The outputs of a cell that runs this test."""
    made: list[Shown] = []

    def display(picture: Any, display_id: bool) -> Shown:
        assert display_id
        made.append(Shown())
        made[-1].update(picture)
        return made[-1]

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=None))
    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr("tgap.core.notebook.INTERVAL", 0.0)
    return made


def bars(state: str) -> list[tuple[str, str, str]]:
    return re.findall(r'aria-label="(.*?)" value="(.*?)" max="(.*?)"', state)


def test_bars_of_a_sweep_and_of_its_stage_are_one_output(outputs: list[Shown]) -> None:
    with progress("2 runs", 540, counted=False) as run_ended:
        with progress("drawing", 30) as advance:
            advance(12)
            assert bars(outputs[0].states[-1]) == [("2 runs", "0", "540"), ("drawing", "12", "30")]
            assert ">12/30<" in outputs[0].states[-1]
        run_ended(540)
        assert bars(outputs[0].states[-1]) == [("2 runs", "540", "540")]
        assert "540/540" not in outputs[0].states[-1]
    assert len(outputs) == 1
    assert "0:00 left" not in outputs[0].states[-1]
    assert "100 %" in outputs[0].states[-1]


def test_a_description_is_text_and_no_markup(outputs: list[Shown]) -> None:
    with progress("<b>&", 1) as advance:
        advance(1)
    assert "&lt;b&gt;&amp;" in outputs[0].states[-1]
    assert "<b>" not in outputs[0].states[-1]


def test_it_is_drawn_now_and_then(outputs: list[Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tgap.core.notebook.INTERVAL", 1e9)
    with progress("drawing", 1000) as advance:
        for done in range(1, 1001):
            advance(done)
    assert len(outputs[0].states) < 5
    assert bars(outputs[0].states[-1]) == [("drawing", "1000", "1000")]


def test_log_lines_are_black(outputs: list[Shown], capsys: pytest.CaptureFixture[str]) -> None:
    line = logging.LogRecord("x", logging.INFO, "", 0, "run 1 of 2", (), None)
    lines = LogLines(sys.stderr)
    with progress("2 runs", 2):
        lines.emit(line)
    lines.emit(line)
    assert capsys.readouterr() == ("run 1 of 2\nrun 1 of 2\n", "")
