"""Progress in a notebook: an output of the cell that is drawn anew, and needs no extension."""

import html
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.progress import Progress, Task

if TYPE_CHECKING:
    from IPython.display import HTML

INTERVAL = 0.25
"""Seconds between two drawings; more often would fill the browser with messages."""


class NotebookBars(Progress):
    """Bars as HTML, which stay in a notebook that is saved."""

    _handle: Any = None
    _drawn = 0.0

    def start(self) -> None:
        """Begin an output of the cell."""
        from IPython.display import display

        self._handle = display(self._picture(), display_id=True)  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Show the last state."""
        self.refresh()

    def refresh(self) -> None:
        """Draw anew."""
        self._drawn = time.monotonic()
        if self._handle is not None:
            self._handle.update(self._picture())

    def update(self, *arguments: Any, **changes: Any) -> None:
        """Change a bar, and draw it if the last drawing is a moment ago."""
        super().update(*arguments, **changes)
        if time.monotonic() - self._drawn >= INTERVAL:
            self.refresh()

    def _picture(self) -> "HTML":
        from IPython.display import HTML

        rows = "".join(_row(task) for task in self.tasks)
        style = "text-align: left; font-variant-numeric: tabular-nums"
        return HTML(f'<table style="{style}">{rows}</table>')  # type: ignore[no-untyped-call]


def _row(task: Task) -> str:
    name = html.escape(task.description)
    bar = (
        f'<progress aria-label="{name}" value="{task.completed:g}" max="{task.total or 1:g}" '
        'style="width: 16em"></progress>'
    )
    cells = (name, bar, f"{task.percentage:.0f} %", task.fields.get("count", ""), _times(task))
    style = "text-align: left; padding: 0.1em 0.8em 0.1em 0"
    wide = f"{style}; min-width: 12em"  # so that bars of one cell stand below each other
    rest = (f'<td style="{style}">{cell}</td>' for cell in cells[1:])
    return "".join([f'<tr><td style="{wide}">{name}</td>', *rest, "</tr>"])


def _times(task: Task) -> str:
    """Time left where it is known, and time taken."""
    after, left = task.elapsed, task.time_remaining
    texts = [f"{_clock(left)} left"] if left is not None and not task.finished else []
    if after is not None:
        texts.append(f"after {_clock(after)}")
    return ", ".join(texts)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))
