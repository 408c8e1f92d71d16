import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgap.datasets.splitting import Splitting, split
from tgap.errors import ConfigError, DataError
from tgap.types import ImageSet, Split


def make(labels: np.ndarray, patients: np.ndarray | None = None) -> ImageSet:
    n = len(labels)
    return ImageSet(
        images=np.zeros((n, 1, 1, 1), np.uint8),
        labels=labels.astype(bool),
        label_names=tuple(f"label_{i}" for i in range(labels.shape[1])),
        findings=np.zeros((n, 0), bool),
        finding_names=(),
        patients=np.arange(n) if patients is None else patients,
    )


def exclusive(*counts: int) -> np.ndarray:
    return np.eye(len(counts), dtype=bool)[np.repeat(np.arange(len(counts)), counts)]


def sides(found: Split) -> dict[str, np.ndarray]:
    return {"pool": found.pool, "train": found.real_train, "test": found.real_test}


def assert_no_patient_twice(data: ImageSet, found: Split) -> None:
    patients = [set(data.patients[part].tolist()) for part in sides(found).values()]
    assert sum(map(len, patients)) == len(set.union(*patients))


def test_default_shares_are_exact_in_every_label() -> None:
    data = make(exclusive(2500, 1500, 1000))
    found = split(data, Splitting())
    for name, share in (("pool", 0.6), ("train", 0.2), ("test", 0.2)):
        part = data.labels[sides(found)[name]]
        assert part.sum(axis=0).tolist() == [2500 * share, 1500 * share, 1000 * share]
    together = np.concatenate(list(sides(found).values()))
    assert np.array_equal(np.sort(together), np.arange(5000))


def test_indices_are_sorted_int64() -> None:
    for part in sides(split(make(exclusive(20, 20)), Splitting())).values():
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_sizes_are_met_and_strata_kept_with_one_image_per_patient(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(20, 60), min_size=2, max_size=5))
    n = sum(counts)
    asked = [
        data.draw(st.integers(n // 4, n // 3), label=side) for side in ("pool", "train", "test")
    ]
    images = make(exclusive(*counts))
    seed = data.draw(st.integers(0, 99))
    found = split(
        images,
        Splitting(pool_size=asked[0], train_size=asked[1], test_size=asked[2], split_seed=seed),
    )
    for (_, part), size in zip(sides(found).items(), asked, strict=True):
        assert len(part) == size
        ideal = size * np.array(counts) / n
        assert (np.abs(images.labels[part].sum(axis=0) - ideal) < 3).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), largest=st.integers(1, 6), labels=st.integers(2, 3))
def test_patients_stay_whole_and_shares_are_near(seed: int, largest: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, largest + 1, size=150)
    patients = rng.permutation(np.repeat(rng.permutation(1000)[:150], counts))
    # Several labels may hold at once, and a patient's images may differ in theirs.
    data = make(rng.random((len(patients), labels)) < 0.4, patients)
    found = split(data, Splitting(split_seed=seed))
    assert_no_patient_twice(data, found)
    together = np.concatenate(list(sides(found).values()))
    assert np.array_equal(np.sort(together), np.arange(len(data)))  # none is left out
    for name, share in (("pool", 0.6), ("train", 0.2), ("test", 0.2)):
        assert abs(len(sides(found)[name]) - share * len(data)) <= 2 * largest
        rate = data.labels[sides(found)[name]].mean(axis=0)
        assert np.abs(rate - data.labels.mean(axis=0)).max() < 0.2


def test_sizes_smaller_than_the_dataset_leave_the_rest_out() -> None:
    data = make(exclusive(60, 40), np.repeat(np.arange(50), 2))
    found = split(data, Splitting(pool_size=20, train_size=20, test_size=20))
    assert_no_patient_twice(data, found)
    for part in sides(found).values():
        assert abs(len(part) - 20) <= 4


def test_rare_label_reaches_every_side() -> None:
    labels = np.zeros((1000, 2), bool)
    labels[:, 0] = True
    labels[:5, 1] = True  # 5 of 1,000, together with the common label
    found = split(make(labels), Splitting())
    assert [labels[part, 1].sum() for part in sides(found).values()] == [3, 1, 1]


def test_same_seed_same_split_and_another_seed_another() -> None:
    data = make(exclusive(50, 50))
    first, again, other = (split(data, Splitting(split_seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.pool, again.pool)
    assert np.array_equal(first.real_test, again.real_test)
    assert not np.array_equal(first.real_test, other.real_test)


def test_pool_and_training_size_leave_the_test_set_as_it_is() -> None:
    data = make(exclusive(50, 50), np.repeat(np.arange(50), 2))
    one = split(data, Splitting(pool_size=20, train_size=30, test_size=20))
    two = split(data, Splitting(pool_size=60, train_size=20, test_size=20))
    assert np.array_equal(one.real_test, two.real_test)


def test_input_and_global_random_state_are_left_alone() -> None:
    data = make(exclusive(30, 30))
    for array in (data.images, data.labels, data.patients):
        array.setflags(write=False)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    split(data, Splitting())
    assert np.array_equal(before, np.random.get_state()[1])


def test_too_much_asked() -> None:
    with pytest.raises(DataError) as caught:
        split(make(exclusive(50, 50)), Splitting(pool_size=90))
    assert str(caught.value) == (
        "the split asks for pool 90 + train 20 + test 20 = 130 images, but the dataset has 100; "
        "lower pool_size, train_size or test_size (those not set take 60 %, 20 % and 20 %)"
    )


def test_label_that_cannot_reach_a_side() -> None:
    with pytest.raises(DataError, match=r"no image of label 'label_1' .*raise \w+_size or choose"):
        split(make(exclusive(99, 1)), Splitting())


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"no whole patient fits into \w+_size: .* 1 patients"):
        split(make(exclusive(5, 5), np.zeros(10, np.int64)), Splitting())


def test_empty_dataset() -> None:
    with pytest.raises(DataError, match="but the dataset has 0"):
        split(make(np.zeros((0, 2))), Splitting())


@pytest.mark.parametrize("field", ["pool_size", "train_size", "test_size"])
def test_sizes_start_at_one(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be at least 1, got 0"):
        Splitting(**{field: 0})
