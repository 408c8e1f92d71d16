"""Each long stage goes on with what it had saved, also those that a drawing's choices need."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import tgap
from tests.pipeline.killing import made
from tests.pipeline.test_resume import TINY
from tgap.core import checkpoint
from tgap.core.checkpoint import Checkpoint, Saved
from tgap.pipeline.preflight.runs import check_runs
from tgap.pipeline.stages import execute
from tgap.store import Store

CHOSEN = [
    *TINY,
    "drawing=best_of",
    "drawing.candidates=2",
    "drawing/reward=uncertainty",
    "drawing.judge.least_auroc=.5",
    "sampler.guide=early",
    "sampler.early=.4",
    "sampler.guidance=2",
    "sampler.steps=2",
    "+evaluator@evaluators.adaptation=adaptation",
    "evaluators.adaptation.few=[2]",
    "evaluators.adaptation.sure=.51",
]
WORK = (
    "fitting judge",
    "fine-tuning",
    "drawing synthetic images",
    "training small_cnn",
    "training few_2 of adaptation",
)
"""What is cut, in the order of a run."""


class CutError(Exception):
    """As if the process were killed."""


def cut_in(patch: pytest.MonkeyPatch, what: str, after: int = 1) -> None:
    """The next work of this kind ends once it has saved so often."""
    save, saved = Checkpoint._save, list[int]()

    def saving(self: Checkpoint, folder: Path, state: Saved) -> None:
        save(self, folder, state)
        if self._what.startswith(what):
            saved.append(state.done)
            if len(saved) == after:
                raise CutError

    patch.setattr(Checkpoint, "_save", saving)


def run_in(home: Path, words: Sequence[str]) -> dict[str, float]:
    (plan,) = check_runs([tgap.compose(*words)], home)
    result = execute(plan, Store(home / "store"))
    return {name: v for name, v in result.metrics.items() if not name.endswith("seconds")}


def files_of(home: Path) -> dict[str, str]:
    (home / "metrics.json").write_text("")
    return made(home)


def test_each_work_goes_on_where_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tgap")
    for name, value in (("LEAST_SECONDS", 0.0), ("CHEAP", float("inf")), ("MOST", float("inf"))):
        monkeypatch.setattr(checkpoint, name, value)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = run_in(whole, CHOSEN)
    for what in WORK:
        with monkeypatch.context() as patch:
            cut_in(patch, what)
            with pytest.raises(CutError):
                run_in(cut, CHOSEN)
    assert run_in(cut, CHOSEN) == expected
    told = [text for text in caplog.messages if text.startswith("going on with")]
    assert [what for what in WORK if not any(what in text for text in told)] == []
    assert files_of(cut) == files_of(whole)
