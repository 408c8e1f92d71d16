"""The reserve: real images that judges may see, and none that trains or tests a classifier."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.test_leaks import selected
from tests.pipeline.test_subsets import ROWS, arrays, data
from tgap.core.digest import image_digests
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.result import Result
from tgap.pipeline.subsets import reserved
from tgap.store import Store


def patients(result: Result, rows: np.ndarray) -> set[int]:
    return set(result.dataset().patients[rows].tolist())


@pytest.mark.parametrize("protocol", ["clean", "thesis"])
def test_it_shares_no_patient_with_what_is_tuned_on_trained_on_or_tested_on(
    store: Store, protocol: str
) -> None:
    result = selected(store, f"protocol={protocol}")
    fitting, checking = result.reserve()
    split, selection = result.split(), result.selection()
    assert selection is not None
    sides = [split.pool[selection.indices], split.real_train, split.real_test]
    taken = set().union(*(patients(result, rows) for rows in sides))
    ours = patients(result, fitting), patients(result, checking)
    assert not (ours[0] | ours[1]) & taken
    assert not ours[0] & ours[1]
    # all that is free, and nothing else: counted one by one
    free = {row for row in split.pool.tolist() if not patients(result, np.array([row])) & taken}
    assert set(fitting.tolist()) | set(checking.tolist()) == free
    assert len(fitting) + len(checking) == len(free)
    if protocol == "clean":  # the thesis's draw leaves next to none
        assert min(len(fitting), len(checking)) > 30


def test_a_patient_is_in_the_same_half_whatever_is_tuned_on_and_whichever_the_seed(
    store: Store,
) -> None:
    ways = [selected(store, "size=4"), selected(store, "size=12", "seed=1")]
    (fit_a, check_a), (fit_b, check_b) = (result.reserve() for result in ways)
    assert not set(fit_a.tolist()) & set(check_b.tolist())
    assert not set(fit_b.tolist()) & set(check_a.tolist())
    assert set(fit_a.tolist()) & set(fit_b.tolist())


def test_evaluators_see_images_of_the_checking_half_that_no_control_gave_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = selected(store, "size=4")
    images, (_, checking) = result.dataset(), result.reserve()
    given = images.take(checking[:20])
    parts = given.take(np.arange(12)), given.take(np.arange(12, 20))
    monkeypatch.setattr(result, "synthetic", lambda: parts)
    rest = checking[~np.isin(images.patients[checking], given.patients)]
    seen = RunEvidence(result).reserve(10_000)
    assert image_digests(seen) == image_digests(images.images[rest])
    few = RunEvidence(result).reserve(40)
    assert 40 - 20 <= len(few) <= 40
    assert set(image_digests(few)) <= set(image_digests(seen))


def test_what_two_methods_may_both_see_they_see_in_the_same_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, every = [], []
    for words in (["size=4"], ["size=6", "seed=1"]):
        result = selected(store, *words)
        none = result.dataset().take(np.arange(0))
        monkeypatch.setattr(result, "synthetic", lambda none=none: (none, none))
        few.append(set(image_digests(RunEvidence(result).reserve(25))))
        every.append(set(image_digests(RunEvidence(result).reserve(10_000))))
    both = every[0] & every[1]
    assert len(both) > 25
    assert few[0] & both <= few[1] or few[1] & both <= few[0]


def test_other_splits_have_other_reserves(store: Store) -> None:
    first, other = (selected(store, f"split_seed={seed}").reserve()[0] for seed in (0, 1))
    assert set(first.tolist()) != set(other.tolist())


@given(ROWS, st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_halves_do_not_depend_on_the_order_of_the_rows(rows, seed, shuffler) -> None:
    labels, names = arrays(rows)
    pool = np.arange(len(rows), dtype=np.int64)
    used = pool[: len(pool) // 4]
    halves = reserved(data(labels, names), pool, used, np.random.default_rng(seed))
    order = np.array(shuffler.sample(range(len(rows)), len(rows)), dtype=np.int64)
    place = np.argsort(order)
    mixed = data(labels[order], names[order])
    again = reserved(mixed, pool, place[used], np.random.default_rng(seed))
    for half, other in zip(halves, again, strict=True):
        assert (np.diff(half) > 0).all()
        assert set(half.tolist()) == set(order[other].tolist())


def test_halves_have_labels_alike() -> None:
    labels = np.arange(400)[:, None] % 8 == np.array([[0, 1]])
    pool = np.arange(400, dtype=np.int64)
    halves = reserved(data(labels, pool), pool, pool[:0], np.random.default_rng(0))
    assert [labels[half].sum(axis=0).tolist() for half in halves] == [[25, 25], [25, 25]]


def test_nothing_is_left_where_all_is_tuned_on() -> None:
    labels, pool = np.ones((6, 2), bool), np.arange(6, dtype=np.int64)
    halves = reserved(data(labels, pool), pool, pool, np.random.default_rng(0))
    assert [len(half) for half in halves] == [0, 0]


def test_the_most_unlabelled_images_that_an_evaluator_looked_at_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one order, so that those of the others are among them; whichever evaluator comes last."""
    result = selected(store, "size=4")
    looked = {"a": {"cost/unlabelled_real": 1000.0}, "b": {"cost/unlabelled_real": 50.0}}
    monkeypatch.setattr(result, "_metrics_of", lambda name: dict(looked[name]))
    for order in ("ab", "ba"):
        monkeypatch.setattr(result.artifacts, "evaluations", dict.fromkeys(order))
        assert result.read_metrics()["cost/unlabelled_real"] == 1000
