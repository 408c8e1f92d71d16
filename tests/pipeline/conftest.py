"""Short runs, and what they leave on the disk."""

from pathlib import Path

import pytest

import tgap
from tgap.pipeline import stages
from tgap.pipeline.plan import plan
from tgap.pipeline.result import Result
from tgap.store import Artifact, Store

CUT = (
    "sampler.steps=1 prior_sampler.steps=1 budget.steps=2 budget.batch_size=4 size=4 "
    "budget.train_per_label=60 budget.test_per_label=30 classifier.epochs=1 "
    "finetuner.prior_count=40 evaluators.baselines.shuffled=false"
).split()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    return Store(tmp_path / "home" / "store")


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def tune(store: Store, *words: str) -> Artifact:
    """Only as far as the tuned model."""
    result = Result(plan(tgap.compose(*CUT, "finetuner.prior_weight=0", *words)))
    for stage in (stages.prepare, stages.embed, stages.select, stages.finetune):
        stage(result, store)
    assert result.artifacts.generator is not None
    return result.artifacts.generator
