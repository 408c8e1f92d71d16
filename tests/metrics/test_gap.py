import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgap.core import ContractError
from tgap.metrics.gap import fter_is_meaningful, gaps

AUROCS = st.floats(0, 1)

# Legs of the thesis's tables 4.4 to 4.13: TSTR, TRTS, FTER (of the rounded legs), corrected, usable
THESIS = [
    ("random 500", 0.541, 0.575, 0.941, 0.547, False),
    ("random 1000", 0.587, 0.677, 0.867, 0.492, True),
    ("textbook", 0.567, 0.893, 0.635, 0.170, True),
    ("active 500", 0.637, 0.957, 0.666, 0.300, True),
    ("active 1000", 0.591, 0.923, 0.640, 0.215, True),
]


def of(tstr=0.7, trts=0.8, trtr=0.9):
    return gaps({"tstr": tstr, "trts": trts, "trtr": trtr})


@pytest.mark.parametrize(("row", "tstr", "trts", "ratio", "corrected", "meaningful"), THESIS)
def test_the_thesis_table(row, tstr, trts, ratio, corrected, meaningful):
    assert of(tstr, trts)["fter"] == pytest.approx(ratio, abs=5e-4)
    assert of(tstr, trts)["fter/chance_corrected"] == pytest.approx(corrected, abs=5e-4)
    assert fter_is_meaningful(tstr, trts) is meaningful


def test_fter_prefers_the_generator_that_learnt_nothing_and_the_flag_says_so():
    chance, learnt = (0.501, 0.502), (0.8, 0.95)
    assert of(*chance)["fter"] > of(*learnt)["fter"]
    assert not fter_is_meaningful(*chance)
    assert fter_is_meaningful(*learnt)
    assert of(0.51, 0.95)["fter/chance_corrected"] < of(*learnt)["fter/chance_corrected"]


def test_ratios_above_one_and_undefined():
    assert of(0.9, 0.6)["fter"] == pytest.approx(1.5)
    assert of(tstr=0.0)["fter"] == 0.0
    assert math.isnan(of(trts=0.0)["fter"])
    assert math.isnan(of(trtr=0.0)["utility_ratio"])
    assert of(tstr=0.8, trtr=0.9)["utility_ratio"] == pytest.approx(8 / 9)
    assert of(1.0, 1.0)["fter/chance_corrected"] == 1.0


@pytest.mark.parametrize(("tstr", "trts"), [(0.7, 0.0), (0.7, 0.3), (0.7, 0.5), (0.4, 0.75)])
def test_chance_correction_needs_both_above_chance(tstr, trts):
    assert math.isnan(of(tstr, trts)["fter/chance_corrected"])


@pytest.mark.parametrize(
    ("tstr", "trts", "margin", "meaningful"),
    [
        (0.55, 0.9, 0.05, False),  # just at the margin
        (0.551, 0.9, 0.05, True),
        (0.9, 0.55, 0.05, False),
        (0.9, 0.3, 0.05, False),  # far below chance is not far from it in the right direction
        (0.501, 0.9, 0.0, True),
        (0.63, 0.62, 0.05, False),  # within a quarter of 1 whatever the images are
        (0.66, 0.56, 0.05, True),
        (0.5, 0.9, 0.0, False),
        (1.0, 1.0, 0.5, False),
        (math.nan, 0.9, 0.05, False),
        (0.9, math.nan, 0.05, False),
    ],
)
def test_fter_is_meaningful_when_both_legs_are_above_chance(tstr, trts, margin, meaningful):
    assert fter_is_meaningful(tstr, trts, margin) is meaningful


def test_fter_means_nothing_where_an_interval_reaches_chance():
    assert not fter_is_meaningful(0.7, 0.9, least=(0.49, 0.8))
    assert not fter_is_meaningful(0.7, 0.9, least=(0.6, 0.5))
    assert fter_is_meaningful(0.7, 0.9, least=(0.6, math.nan))


@given(AUROCS, AUROCS, AUROCS)
def test_the_gap_is_the_sum_of_its_parts(tstr, trts, trtr):
    found = of(tstr, trts, trtr)
    parts = found["t_gap/easier_than_reality"] + found["t_gap/utility_lost"]
    assert found["t_gap"] == pytest.approx(parts, abs=1e-12)
    if trts > 1e-300 and abs(found["t_gap"]) > 1e-12:
        assert (found["fter"] < 1) == (found["t_gap"] > 0)


def test_signs_of_the_gap():
    found = of(tstr=0.6, trts=0.9, trtr=0.8)
    assert found["t_gap"] == pytest.approx(0.3)
    assert found["t_gap/easier_than_reality"] == pytest.approx(0.1)
    assert found["t_gap/utility_lost"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("leg", "without"),
    [
        ("tstr", {"t_gap/easier_than_reality"}),
        ("trts", {"utility_ratio", "t_gap/utility_lost"}),
        ("trtr", {"fter", "fter/chance_corrected", "t_gap"}),
    ],
)
def test_an_undefined_leg_makes_what_it_enters_undefined(leg, without):
    found = of(**{leg: math.nan})
    assert {name for name, value in found.items() if not math.isnan(value)} == without


@pytest.mark.parametrize("leg", ["tstr", "trts", "trtr"])
def test_percentages_are_refused(leg):
    text = f"{leg} must be an AUROC between 0 and 1, got 54.1; give a fraction, not a percentage"
    with pytest.raises(ContractError, match=text):
        of(**{leg: 54.1})
    with pytest.raises(ContractError, match=f"{leg} must be .* got -0.1"):
        of(**{leg: np.array([0.5, -0.1])})
    if leg != "trtr":
        with pytest.raises(ContractError, match=text):
            fter_is_meaningful(**({"tstr": 0.7, "trts": 0.8} | {leg: 54.1}))


@given(st.lists(st.tuples(AUROCS, AUROCS, AUROCS), min_size=1, max_size=9))
def test_arrays_give_what_numbers_give(triples):
    together = of(*np.array(triples).T)
    for i, legs in enumerate(triples):
        one = of(*legs)
        assert list(one) == list(together)
        assert all(type(value) is float for value in one.values())
        np.testing.assert_array_equal([v[i] for v in together.values()], list(one.values()))
