"""What a fold is to a run's record: no setting that tells methods apart, and yet on record."""

import dataclasses
import json

import pytest

import tgap
from tgap.analysis.rows import PlannedRun
from tgap.pipeline.plan import plan
from tgap.sweeps.identity import Planned, params_of, planned


def job(*words: str) -> Planned:
    return planned(plan(tgap.compose(*words)), words)


@pytest.fixture(scope="module")
def folds() -> list[Planned]:
    return [job("protocol=cross_fit", f"protocol.fold={fold}") for fold in (0, 3)]


def test_folds_agree_in_all_settings_and_differ_in_their_split(folds: list[Planned]) -> None:
    first, other = (one.row for one in folds)
    assert first.settings == other.settings
    assert "protocol.fold" not in first.settings
    assert first.settings["protocol.folds"] == "5"
    assert (first.split, other.split) == ({"protocol.fold": "0"}, {"protocol.fold": "3"})
    assert first.splits == [{"protocol.fold": str(fold)} for fold in range(5)]
    assert folds[0].key != folds[1].key


def test_mlflow_is_told_the_fold(folds: list[Planned]) -> None:
    assert params_of(folds[1])["protocol.fold"] == "3"


def test_a_protocol_of_one_split_has_none_to_be_told_apart_by() -> None:
    assert (job().row.split, job().row.splits) == ({}, [{}])


def test_a_planned_fold_is_read_back_as_it_was_written(folds: list[Planned]) -> None:
    row = folds[1].row
    again = PlannedRun(**json.loads(json.dumps(dataclasses.asdict(row))))
    assert again == row


def test_methods_and_seeds_of_a_fold_share_split_and_real_classifier() -> None:
    words = ("profile=few", "protocol.fold=2")
    one, other = plan(tgap.compose(*words)), plan(tgap.compose(*words, "finetuner=none"))
    assert one.split.key == other.split.key
    assert one.real_classifier.key == other.real_classifier.key
    seed = plan(tgap.compose(*words, "seed=1"))
    assert one.split.key == seed.split.key
    fold = plan(tgap.compose("profile=few", "protocol.fold=3"))
    assert one.split.key != fold.split.key
    assert one.prior is not None
    assert fold.prior is not None
    assert one.prior.key == fold.prior.key
