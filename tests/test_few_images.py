"""15 images of each of two labels, from the words that a person types to the table."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

import tgap
from tests.corpus.making import put_folders
from tgap.cli.main import command, run_command
from tgap.pipeline.preflight.runs import check_runs
from tgap.report.headings import decimal

FILES = ("dataset=image_folder", "dataset.path=pets", "dataset.domain=pet")
SHORT = (
    "sampler.steps=2 finetuner.prior_weight=0 budget.steps=2 budget.batch_size=2 "
    "budget.train_per_label=6 budget.test_per_label=4 tracking.pictures=false "
    "tracking.report=false evaluators.two_way.resamples=100 evaluators.baselines.shuffled=false"
).split()
FEW = ("profile=few", *FILES, *SHORT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    put_folders(folder / "pets", count=15)
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TGAP_HOME", str(folder / "home"))


def test_the_default_run_says_what_to_type_instead(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert run_command([*FILES]) == 2
    told = capsys.readouterr().err
    assert "set size=9, or selector=whole" in told
    advice = "label 'cat' has 15 images only"
    assert [text for text in caplog.messages if advice in text] == [
        f"{advice}, of which protocol=clean tests some few: with `profile=few "
        "protocol.fold=0,1,2,3,4 -m` each tests once and tunes in other runs (docs/few_images.md); "
        "`split_seed=0,1,2,3,4 -m` averages clean over splits instead (docs/statistics.md)"
    ]
    assert command(["data", *FILES]) == 0
    assert capsys.readouterr().out.lower().count(advice) == 1
    assert command(["data", *FILES, "profile=few"]) == 0
    assert advice not in capsys.readouterr().out.lower()


def test_the_profile_tunes_on_every_image_with_what_works_on_few() -> None:
    run = tgap.compose("profile=few")
    titles = [getattr(run, name).title() for name in ("protocol", "selector", "classifier")]
    assert titles == ["cross_fit", "whole", "linear_probe"]
    assert tgap.compose(*FEW).dataset.stem() == "image_folder"


def test_that_few_images_train_is_told_once_for_all_folds(caplog: pytest.LogCaptureFixture) -> None:
    words = [*FEW, "budget.train_per_label=7"]
    runs = [tgap.compose(*words, f"protocol.fold={fold}") for fold in range(5)]
    check_runs(runs, Path(os.environ["TGAP_HOME"]))
    told = "budget.train_per_label=7 asks for, and all are taken: 'cat' 6, 'dog' 6"
    assert [text for text in caplog.messages if "images to train on" in text] == [
        f"real_train has fewer images to train on than {told}"
    ]


def test_a_sweep_over_the_folds_is_one_row_and_tests_each_image_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command([*FEW, "protocol.fold=0,1,2,3,4", "-m"]) == 0
    table = capsys.readouterr().out
    rows = [line.split() for line in table.splitlines() if line.startswith("whole+dreambooth")]
    assert [row[:4] for row in rows] == [["whole+dreambooth", "-", "1", "5"]]
    assert "protocol cross_fit" in table
    results = [tgap.run(*FEW, f"protocol.fold={fold}", track=False) for fold in range(5)]
    tested = np.concatenate([result.split().real_test for result in results])
    assert np.array_equal(np.sort(tested), np.arange(30))
    for result in results:
        split, selection = result.split(), result.selection()
        assert selection is not None
        assert np.array_equal(np.sort(split.pool[selection.indices]), split.pool)
    mean = np.mean([result.metrics["tstr/auroc"] for result in results])
    assert rows[0][4] == f"{mean:.3f}".lstrip("0")
    assert command(["compare", "protocol.fold=2"]) == 0
    told = capsys.readouterr().out
    (row,) = [line.split() for line in told.splitlines() if line.startswith("whole+dreambooth")]
    assert row[:4] == ["whole+dreambooth", "-", "1", decimal(results[2].metrics["tstr/auroc"])]
    assert "missing" not in told, "a run outside the choice"
    assert command(["compare", "protocol.fold=2,4"]) == 0
    told = capsys.readouterr().out
    (row,) = [line.split() for line in told.splitlines() if line.startswith("whole+dreambooth")]
    assert row[:4] == ["whole+dreambooth", "-", "1", "2"]
    assert "missing" not in told


def test_a_fold_alone_is_what_it_is_in_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*FEW, "protocol.fold=1")
    here = tgap.run(*words, track=False).metrics
    monkeypatch.setenv("TGAP_HOME", str(tmp_path))
    there = tgap.run(*words, track=False).metrics
    assert here.keys() == there.keys()
    for name, value in here.items():
        if name == "cost/seconds":
            continue
        assert there[name] == pytest.approx(value, abs=0, nan_ok=True), name


def test_a_fold_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["profile=few", "protocol.fold=4,5", "-m"]) == 2
    told = capsys.readouterr().err
    assert "protocol.fold must be at most 4, since protocol.folds is 5" in told
