"""15 images of each of two labels, from the words that a person types to the table."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import tgap
from tests.corpus.making import put_folders
from tgap.cli.main import command, run_command
from tgap.core import ConfigError
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.runs import check_runs
from tgap.report.headings import decimal
from tgap.store import Store
from tgap.sweeps.checking import checked
from tgap.sweeps.few import folds_of

FILES = ("dataset=image_folder", "dataset.path=pets", "dataset.domain=pet")
SHORT = (
    "sampler.steps=2 finetuner.prior_weight=0 budget.steps=2 budget.batch_size=2 "
    "budget.train_per_label=6 budget.test_per_label=4 tracking.pictures=false "
    "tracking.report=false evaluators.two_way.resamples=100 evaluators.baselines.shuffled=false"
).split()
FEW = ("profile=few", *FILES, *SHORT)
UNTUNED = (*(word for word in SHORT if not word.startswith("finetuner.")), "finetuner=none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    put_folders(folder / "pets", count=15)
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TGAP_HOME", str(folder / "home"))


MADE_ELSEWHERE = (
    "generator=ready_made",
    "generator/images=image_folder",
    "generator.images.path=pets",
)
FOLDS = "protocol.fold=0,1,2,3,4"
DONE_IN_FOLDS = "label 'cat' has 15 images, too few (12 to 100) for one split to say much"
ADVICE = "label 'cat' has 15 images only"


def planned_by(*words: str, sweep: bool) -> list[tuple[str, str, dict[str, str], dict[str, str]]]:
    """What is recorded of each run, and the keys of all that it makes."""
    with checked(words, sweep=sweep) as those:
        assert (those.config is not None) == (len(those.runs) > 1)
        return [
            (job.key, job.plan.result_key, job.row.split, job.row.settings) for job in those.runs
        ]


@pytest.mark.parametrize("more", [SHORT, UNTUNED, [*SHORT, "seed=3", "classifier=small_cnn"]])
def test_a_run_that_says_nothing_of_splits_is_the_sweep_over_folds(
    more: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    plain = planned_by(*FILES, *more, sweep=False)
    assert [text for text in caplog.messages if DONE_IN_FOLDS in text] == [
        f"{DONE_IN_FOLDS}: five runs with the settings of profile=few are done, so that each image "
        f"tests once, as with `profile=few {FOLDS} -m` (docs/few_images.md); for one split add "
        "`protocol=clean selector=whole`"
    ]
    caplog.clear()
    assert plain == planned_by("profile=few", *FILES, *more, FOLDS, sweep=True)
    assert len({key for key, *_ in plain}) == 5
    assert not any(DONE_IN_FOLDS in text or ADVICE in text for text in caplog.messages)


@pytest.mark.parametrize(
    "words",
    [
        ("size=5",),
        ("selector=whole",),
        ("protocol=clean", "selector=whole"),
        ("profile=tiny", "size=5"),
        ("split_seed=1", "selector=whole"),
    ],
)
def test_who_says_how_images_are_divided_gets_that(
    words: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    assert len(planned_by(*FILES, *SHORT, *words, sweep=False)) == 1
    assert [ADVICE in text for text in caplog.messages].count(True) == 1
    assert not any(DONE_IN_FOLDS in text for text in caplog.messages)


@pytest.mark.parametrize("word", ["+experiment=mine", "+experiment@_global_=mine"])
def test_a_preset_is_what_it_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    """The remedy that the line names, kept in a file."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /protocol: clean\n  - override /selector: whole\n"
    )
    words = [*FILES, *SHORT, word]
    with checked(words, sweep=False, config_dir=str(tmp_path)) as those:
        assert len(those.runs) == 1
    assert not any(DONE_IN_FOLDS in text for text in caplog.messages)


def test_a_sweep_is_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    words = (*FILES, *UNTUNED, "seed=0,1")
    assert len(planned_by(*words, sweep=True)) == 2
    assert not any(DONE_IN_FOLDS in text for text in caplog.messages)


def test_looking_and_planning_say_so_too(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert run_command([*FILES, *SHORT, "--dry-run"]) == 0
    assert any("5 runs = 5 of protocol.fold: " in text for text in caplog.messages)
    assert command(["plan", *FILES, *SHORT]) == 0
    assert "5 runs = 5 of protocol.fold: " in capsys.readouterr().out
    assert command(["data", *FILES]) == 0
    assert capsys.readouterr().out.lower().count(ADVICE) == 1
    assert command(["data", *FILES, "profile=few"]) == 0
    assert ADVICE not in capsys.readouterr().out.lower()


def test_a_run_from_python_is_one_and_says_what_to_sweep() -> None:
    with pytest.raises(ConfigError, match=r"set size=9, or selector=whole.* `profile=few "):
        tgap.run(*FILES)


@pytest.mark.parametrize(("images", "folds"), [(11, 1), (12, 5), (100, 5), (101, 1)])
def test_so_many_images_are_few(tmp_path: Path, images: int, folds: int) -> None:
    put_folders(tmp_path / "pets", ("cat",), images)
    put_folders(tmp_path / "pets", ("dog",), 110)
    words = ("dataset=image_folder", f"dataset.path={tmp_path / 'pets'}", "dataset.domain=pet")
    assert len(planned_by(*words, *UNTUNED, sweep=False)) == folds


@pytest.mark.parametrize(
    "words",
    [
        ("dataset=phantom_xray", "dataset.images=100"),  # with NIH's official test set
        (
            *FILES,
            "generator=ready_made",
            "generator/images=image_folder",
            "generator.images.path=pets",
        ),
    ],
)
def test_a_test_set_that_is_named_and_a_set_made_elsewhere_stand(words: tuple[str, ...]) -> None:
    store = Store(Path(os.environ["TGAP_HOME"]) / "store")
    single = plan(tgap.compose(*words, "finetuner=none").fitted())
    assert folds_of(single, [], store) == []


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
    assert run_command([*FEW, FOLDS, "-m"]) == 0
    table = capsys.readouterr().out
    assert run_command([*FILES, *SHORT]) == 0
    assert capsys.readouterr().out == table, "a run that says nothing of splits is this sweep"
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
