from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgap.core import ConfigError, DataError, ImageSet, Split
from tgap.core.settings import Splitting
from tgap.protocols.base import sizes_per_label
from tgap.protocols.clean import Clean
from tgap.protocols.cross_fit import CrossFit
from tgap.protocols.thesis import Thesis

split = Clean().split


def make(
    labels: np.ndarray, patients: np.ndarray | None = None, official_test: np.ndarray | None = None
) -> ImageSet:
    n = len(labels)
    return ImageSet(
        images=np.zeros((n, 1, 1, 1), np.uint8),
        labels=labels.astype(bool),
        label_names=tuple(f"label_{i}" for i in range(labels.shape[1])),
        findings=np.zeros((n, 0), bool),
        finding_names=(),
        patients=np.arange(n) if patients is None else patients,
        official_test=official_test,
    )


def exclusive(*counts: int) -> np.ndarray:
    return np.eye(len(counts), dtype=bool)[np.repeat(np.arange(len(counts)), counts)]


def sides(drawn: Split) -> dict[str, np.ndarray]:
    return {"pool": drawn.pool, "train": drawn.real_train, "test": drawn.real_test}


def assert_no_patient_twice(data: ImageSet, drawn: Split) -> None:
    patients = [set(data.patients[part].tolist()) for part in sides(drawn).values()]
    assert sum(map(len, patients)) == len(set.union(*patients))


def test_default_shares_are_exact_in_every_label() -> None:
    data = make(exclusive(2500, 1500, 1000))
    drawn = split(data, Splitting())
    for name, share in (("pool", 0.6), ("train", 0.2), ("test", 0.2)):
        part = data.labels[sides(drawn)[name]]
        assert part.sum(axis=0).tolist() == [2500 * share, 1500 * share, 1000 * share]
    together = np.concatenate(list(sides(drawn).values()))
    assert np.array_equal(np.sort(together), np.arange(5000))


def test_indices_are_sorted_int64() -> None:
    for part in sides(split(make(exclusive(20, 20)), Splitting())).values():
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


@settings(max_examples=60)
@given(data=st.data())
def test_sizes_are_met_and_strata_kept_with_one_image_per_patient(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(20, 60), min_size=2, max_size=5))
    n = sum(counts)
    asked = [
        data.draw(st.integers(n // 4, n // 3), label=side) for side in ("pool", "train", "test")
    ]
    images = make(exclusive(*counts))
    seed = data.draw(st.integers(0, 99))
    drawn = split(
        images,
        Splitting(pool_size=asked[0], train_size=asked[1], test_size=asked[2], split_seed=seed),
    )
    for (_, part), size in zip(sides(drawn).items(), asked, strict=True):
        assert len(part) == size
        ideal = size * np.array(counts) / n
        assert (np.abs(images.labels[part].sum(axis=0) - ideal) < 3).all()


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), largest=st.integers(1, 6), labels=st.integers(2, 3))
def test_patients_stay_whole_and_shares_are_near(seed: int, largest: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, largest + 1, size=150)
    patients = rng.permutation(np.repeat(rng.permutation(1000)[:150], counts))
    # Several labels may hold at once, and a patient's images may differ in theirs.
    data = make(rng.random((len(patients), labels)) < 0.4, patients)
    drawn = split(data, Splitting(split_seed=seed))
    assert_no_patient_twice(data, drawn)
    together = np.concatenate(list(sides(drawn).values()))
    assert np.array_equal(np.sort(together), np.arange(len(data)))  # none is left out
    for name, share in (("pool", 0.6), ("train", 0.2), ("test", 0.2)):
        assert abs(len(sides(drawn)[name]) - share * len(data)) <= 2 * largest
        rate = data.labels[sides(drawn)[name]].mean(axis=0)
        assert np.abs(rate - data.labels.mean(axis=0)).max() < 0.2


def test_sizes_smaller_than_the_dataset_leave_the_rest_out() -> None:
    data = make(exclusive(60, 40), np.repeat(np.arange(50), 2))
    drawn = split(data, Splitting(pool_size=20, train_size=20, test_size=20))
    assert_no_patient_twice(data, drawn)
    for part in sides(drawn).values():
        assert abs(len(part) - 20) <= 4


def test_rare_label_reaches_every_side() -> None:
    labels = np.zeros((1000, 2), bool)
    labels[:900, 0] = True
    labels[:5, 1] = True  # 5 of 1,000, together with the common label
    drawn = split(make(labels), Splitting())
    assert [labels[part, 1].sum() for part in sides(drawn).values()] == [3, 1, 1]


