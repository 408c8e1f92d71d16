import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgap.core.errors import ContractError
from tgap.metrics.gap import (
    chance_corrected_fter,
    easier_than_reality,
    fter,
    fter_is_meaningful,
    gaps,
    t_gap,
    utility_lost,
    utility_ratio,
)

AUROCS = st.floats(0, 1)

# Legs of the thesis's tables 4.4 to 4.13: TSTR, TRTS, FTER (of the rounded legs), corrected, usable
THESIS = [
    ("random 500", 0.541, 0.575, 0.941, 0.547, False),
    ("random 1000", 0.587, 0.677, 0.867, 0.492, True),
    ("textbook", 0.567, 0.893, 0.635, 0.170, True),
    ("active 500", 0.637, 0.957, 0.666, 0.300, True),
    ("active 1000", 0.591, 0.923, 0.640, 0.215, True),
]


@pytest.mark.parametrize(("row", "tstr", "trts", "ratio", "corrected", "meaningful"), THESIS)
def test_the_thesis_table(row, tstr, trts, ratio, corrected, meaningful):
    assert fter(tstr, trts) == pytest.approx(ratio, abs=5e-4)
    assert chance_corrected_fter(tstr, trts) == pytest.approx(corrected, abs=5e-4)
    assert fter_is_meaningful(tstr, trts) is meaningful


def test_fter_prefers_the_generator_that_learnt_nothing_and_the_flag_says_so():
    chance, learnt = (0.501, 0.502), (0.8, 0.95)
    assert fter(*chance) > fter(*learnt)
    assert not fter_is_meaningful(*chance)
    assert fter_is_meaningful(*learnt)
    assert chance_corrected_fter(0.51, 0.95) < chance_corrected_fter(*learnt)


def test_fter_above_one_below_chance_and_undefined():
    assert fter(0.9, 0.6) == pytest.approx(1.5)
    assert fter(0.0, 0.8) == 0.0
    assert math.isnan(fter(0.5, 0.0))
    assert math.isnan(chance_corrected_fter(0.4, 0.75))
    assert chance_corrected_fter(1.0, 1.0) == 1.0


@pytest.mark.parametrize("trts", [0.0, 0.3, 0.5])
def test_chance_correction_needs_trts_above_chance(trts):
    assert math.isnan(chance_corrected_fter(0.7, trts))


@pytest.mark.parametrize(
    ("tstr", "trts", "margin", "meaningful"),
    [
        (0.55, 0.9, 0.05, False),  # just at the margin
        (0.551, 0.9, 0.05, True),
        (0.9, 0.55, 0.05, False),
        (0.9, 0.3, 0.05, False),  # far below chance is not far from it in the right direction
        (0.501, 0.501, 0.0, True),
        (0.5, 0.9, 0.0, False),
        (1.0, 1.0, 0.5, False),
        (math.nan, 0.9, 0.05, False),
        (0.9, math.nan, 0.05, False),
    ],
)
def test_fter_is_meaningful_when_both_legs_are_above_chance(tstr, trts, margin, meaningful):
    assert fter_is_meaningful(tstr, trts, margin) is meaningful


@given(AUROCS, AUROCS, AUROCS)
def test_the_gap_is_the_sum_of_its_parts(tstr, trts, trtr):
    parts = easier_than_reality(trts, trtr) + utility_lost(trtr, tstr)
    assert t_gap(tstr, trts) == pytest.approx(parts, abs=1e-12)


def test_signs_of_the_gap():
    assert t_gap(tstr=0.6, trts=0.9) == pytest.approx(0.3)
    assert easier_than_reality(trts=0.9, trtr=0.8) == pytest.approx(0.1)
    assert utility_lost(trtr=0.8, tstr=0.6) == pytest.approx(0.2)


@given(AUROCS, AUROCS)
def test_fter_is_below_one_exactly_when_the_gap_is_positive(tstr, trts):
    if trts > 1e-300 and abs(tstr - trts) > 1e-12:
        assert (fter(tstr, trts) < 1) == (t_gap(tstr, trts) > 0)


@pytest.mark.parametrize(
    "of", [fter, chance_corrected_fter, t_gap, easier_than_reality, utility_lost]
)
def test_an_undefined_leg_makes_the_result_undefined(of):
    assert math.isnan(of(math.nan, 0.8))
    assert math.isnan(of(0.8, math.nan))


@pytest.mark.parametrize("of", [fter, chance_corrected_fter, fter_is_meaningful, t_gap])
def test_percentages_are_refused(of):
    text = "tstr must be an AUROC between 0 and 1, got 54.1; give a fraction, not a percentage"
    with pytest.raises(ContractError, match=text):
        of(54.1, 0.575)
    with pytest.raises(ContractError, match=r"trts must be an AUROC between 0 and 1, got -0.1"):
        of(0.541, -0.1)


def test_parts_of_the_gap_refuse_percentages_too():
    with pytest.raises(ContractError, match="trtr must be an AUROC"):
        easier_than_reality(0.9, 80)
    with pytest.raises(ContractError, match="tstr must be an AUROC"):
        utility_lost(0.8, 60)


@given(st.lists(st.tuples(AUROCS, AUROCS, AUROCS), min_size=1, max_size=9))
def test_arrays_give_what_numbers_give(triples):
    tstr, trts, trtr = np.array(triples).T
    together = gaps({"tstr": tstr, "trts": trts, "trtr": trtr})
    for i, (a, b, c) in enumerate(triples):
        one = gaps({"tstr": a, "trts": b, "trtr": c})
        assert list(one) == list(together)
        assert all(type(value) is float for value in one.values())
        np.testing.assert_array_equal([v[i] for v in together.values()], list(one.values()))


def test_the_utility_ratio_is_of_the_ceiling():
    assert utility_ratio(tstr=0.8, trtr=0.9) == pytest.approx(8 / 9)
    assert math.isnan(utility_ratio(0.8, 0.0))
