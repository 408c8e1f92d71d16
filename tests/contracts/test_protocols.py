"""What every protocol must keep, whichever it is."""

import numpy as np
import pytest

from tgap.composition import registry
from tgap.core import DataError, ImageSet
from tgap.core.settings import Splitting
from tgap.protocols.base import Protocol

GROUP = "protocol"
KNOWN = {"clean", "cross_fit", "thesis"}

each_protocol = pytest.mark.parametrize("name", registry.names(GROUP))


def make(name: str) -> Protocol:
    return registry.component_class(GROUP, name)()


def dataset(n: int = 200) -> ImageSet:
    rng = np.random.default_rng(0)
    data = ImageSet(
        images=np.zeros((n, 2, 2, 1), np.uint8),
        labels=np.eye(2, dtype=bool)[rng.integers(0, 2, n)],
        label_names=("a", "b"),
        findings=np.zeros((n, 0), bool),
        finding_names=(),
        patients=np.arange(n) // 2,
    )
    for array in (data.images, data.labels, data.findings, data.patients):
        array.setflags(write=False)
    return data


def test_known_ones_are_found() -> None:
    assert set(registry.names(GROUP)) >= KNOWN


@each_protocol
def test_says_what_it_is(name: str) -> None:
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Protocol)
    assert cls.stem() == name
    assert cls.size_unit in ("label", "total")
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_protocol
def test_sides_are_sorted_disjoint_and_about_the_sizes_asked_for(name: str) -> None:
    sizes, of_200 = {"pool_size": 100, "train_size": 40, "test_size": 50}, (100, 40, 50)
    if not make(name).sized:
        sizes, of_200 = {}, (80, 80, 40)
    found = make(name).split(dataset(), Splitting(**sizes))
    for part, size in zip((found.pool, found.real_train, found.real_test), of_200, strict=True):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        assert abs(len(part) - size) <= 4
    together = np.concatenate([found.pool, found.real_train, found.real_test])
    assert len(np.unique(together)) == len(together)


@each_protocol
def test_the_seed_is_the_only_randomness(name: str) -> None:
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    one, two, other = (
        make(name).split(dataset(), Splitting(split_seed=seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.pool, two.pool)
    assert not np.array_equal(one.pool, other.pool)
    assert np.array_equal(np.random.get_state()[1], state)


@each_protocol
def test_too_much_asked_is_told(name: str) -> None:
    told = "the split asks for pool 500" if make(name).sized else "takes no pool_size; set pool_siz"
    with pytest.raises(DataError, match=told):
        make(name).split(dataset(), Splitting(pool_size=500))


@each_protocol
def test_a_side_without_a_label_is_told(name: str) -> None:
    data = dataset()
    labels = np.zeros((200, 2), bool)
    labels[:, 0] = True
    labels[0] = [False, True]
    rare = ImageSet(
        data.images, labels, data.label_names, data.findings, (), np.arange(200, dtype=np.int64)
    )
    with pytest.raises(DataError, match=r"label 'b' is on 1 of 200 images, but .* at least 3"):
        make(name).split(rare, Splitting())


@each_protocol
def test_runs_that_count_as_one_test_each_image_at_most_once(name: str) -> None:
    protocol, data = make(name), dataset()
    every = protocol.averaged()
    assert protocol in every
    tested = np.concatenate([one.split(data, Splitting()).real_test for one in every])
    assert len(np.unique(tested)) == len(tested)


@each_protocol
def test_advice_is_for_few_images(name: str) -> None:
    assert make(name).advice(dataset(400)) == []
    assert all(len(text.splitlines()) == 1 for text in make(name).advice(dataset(30)))
