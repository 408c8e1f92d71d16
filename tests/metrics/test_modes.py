"""Kinds of real vectors that are left out, by hand-made groups of them."""

import numpy as np

from tgap.metrics.modes import clusters, left_out, typical

CENTRES = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])


def drawn(counts, seed, aside=0.0):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(counts)), counts)
    return (CENTRES[group] + aside + rng.standard_normal((len(group), 2))).astype(np.float32), group


def found(counts, aside=0.0, floor=(40, 40, 40, 40)):
    real, group = drawn((40, 40, 40, 40), 1)
    kinds = group[:, None] == np.arange(4)
    return left_out(real, drawn(floor, 2)[0], drawn(counts, 3, aside)[0], kinds, k=5)


def test_groups_without_images_are_left_out_and_no_others():
    some = found((80, 0, 80, 0))
    assert some.missing.tolist() == [False, True, False, True]
    assert some.found.tolist() == [80, 0, 80, 0]
    assert some.expected.tolist() == [40, 40, 40, 40]
    for nearly_alike in ((40, 40, 40, 40), (60, 25, 60, 25)):
        assert not found(nearly_alike).missing.any()


def test_a_group_that_other_real_images_lack_as_well_is_not_left_out():
    assert not found((80, 0, 40, 40), floor=(60, 8, 46, 46)).missing.any()


def test_nothing_is_told_of_images_that_lie_aside():
    assert found((80, 0, 80, 0), aside=8.0) is None
    assert found((160, 0, 0, 0), aside=8.0) is None


def test_honest_draws_leave_nothing_out():
    rng = np.random.default_rng(0)
    for _ in range(20):
        real, floor, fake = (rng.standard_normal((320, 8)).astype(np.float32) for _ in range(3))
        of = left_out(real, floor, fake, clusters(real, rng), k=5)
        assert of is not None
        assert not of.missing.any()


def test_clusters_are_of_32_vectors_on_average_and_two_at_least():
    real, group = drawn((32, 32, 32, 32), 1)
    which = clusters(real, np.random.default_rng(0))
    assert which.shape == (128, 4)
    assert (which.sum(axis=1) == 1).all()
    assert {tuple(group[column]) for column in which.T} == {(g,) * 32 for g in range(4)}
    for too_few in (real[:63], np.repeat(real[:1], 99, axis=0)):
        none = clusters(too_few, np.random.default_rng(0))
        assert none.shape == (len(too_few), 0)
        assert left_out(too_few, too_few, too_few, none, k=5) is None


def test_typical_images_are_nearest_to_the_mean_of_their_kind():
    real = np.array([[0], [9], [6], [100], [4]], np.float32)
    kind = np.array([True, True, True, False, True])
    assert typical(real, kind).tolist() == [4, 2, 1, 0]
