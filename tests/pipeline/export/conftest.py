"""One short run that was made, and variants of it."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tgap
from tests.pipeline.conftest import CUT
from tgap.pipeline.result import Result

SMALL = [*CUT, "pool_size=200", "train_size=150", "test_size=150"]
Made = Callable[..., Result]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Runs by further words, in one store, ``-`` before one that is left out."""
    folder = tmp_path_factory.mktemp("made")

    def run(*words: str) -> Result:
        left_out = [word[1:] for word in words if word.startswith("-")]
        kept = [word for word in SMALL if word.partition("=")[0] not in left_out]
        further = [word for word in words if not word.startswith("-")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TGAP_HOME", str(folder))
            return tgap.run(*kept, *further, track=False)

    return run


@pytest.fixture(scope="session")
def ran(made: Made) -> Result:
    return made("prompts=findings")


def changed(result: Result, *, metrics: dict[str, float] | None = None, **of_run: Any) -> Result:
    """The same result with other metrics, or of a run that differs in some fields."""
    run = dataclasses.replace(result.run, **of_run)
    numbers = result.metrics if metrics is None else metrics
    plan = dataclasses.replace(result.plan, run=run)
    return dataclasses.replace(result, plan=plan, metrics=numbers)


@pytest.fixture(scope="session")
def alone() -> Iterator[Callable[..., str]]:
    """What a script prints in a process that cannot import tgap."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("elsewhere.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )

    def printed(script: Path, *words: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(script), *words]) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert not answer["error"], answer["error"]
        return str(answer["printed"])

    yield printed
    process.communicate()  # closes its input, at which it ends
