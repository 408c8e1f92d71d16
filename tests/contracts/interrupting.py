"""Work that is interrupted after some steps, and goes on in what stands for another process."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tgap.core import Checkpoint

T = TypeVar("T")


class Stops(Checkpoint):
    """Saves and ends the work after ``at`` steps."""

    def __init__(self, folder: Path, at: int) -> None:
        super().__init__(folder, what="a test")
        self.at = at

    def offer(self, done, state):
        if done == self.at:
            self._save(self._folder, state())
            raise KeyboardInterrupt


def interrupted(work: Callable[[Checkpoint], T], *at: int) -> T:
    """What work comes to that was interrupted after so many steps, one time after another."""
    with tempfile.TemporaryDirectory() as folder:
        for step in at:
            try:
                return work(Stops(Path(folder), step))  # offers nothing, or ended before
            except KeyboardInterrupt:
                continue
        return work(Checkpoint(Path(folder), what="a test"))
