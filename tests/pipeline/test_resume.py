"""A run that is killed anywhere and started again leaves what it would have left anyway."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import CUT
from tests.pipeline.killing import STAGES

TINY = [
    *CUT,
    "budget.steps=5",
    "classifier.epochs=2",
    "classifier.batch_size=16",
    "sampler.batch_size=32",
    "prior_sampler.batch_size=16",
    "selector=random",
    "~evaluators.memorization",
    "~evaluators.fidelity",
    "~evaluators.occlusion",
    "tracking.pictures=false",
    "finetuner/oracle=quantile",
    "finetuner/oracle/score=loss",
    "finetuner.oracle.warmup=0",
    "finetuner.ema=0.5",
]


AUGMENTED = [
    "+evaluator@evaluators.augmentation=augmentation",
    "evaluators.augmentation.real=[3,12]",
    "evaluators.augmentation.synthetic=[12]",
]
"""Trains a dozen classifiers, which takes longer than everything else."""


def after_killing(folder: Path, moments: int, seed: int, *words: str) -> dict[str, object]:
    root = Path(__file__).parents[2]
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.pipeline.killing",
            folder,
            str(moments),
            str(seed),
            *TINY,
            *words,
        ],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(process.stdout.splitlines()[-1])
    return found


def check(found: dict[str, object], moments: int) -> None:
    assert found["differs"] == []
    assert found["edges"] == len(STAGES)
    assert found["moments"] >= moments
    assert found["files"] > 30
    assert found["went_on"], "no kill hit fine-tuning"


def test_killed_at_every_edge_and_at_some_moments_it_leaves_the_same_bytes(tmp_path):
    check(after_killing(tmp_path, 8, seed=0), 8)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_many_moments_it_leaves_the_same_bytes(tmp_path, seed):
    check(after_killing(tmp_path, 20, seed, *AUGMENTED), 20)
