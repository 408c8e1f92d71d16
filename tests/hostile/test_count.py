"""How many hostile files are tried."""

import inspect
import math
from types import ModuleType

from tests.hostile import test_configurations, test_files, test_fuzz


def cases(module: ModuleType) -> int:
    """So many tests, each with all its parameters."""
    holders = [module, *(cls for name, cls in vars(module).items() if name.startswith("Test"))]
    tests = [
        one
        for holder in holders
        for name, one in vars(holder).items()
        if name.startswith("test_") and inspect.isfunction(one)
    ]
    return sum(map(_times, tests))


def _times(test: object) -> int:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return math.prod(len(mark.args[1]) for mark in marks)


def test_the_promised_number_of_hostile_files_is_tried() -> None:
    counts = {module.__name__: cases(module) for module in (test_configurations, test_files)}
    assert min(counts.values()) >= 25, counts
    assert len(test_fuzz.READERS) >= 10
