"""Intervals of kernel distance and coverage."""

import numpy as np
import pytest

from tgap.metrics.distances import kid
from tgap.metrics.jackknife import GROUPS, coverage_with_ends, grouped, kid_with_ends
from tgap.metrics.neighbours import prdc


def vectors(seed, count=80, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (count, 4))


def groups_of(count, seed=0, images_each=1):
    patients = np.arange(count, dtype=np.int64) // images_each
    return grouped(patients, np.random.default_rng(seed))


def test_patients_are_dealt_whole_into_groups_of_one_size():
    groups = groups_of(120, images_each=3)
    assert np.bincount(groups).tolist() == [6] * GROUPS
    assert (groups.reshape(-1, 3) == groups[::3, None]).all()
    assert set(groups_of(6, images_each=2)) == {0, 1, 2}


def test_the_numbers_are_those_without_intervals():
    real, fake = vectors(0), vectors(1, 60, 0.3)
    of_real, of_fake = groups_of(80), groups_of(60)
    assert kid_with_ends(real, fake, of_real, of_fake).estimate == pytest.approx(kid(real, fake))
    coverage = coverage_with_ends(real, fake, of_real, of_fake)
    assert coverage.estimate == prdc(real, fake).coverage


def test_the_variance_is_that_of_leaving_groups_out_one_by_one():
    real, fake = vectors(2), vectors(3, 60, 0.3)
    of_real, of_fake = groups_of(80), groups_of(60)
    without = [
        [kid(real[of_real != g], fake) for g in range(GROUPS)],
        [kid(real, fake[of_fake != g]) for g in range(GROUPS)],
    ]
    expected = sum((GROUPS - 1) * np.var(values) for values in without)
    found = kid_with_ends(real, fake, of_real, of_fake)
    assert found.standard_error**2 == pytest.approx(expected)
    assert (found.lo + found.hi) / 2 == pytest.approx(found.estimate)
    covered = coverage_with_ends(real, fake, of_real, of_fake)
    assert 0 <= covered.lo < covered.estimate < covered.hi <= 1


@pytest.mark.parametrize("shift", [0.2, 0.8])
def test_intervals_hold_the_expectation_in_nineteen_of_twenty_worlds(shift):
    """The expectation is the mean over these worlds, which are as large as each other."""
    worlds, found = 200, []
    for world in range(worlds):
        real, fake = vectors([1, world]), vectors([2, world], 80, shift)
        groups = groups_of(80, world), groups_of(80, world + 1)
        found.append([f(real, fake, *groups) for f in (kid_with_ends, coverage_with_ends)])
    for of_metric in zip(*found, strict=True):
        truth = np.mean([one.estimate for one in of_metric])
        inside = np.mean([one.lo < truth < one.hi for one in of_metric])
        assert 0.9 < inside < 0.999, inside


def test_without_two_groups_there_are_no_ends():
    real, fake = vectors(4, 20), vectors(5, 20)
    alone, many = np.zeros(20, np.int64), groups_of(20)
    for found in (
        kid_with_ends(real, fake, alone, many),
        coverage_with_ends(real, fake, alone, many),
        coverage_with_ends(real, fake, many, alone),
    ):
        assert np.isfinite(found.estimate)
        assert np.isnan([found.lo, found.hi]).all()
