import dataclasses

import numpy as np

from tests.contracts.evidence import noisy
from tgap.pipeline.evidence import shared_patients


def named(*names):
    return dataclasses.replace(noisy(len(names), 0), patient_names=np.array(names))


def test_patients_of_two_sources_are_the_same_by_name_whatever_zeros_stand_before_a_number():
    ours, theirs = named("1", "20", "0", "p7", "p07"), named("00000001", "2", "000", "p7")
    assert shared_patients(ours, theirs).tolist() == [True, False, True, True, False]
    assert shared_patients(theirs, ours).tolist() == [True, False, True, True]


def test_a_source_that_names_no_patients_shares_none():
    unnamed = noisy(4, 0)
    assert not shared_patients(named("1", "2"), unnamed).any()
    assert shared_patients(unnamed, named("1")).tolist() == [False] * 4


def test_a_long_number_is_one_name_with_and_without_a_word_for_a_patient():
    ours = named("p10000032", "Patient_10000764", "patient12", "pt-0010000898")
    theirs = named("10000032", "10000764", "12", "10000898")
    assert shared_patients(ours, theirs).tolist() == [True, True, False, True]
