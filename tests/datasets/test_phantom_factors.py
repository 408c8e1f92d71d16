"""Phantoms' factors against the counts of the real ChestX-ray14."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tgap.datasets.phantoms.factors import COUNTS, FINDINGS, Factors, draw_factors, severity_of


@pytest.fixture(scope="module")
def full() -> Factors:
    return draw_factors(112_120, 0)


@settings(max_examples=20)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**53))
def test_a_larger_table_begins_with_the_smaller_one(first: int, second: int, seed: int) -> None:
    small, large = sorted((first, second))
    few, many = draw_factors(small, seed), draw_factors(large, seed)
    assert list(few.columns) == list(many.columns)
    for name, column in few.columns.items():
        assert np.array_equal(column, many.columns[name][:small]), name


def test_seeds_differ_and_global_random_state_is_left() -> None:
    state = np.random.get_state()[1].copy()
    first, second = draw_factors(300, 0), draw_factors(300, 1)
    assert np.array_equal(np.random.get_state()[1], state)
    for name in ("heart_width", "patient", "view", "noise"):
        assert not np.array_equal(first.columns[name], second.columns[name]), name


def test_numbers_of_images_per_patient_are_long_tailed(full: Factors) -> None:
    patients = full.columns["patient"].astype(int)
    counts = np.bincount(patients)[1:]
    assert (np.diff(patients) >= 0).all()
    assert counts.min() == 1
    assert (counts == 1).mean() == pytest.approx(17_503 / 30_805, abs=0.01)
    assert counts.mean() == pytest.approx(112_120 / 30_805, rel=0.05)
    assert 150 < counts.max() <= 184
    visits = [list(range(count)) for count in counts]
    assert np.array_equal(full.columns["follow_up"], np.concatenate(visits))


def test_findings_have_the_real_rates(full: Factors) -> None:
    # findings last in a patient, and few patients have many images: one seed alone varies
    counts = [draw_factors(112_120, seed).findings().sum(axis=0) for seed in range(6)]
    found = dict(zip(FINDINGS, np.mean(counts, axis=0).tolist(), strict=True))
    for name, count in COUNTS.items():
        assert found[name] == pytest.approx(count, rel=0.08 if count > 2000 else 0.15), name
    assert full.findings().any(axis=1).mean() == pytest.approx(51_759 / 112_120, abs=0.01)
    several = (full.findings().sum(axis=1) > 1).sum()
    assert several == pytest.approx(20_796, rel=0.1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Effusion", "Atelectasis"),
        ("Effusion", "Infiltration"),
        ("Cardiomegaly", "Edema"),
        ("Mass", "Nodule"),
        ("Emphysema", "Pneumothorax"),
    ],
)
def test_findings_come_together(full: Factors, one: str, other: str) -> None:
    first, second = (full.columns[severity_of(name)] > 0 for name in (one, other))
    assert (first & second).mean() > 1.3 * first.mean() * second.mean()


def test_severities_are_uniform_and_last_in_a_patient(full: Factors) -> None:
    severity, patient = full.columns["infiltration_severity"], full.columns["patient"]
    present = severity > 0
    assert severity.max() <= 1
    assert np.quantile(severity[present], [0.25, 0.5, 0.75]) == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.05
    )
    pair = (patient[1:] == patient[:-1]) & present[1:] & present[:-1]
    assert np.corrcoef(severity[1:][pair], severity[:-1][pair])[0, 1] > 0.2
    assert present[1:][(patient[1:] == patient[:-1]) & present[:-1]].mean() > 2 * present.mean()


def test_anatomy_belongs_to_the_patient_and_exposure_to_the_image(full: Factors) -> None:
    same = full.columns["patient"][1:] == full.columns["patient"][:-1]
    for name in ("heart_width", "build", "sex", "mass_side", "nodule_place"):
        column = full.columns[name]
        assert (column[1:] == column[:-1])[same].all(), name
    for name in ("exposure", "rotation", "zoom"):
        column = full.columns[name]
        assert (column[1:] != column[:-1]).mean() > 0.99, name
    assert (np.diff(full.columns["age"])[same] >= 0).all()


def test_views_sexes_and_ages_are_like_the_real_ones(full: Factors) -> None:
    columns, unhealthy = full.columns, full.findings().any(axis=1)
    ap = columns["view"] == "AP"
    assert ap.mean() == pytest.approx(44_810 / 112_120, abs=0.01)
    assert unhealthy[ap].mean() == pytest.approx(0.53, abs=0.02)
    assert unhealthy[~ap].mean() == pytest.approx(0.416, abs=0.02)
    assert (columns["sex"] == "M").mean() == pytest.approx(63_340 / 112_120, abs=0.02)
    assert columns["age"].mean() == pytest.approx(46.9, abs=2)
    assert columns["age"].min() >= 1
    assert columns["age"].max() <= 95


def test_view_sex_and_age_say_little_about_the_label(full: Factors) -> None:
    columns, unhealthy = full.columns, full.findings().any(axis=1)
    test = columns["official_test"] > 0
    decade = columns["age"] // 10
    group = decade * 4 + 2 * (columns["view"] == "AP") + (columns["sex"] == "M")
    group = group.astype(int)
    rates = np.bincount(group[~test], unhealthy[~test]) / np.bincount(group[~test])
    scores = rates[group[test]]
    assert 0.51 < roc_auc_score(unhealthy[test], scores) < 0.65


def test_text_follows_the_view_alone(full: Factors) -> None:
    text, ap = full.columns["text"], full.columns["view"] == "AP"
    portable = text == "PORTABLE"
    assert not portable[~ap].any()
    unhealthy = full.findings().any(axis=1)[ap]
    assert unhealthy[portable[ap]].mean() == pytest.approx(unhealthy.mean(), abs=0.02)


@pytest.mark.parametrize("images", [50, 1000, 112_120])
def test_official_test_set_has_its_share_and_whole_patients(images: int) -> None:
    columns = draw_factors(images, 3).columns
    test, patient = columns["official_test"] > 0, columns["patient"]
    assert not set(patient[test]) & set(patient[~test])
    assert test.mean() == pytest.approx(0.228, abs=0.15 if images < 1000 else 0.02)


def test_a_row_holds_plain_values() -> None:
    row = draw_factors(5, 0).row(3)
    assert row["image"] == 3
    assert all(type(value) in (float, str) for value in row.values())