def test_a_stratum_that_earlier_sides_used_up_divides_by_nothing() -> None:
    # 40 patients with two images each, one of them with the only image of a rare row of labels.
    labels = exclusive(40, 40)[np.arange(80).reshape(2, 40).T.ravel()]
    labels[0] = True
    for seed in range(20):
        drawn = split(make(labels, np.arange(80) // 2), Splitting(split_seed=seed))
        assert sum(map(len, sides(drawn).values())) == 80


def test_patients_with_mixed_labels_leave_the_rates_even() -> None:
    rng = np.random.default_rng(0)
    counts = np.minimum(rng.geometric(0.28, size=3000), 60)
    patients = np.repeat(np.arange(3000), counts)
    sick = rng.beta(0.6, 0.7, size=3000)[patients]
    data = make(np.stack([rng.random(len(patients)) < sick] * 2, axis=1) ^ [False, True], patients)
    for seed in range(5):
        drawn = split(data, Splitting(split_seed=seed))
        assert_no_patient_twice(data, drawn)
        for part in sides(drawn).values():
            assert abs(data.labels[part, 0].mean() - data.labels[:, 0].mean()) < 0.002
            per_patient = len(part) / len(np.unique(data.patients[part]))
            assert abs(per_patient - len(data) / 3000) < 0.1


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
        "the split asks for pool 90 + train 20 + test 20 = 130 images, but the dataset has 100 "
        "for them; lower pool_size, train_size, test_size (those not set take 60 %, 20 % and 20 %)"
    )


def test_label_that_cannot_reach_a_side() -> None:
    data = make(exclusive(97, 3))
    with pytest.raises(DataError, match=r"no image of label 'label_1' .*raise \w+_size or choose"):
        split(data, Splitting(pool_size=2, train_size=2, test_size=2))


def test_labels_of_one_or_two_images_need_a_third() -> None:
    with pytest.raises(DataError) as caught:
        split(make(exclusive(97, 2, 1)), Splitting())
    assert str(caught.value) == (
        "label 'label_1' is on 2 of 100 images, but pool, real_train and real_test need one each: "
        "take at least 3 images of it, or leave the label out (remove its folder, or its name from "
        "the table's cells); label 'label_2' is on 1 of 100 images, but pool, real_train and "
        "real_test need one each: take at least 3 images of it, or leave the label out (remove its "
        "folder, or its name from the table's cells)"
    )


def test_labels_of_one_or_two_patients_need_a_third() -> None:
    patients = np.r_[np.arange(94), [100, 100, 100, 101, 101, 101]]
    with pytest.raises(DataError, match="of fewer than 3 patients, each of whom stands on one"):
        split(make(exclusive(94, 6), patients), Splitting())


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_label_that_nearly_every_image_carries(lacking: int) -> None:
    labels = np.hstack([exclusive(20, 20), np.ones((40, 1), bool)])
    labels[:lacking, 2] = False
    told = f"label 'label_2' is on {40 - lacking} of 40 images, so nothing is to be told from it"
    with pytest.raises(DataError, match=told):
        split(make(labels), Splitting())


def test_a_side_where_every_image_carries_a_label() -> None:
    labels = np.hstack([exclusive(20, 20), np.ones((40, 1), bool)])
    labels[:5, 2] = False
    with pytest.raises(DataError, match=r"no image without label 'label_2' .* real_test .*raise"):
        split(make(labels), Splitting(test_size=3))


def test_one_patient_cannot_be_split() -> None:
    told = r"no whole patient fits into \w+_size: .* 1 patients .*; three sides need three; is data"
    with pytest.raises(DataError, match=told):
        split(make(exclusive(5, 5), np.zeros(10, np.int64)), Splitting())


def test_empty_dataset() -> None:
    with pytest.raises(DataError, match="but the dataset has 0"):
        split(make(np.zeros((0, 2))), Splitting())


@pytest.mark.parametrize("field", ["pool_size", "train_size", "test_size"])
def test_sizes_start_at_one(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be at least 1, got 0"):
        Splitting(**{field: 0})


# An official test set


def with_official(n_test: int = 40, n_rest: int = 120) -> ImageSet:
    official = np.arange(n_test + n_rest) < n_test
    return make(exclusive(1, 1)[np.arange(n_test + n_rest) % 2], official_test=official)


def test_an_official_test_set_is_real_test_and_the_rest_is_divided() -> None:
    drawn = split(with_official(), Splitting())
    assert drawn.real_test.tolist() == list(range(40))
    assert (len(drawn.pool), len(drawn.real_train)) == (90, 30)
    assert drawn.pool.min() >= 40
    assert drawn.real_train.min() >= 40


def test_a_test_size_draws_from_the_official_test_set() -> None:
    drawn = split(with_official(), Splitting(test_size=10, pool_size=50, train_size=60))
    assert [len(drawn.pool), len(drawn.real_train), len(drawn.real_test)] == [50, 60, 10]
    assert drawn.real_test.max() < 40


def test_more_than_the_official_test_set_has() -> None:
    with pytest.raises(DataError, match=r"test 41 = 41 images, but the dataset has 40 for them"):
        split(with_official(), Splitting(test_size=41))
    with pytest.raises(DataError, match=r"but the dataset has 120 for them; lower pool_size"):
        split(with_official(), Splitting(pool_size=100, train_size=30))


def test_a_label_that_the_official_test_set_lacks() -> None:
    data = make(exclusive(20, 20, 20), official_test=np.arange(60) % 40 < 10)
    assert not data.labels[data.official_test][:, 1].any()
    with pytest.raises(DataError, match=r"official test set has none: set dataset.official_split="):
        split(data, Splitting())


def test_a_patient_on_both_official_sides_is_refused() -> None:
    data = make(exclusive(20, 20), np.arange(40) // 2, np.arange(40) < 5)
    with pytest.raises(DataError, match="1 patients are both in the official test set and outside"):
        split(data, Splitting())


def test_an_official_test_set_of_everything_is_refused() -> None:
    with pytest.raises(DataError, match="has 40 of the dataset's 40 images"):
        split(make(exclusive(20, 20), None, np.ones(40, bool)), Splitting())


# The thesis's draws


def test_thesis_draws_images_whoever_their_patient_is() -> None:
    data = make(exclusive(200, 300), np.arange(500) // 10)
    drawn = Thesis().split(data, Splitting())
    assert [len(part) for part in sides(drawn).values()] == [300, 100, 100]
    shared = set(data.patients[drawn.real_test]) & set(data.patients[drawn.pool])
    assert len(shared) > 20  # of 50
    expected = np.sort(np.random.default_rng(0).permutation(500)[:100])
    assert np.array_equal(drawn.real_test, expected)


def test_thesis_has_a_pool_and_a_test_set_of_10_000_of_a_large_dataset() -> None:
    drawn = Thesis().split(make(exclusive(20_000, 11_000)), Splitting())
    assert [len(part) for part in sides(drawn).values()] == [10_000, 11_000, 10_000]
    counts = make(exclusive(20_000, 11_000)).labels[drawn.pool].sum(axis=0)
    assert counts[0] != round(10_000 * 20 / 31)  # what a stratified draw would have given
    assert abs(counts[0] - 10_000 * 20 / 31) < 300


def test_thesis_ignores_an_official_test_set() -> None:
    data = with_official()
    assert (Thesis().split(data, Splitting()).real_test >= 40).any()


def test_sizes_in_total_are_a_draw_that_sees_no_label() -> None:
    labels = exclusive(3000, 1000)
    drawn = [
        sizes_per_label(labels, 100, "total", np.random.default_rng(seed)) for seed in range(200)
    ]
    assert {sum(sizes) for sizes in drawn} == {100}
    first = np.array(drawn)[:, 0]
    # Hypergeometric: mean 75, variance 100 * 3/4 * 1/4 * 3900/3999.
    assert abs(first.mean() - 75) < 1.2
    assert 13 < first.var() < 25
    assert sizes_per_label(labels, 100, "label", np.random.default_rng(0)) == [100, 100]


def test_a_larger_total_takes_none_away() -> None:
    labels = exclusive(30, 10)
    small, large = (
        sizes_per_label(labels, size, "total", np.random.default_rng(4)) for size in (10, 25)
    )
    assert all(a <= b for a, b in zip(small, large, strict=True))


# Cross-fitting


def folds_of(data: ImageSet, folds: int = 5, **splitting: int) -> list[Split]:
    protocols = CrossFit(folds=folds).averaged()
    return [protocol.split(data, Splitting(**splitting)) for protocol in protocols]


@settings(max_examples=40)
@given(
    images=st.integers(12, 45),
    labels=st.integers(2, 3),
    folds=st.sampled_from([3, 5, 7, 9]),
    seed=st.integers(0, 99),
)
def test_every_image_tests_once_and_tunes_and_trains_equally_often(
    images: int, labels: int, folds: int, seed: int
) -> None:
    data = make(exclusive(*[images] * labels))
    drawn = folds_of(data, folds, split_seed=seed)
    for side, often in (("test", 1), ("pool", folds // 2), ("train", folds // 2)):
        indices = np.concatenate([sides(one)[side] for one in drawn])
        assert (np.bincount(indices, minlength=len(data)) == often).all()
    for one in drawn:
        assert_no_patient_twice(data, one)
        assert abs(len(one.pool) - len(one.real_train)) <= folds // 2
        counts = data.labels[one.real_test].sum(axis=0)
        assert counts.max() - counts.min() <= 2
        assert abs(len(one.real_test) - len(data) / folds) < 1


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), largest=st.integers(1, 4))
def test_folds_hold_whole_patients_and_both_kinds_of_every_label(seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, largest + 1, size=40)
    patients = rng.permutation(np.repeat(rng.permutation(1000)[:40], counts))
    data = make(rng.random((len(patients), 2)) < 0.5, patients)
    drawn = folds_of(data, split_seed=seed)
    tested = np.concatenate([one.real_test for one in drawn])
    assert np.array_equal(np.sort(tested), np.arange(len(data)))
    for one in drawn:
        assert_no_patient_twice(data, one)
        rates = data.labels[one.real_test].mean(axis=0)
        assert ((rates > 0) & (rates < 1)).all()
        assert abs(len(one.real_test) - len(data) / 5) <= 2 * largest


def test_all_folds_are_of_one_dealing_and_another_seed_deals_anew() -> None:
    data = make(exclusive(15, 15))
    first, again, other = (
        [one.real_test.tolist() for one in folds_of(data, split_seed=seed)] for seed in (1, 1, 2)
    )
    assert first == again != other
    one = CrossFit(fold=3).split(data, Splitting(split_seed=1))
    assert one.real_test.tolist() == first[3]


def test_folds_are_odd_and_counted_from_0() -> None:
    with pytest.raises(ConfigError, match=r"folds must be odd, .* got 4"):
        CrossFit(folds=4)
    with pytest.raises(ConfigError, match=r"fold must be at most 4, since protocol.folds is 5 .*5"):
        CrossFit(fold=5)


def test_a_label_with_fewer_patients_than_folds_is_told_how_many_it_bears() -> None:
    with pytest.raises(DataError) as caught:
        CrossFit(folds=7).split(make(exclusive(20, 6)), Splitting())
    assert str(caught.value) == (
        "no image of label 'label_1' would be in one of the 7 folds: there are 6, of 6 patients; "
        "set protocol.folds=5"
    )
    of_one = np.r_[np.arange(20), np.full(9, 99)]
    with pytest.raises(DataError, match=r"there are 9, of 1 patients; take more of these"):
        CrossFit().split(make(exclusive(20, 9), of_one), Splitting())


def test_an_official_test_set_is_dealt_too_and_an_official_pool_refused() -> None:
    drawn = folds_of(with_official(10, 30))
    assert len(np.concatenate([one.real_test for one in drawn])) == 40
    data = replace(make(exclusive(20, 20)), official_pool=np.arange(40) < 10)
    with pytest.raises(DataError, match=r"names the images to tune on; choose protocol=clean"):
        CrossFit().split(data, Splitting())


def test_few_images_of_a_label_bring_advice_with_the_words_to_type() -> None:
    (text,) = Clean().advice(make(exclusive(200, 15)))
    assert text.startswith("label 'label_1' has 15 images only")
    assert "profile=few protocol.fold=0,1,2,3,4 -m" in text
    assert Clean().advice(make(exclusive(200, 100)))
    assert Clean().advice(make(exclusive(200, 101))) == []
    assert CrossFit().advice(make(exclusive(15, 15))) == []


# What each side is drawn from


@pytest.mark.parametrize("protocol", [Clean(), Thesis(), CrossFit()])
def test_sides_are_drawn_from_all_images_unless_the_dataset_says_otherwise(protocol) -> None:
    sources = protocol.sources(make(exclusive(20, 20)))
    assert sources == {"pool": 40, "real_train": 40, "real_test": 40}


def test_official_sides_are_drawn_from_by_themselves() -> None:
    data = with_official(40, 120)
    assert Clean().sources(data) == {"pool": 120, "real_train": 120, "real_test": 40}
    assert Thesis().sources(data) == {"pool": 160, "real_train": 160, "real_test": 160}
    own = replace(data, official_pool=np.arange(160) >= 130)
    assert Clean().sources(own) == {"pool": 30, "real_train": 90, "real_test": 40}
    assert Thesis().sources(own) == {"pool": 30, "real_train": 130, "real_test": 130}


@pytest.mark.parametrize("protocol", [Clean(), Thesis()])
def test_sides_lie_within_their_sources(protocol) -> None:
    for data in (with_official(40, 120), make(exclusive(90, 60))):
        drawn, sources = protocol.split(data, Splitting()), protocol.sources(data)
        assert all(len(getattr(drawn, side)) <= number for side, number in sources.items())
        assert (len(drawn.real_test) == sources["real_test"]) == (
            protocol == Clean() and data.official_test is not None
        )
