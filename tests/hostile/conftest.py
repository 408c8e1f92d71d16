"""A stranger's files in an empty folder, and a canary that dies if anything of them is executed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tgap.core import TgapError


class Payload:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return open, (str(self.canary), "w")


@pytest.fixture(autouse=True)
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Made by whatever a hostile file executes; nothing may be written beside the folder either."""
    inside = tmp_path / "work"
    inside.mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.setenv("TGAP_HOME", str(inside / "home"))
    yield inside / "canary"
    assert not (inside / "canary").exists(), "a file of a stranger was executed"
    assert [path.name for path in tmp_path.iterdir()] == ["work"], "written outside"


def refusal(action: Callable[[], object]) -> str:
    """What a person is told; anything but a ``TgapError`` fails the test."""
    with pytest.raises(TgapError) as caught:
        action()
    return str(caught.value)
