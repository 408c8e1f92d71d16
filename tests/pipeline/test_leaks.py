"""Patients on two sides, in runs that go as far as the selection."""

import numpy as np

import tgap
from tests.pipeline.conftest import CUT
from tgap.pipeline import stages
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.plan import plan
from tgap.pipeline.result import Result
from tgap.store import Store


def selected(store: Store, *words: str) -> Result:
    films = ("dataset=phantom_xray", "dataset.images=400", "dataset.size=32")
    result = Result(plan(tgap.compose(*CUT, *films, *words)))
    for stage in (stages.prepare, stages.embed, stages.select):
        stage(result, store)
    return result


def test_a_clean_split_has_no_patient_on_two_sides(store: Store) -> None:
    leaks = RunEvidence(selected(store, "protocol=clean")).leaks()
    assert leaks == {"pool": 0, "real_train": 0}


def test_the_thesis_split_has_the_share_that_a_loop_counts(store: Store) -> None:
    result = selected(store, "protocol=thesis")
    patients, split = result.dataset().patients, result.split()
    others = {"pool": split.pool, "real_train": split.real_train}
    expected = {
        side: np.mean([patients[row] in set(patients[rows].tolist()) for row in split.real_test])
        for side, rows in others.items()
    }
    assert RunEvidence(result).leaks() == expected
    assert max(expected.values()) > 0.2


def test_other_images_are_of_tuning_patients_and_not_tuned_on(store: Store) -> None:
    result = selected(store, "protocol=clean")
    evidence = RunEvidence(result)
    tuned, others = evidence.tuned_on(), evidence.other_images()
    assert tuned is not None
    assert len(others)
    assert set(others.patients.tolist()) <= set(tuned.patients.tolist())
    assert not set(others.metadata["file"].tolist()) & set(tuned.metadata["file"].tolist())


def test_images_of_a_patient_are_counted_on_all_sides(store: Store) -> None:
    result = selected(store, "protocol=thesis")
    patients = result.dataset().patients
    some = patients[[5, 0, 5, 300]]
    expected = [int((patients == patient).sum()) for patient in some]
    assert RunEvidence(result).images_of(some).tolist() == expected
    assert max(expected) > 1
