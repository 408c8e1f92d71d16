"""JSON of strangers: one reader, and what it refuses."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tgap
from tgap.core.foreign import formed, json_in, json_of

ROOT = Path(tgap.__file__).parent
PIPES = {"pipeline/sharing/child.py", "pipeline/sharing/talking.py", "sweeps/worker.py"}
"""What tgap's own processes say to each other."""
TOLD = {"datasets/reading/doubtful.py"}
"""A line of pandas, for people."""


@dataclass(frozen=True)
class Told:
    """A form."""

    name: str
    size: int | None
    parts: Sequence[Mapping[str, float]] = ()
    sure: bool = False


def test_no_other_module_reads_json() -> None:
    reading = {
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py")
        if "json.load" in file.read_text("utf-8")
    }
    assert reading == PIPES | TOLD | {"core/foreign.py"}


def test_what_has_the_form_is_built() -> None:
    told = formed(Told, {"name": "n", "size": None, "parts": [{"a": 1}], "sure": True})
    assert told == Told("n", None, [{"a": 1.0}], True)
    assert isinstance(told.parts[0]["a"], float)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "it must be an object, got a list"),
        ({"size": 1}, "it has no 'name'"),
        ({"name": "n", "size": 1, "sizze": 2}, "it has 'sizze', which nobody knows"),
        ({"name": 5, "size": 1}, "'name' must be text, got '5'"),
        ({"name": "n", "size": True}, "'size' must be a whole number of 64 bits or null"),
        ({"name": "n", "size": 10**19}, "'size' must be a whole number of 64 bits or null"),
        ({"name": "n", "size": 1, "sure": 1}, "'sure' must be true or false"),
        ({"name": "n", "size": 1, "parts": {}}, "'parts' must be a list, got an object"),
        ({"name": "n", "size": 1, "parts": [{"a": "b"}]}, "must be a finite number, got 'b'"),
        ({"name": "n", "size": 1, "parts": [{"a": float("nan")}]}, "must be a finite number"),
        ({"name": "n", "size": 1, "parts": [{"a": 10**400}]}, "must be a finite number"),
    ],
)
def test_what_has_another_form_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=r"it|'") as caught:
        formed(Told, value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("depth", [101, 100_000])
def test_what_is_nested_too_deeply_is_refused(tmp_path: Path, depth: int) -> None:
    (tmp_path / "x.json").write_text("[" * depth + "]" * depth)
    with pytest.raises(ValueError, match="nested too deeply"):
        json_in(tmp_path / "x.json")
    with pytest.raises(ValueError, match="nested too deeply"):
        json_of(b'{"a":' * depth + b"1" + b"}" * depth)


def test_what_is_long_is_read() -> None:
    assert len(json_of(json.dumps([[1]] * 1000))) == 1000
