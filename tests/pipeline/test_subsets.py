import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tgap.core import ImageSet
from tgap.pipeline.subsets import (
    at_most,
    deal_per_label,
    divisible,
    draw_per_label,
    patients_of,
    share_per_label,
    sources_of,
)


def data(labels, patients):
    n = len(labels)
    return ImageSet(
        images=np.zeros((n, 1, 1, 1), np.uint8),
        labels=labels,
        label_names=("a", "b"),
        findings=np.zeros((n, 0), bool),
        finding_names=(),
        patients=patients,
    )


ROWS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(-3, 9)), max_size=40)


def arrays(rows):
    labels = np.array([row[:2] for row in rows], bool).reshape(len(rows), 2)
    return labels, np.array([row[2] for row in rows], np.int64)


@given(ROWS, st.integers(1, 8), st.integers(0, 99))
def test_whole_patients_are_drawn_until_every_label_has_enough(rows, per_label, seed):
    labels, patients = arrays(rows)
    everything = np.arange(len(rows), dtype=np.int64)
    chosen = patients_of(data(labels, patients), everything, per_label, np.random.default_rng(seed))
    assert (np.diff(chosen) > 0).all()
    drawn = set(patients[chosen].tolist())
    assert set(np.flatnonzero(np.isin(patients, list(drawn))).tolist()) == set(chosen.tolist())
    enough = (labels[chosen].sum(axis=0) >= per_label).all()
    assert enough or len(chosen) == len(rows) or len(chosen) >= 4 * per_label * 2


def test_no_more_patients_are_drawn_than_needed():
    labels = np.ones((100, 2), bool)
    chosen = patients_of(
        data(labels, np.arange(100) // 2), np.arange(100), 7, np.random.default_rng(0)
    )
    assert len(chosen) == 8


def test_patients_of_a_rare_label_are_drawn_as_far_as_must_be():
    labels = np.ones((2000, 2), bool)
    labels[:, 1] = np.arange(2000) % 200 == 0
    every = (data(labels, np.arange(2000)), np.arange(2000), 4)
    capped = patients_of(*every, np.random.default_rng(0))
    chosen = patients_of(*every, np.random.default_rng(0), least=4)
    assert len(capped) <= 4 * 4 * 2 + 1
    assert labels[chosen, 1].sum() == 4
    assert set(capped) <= set(chosen)


def test_only_the_rows_given_are_drawn_from():
    labels = np.ones((10, 2), bool)
    rows = np.array([1, 4, 5])
    chosen = patients_of(data(labels, np.arange(10)), rows, 99, np.random.default_rng(0))
    assert chosen.tolist() == [1, 4, 5]


@given(ROWS, st.floats(0, 1), st.integers(0, 99))
def test_each_combination_of_labels_is_shared_out_alike(rows, share, seed):
    labels, _ = arrays(rows)
    alone = np.arange(len(rows))
    chosen = share_per_label(labels, share, alone, np.random.default_rng(seed))
    for combination in np.unique(labels, axis=0):
        members = (labels == combination).all(axis=1)
        assert chosen[members].sum() == round(share * members.sum())


@given(ROWS, st.integers(0, 9), st.integers(0, 99))
def test_so_many_of_each_label_or_all(rows, count, seed):
    labels, _ = arrays(rows)
    chosen = draw_per_label(labels, count, np.random.default_rng(seed))
    assert (np.diff(chosen) > 0).all()
    assert (labels[chosen].sum(axis=0) >= np.minimum(count, labels.sum(axis=0))).all()
    assert len(chosen) <= np.minimum(count, labels.sum(axis=0)).sum()


@given(ROWS, st.integers(1, 5), st.integers(0, 99))
def test_sources_stay_together(rows, parts, seed):
    labels, sources = arrays(rows)
    rng = np.random.default_rng(seed)
    shared = share_per_label(labels, 2 / 3, sources, rng)
    dealt = deal_per_label(labels, parts, sources, rng)
    bounded = at_most(labels, np.array([3, np.inf]), sources, rng)
    drawn = np.isin(np.arange(len(rows)), draw_per_label(labels, 3, rng, sources))
    for division in (shared, dealt, bounded, drawn):
        for source in np.unique(sources):
            assert len(np.unique(division[sources == source])) == 1


@given(ROWS, st.integers(1, 5), st.integers(0, 99))
def test_parts_are_alike_in_each_combination_of_labels(rows, parts, seed):
    labels, _ = arrays(rows)
    alone = np.arange(len(rows))
    part = deal_per_label(labels, parts, alone, np.random.default_rng(seed))
    for combination in np.unique(labels, axis=0):
        members = (labels == combination).all(axis=1)
        counts = np.bincount(part[members], minlength=parts)
        assert counts.max() - counts.min() <= 1
    if parts > 1 and len(rows):
        total = np.bincount(part, minlength=parts)
        assert total.max() - total.min() <= 1


@given(ROWS, st.integers(0, 9), st.integers(0, 99))
def test_no_label_has_more_than_its_limit(rows, limit, seed):
    labels, _ = arrays(rows)
    labels[:, 1] &= ~labels[:, 0]
    alone = np.arange(len(rows))
    chosen = at_most(labels, np.array([limit, np.inf]), alone, np.random.default_rng(seed))
    assert labels[chosen, 0].sum() == min(max(limit, 1), labels[:, 0].sum())
    assert chosen[~labels[:, 0]].all()


def test_equal_images_and_images_of_a_patient_are_of_one_source():
    labels = np.ones((5, 2), bool)
    made = data(labels, np.array([7, 7, 1, 2, 3]))
    made.images[:] = np.array([0, 1, 1, 2, 3], np.uint8)[:, None, None, None]
    sources = sources_of(made)
    assert sources[0] == sources[1] == sources[2]
    assert len(np.unique(sources)) == 3


def test_a_label_of_one_source_can_be_divided():
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    sources = divisible(np.array([0, 0, 1, 2]), labels)
    assert len(np.unique(sources)) == 4
    assert sources[2:].tolist() == [1, 2]
