"""What every selector and every part of one must keep, whichever it is."""

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from tgap import registry
from tgap.component import Component
from tgap.embedders.base import Embedder
from tgap.errors import ContractError, TgapError
from tgap.selectors.allocations.base import Allocation
from tgap.selectors.base import Candidates, Selector
from tgap.selectors.clusterers.base import Clusterer
from tgap.selectors.picks.base import Pick
from tgap.types import Floats, ImageSet, Selection

SELECTORS, CLUSTERERS, ALLOCATIONS, PICKS = (
    registry.names(group)
    for group in ("selector", "selector/cluster", "selector/allocate", "selector/pick")
)
N, D = 60, 8
"""Images per label, and dimensions."""

each_selector = pytest.mark.parametrize("name", SELECTORS)
each_clusterer = pytest.mark.parametrize("name", CLUSTERERS)
each_allocation = pytest.mark.parametrize("name", ALLOCATIONS)
each_pick = pytest.mark.parametrize("name", PICKS)


@dataclasses.dataclass(kw_only=True)
class Given(Embedder):
    """Stands for the embedder of a selector that wants one: the vectors are given."""

    def _embed(self, images):
        raise NotImplementedError


def make(name: str, group: str = "selector") -> Any:
    cls = registry.component_class(group, name)
    wants = {f.name for f in dataclasses.fields(cls)}
    return cls(**({"embedder": Given()} if "embedder" in wants else {}))


def pool(n: int = N) -> ImageSet:
    """Two labels of ``n`` images each, and one image that carries both."""
    total = 2 * n
    labels = np.eye(2, dtype=bool)[np.arange(total) % 2]
    labels[0] = True
    rng = np.random.default_rng(0)
    data = ImageSet(
        images=np.zeros((total, 2, 2, 1), np.uint8),
        labels=labels,
        label_names=("a", "b"),
        findings=np.eye(3, dtype=bool)[rng.integers(0, 3, total)],
        finding_names=("x", "y", "z"),
        patients=np.arange(total) // 2,
    )
    for array in (data.images, data.labels, data.findings, data.patients):
        array.setflags(write=False)
    return data


def vectors_for(selector: Selector, n: int = N, seed: int = 0) -> Floats | None:
    if selector.embedder_used() is None:
        return None
    vectors = np.random.default_rng(seed).standard_normal((2 * n, D)).astype(np.float32)
    vectors.setflags(write=False)
    return vectors


def select(selector: Selector, size: int = 20, seed: int = 0, n: int = N) -> Selection:
    return selector.select(pool(n), vectors_for(selector, n), size, np.random.default_rng(seed))


def same(one: Selection, two: Selection) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("indices", "labels", "weights")
    )


def test_known_ones_are_found() -> None:
    assert set(SELECTORS) >= {"random", "clustered"}
    assert set(CLUSTERERS) >= {"spectral"}
    assert set(ALLOCATIONS) >= {"equal"}
    assert set(PICKS) >= {"random"}


@pytest.mark.parametrize(
    ("group", "base", "name"),
    [("selector", Selector, name) for name in SELECTORS]
    + [("selector/cluster", Clusterer, name) for name in CLUSTERERS]
    + [("selector/allocate", Allocation, name) for name in ALLOCATIONS]
    + [("selector/pick", Pick, name) for name in PICKS],
)
def test_says_what_it_is(group: str, base: type[Component], name: str) -> None:
    cls = registry.component_class(group, name)
    assert issubclass(cls, base)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes
    assert pickle.loads(pickle.dumps(make(name, group))) == make(name, group)


# Selectors


@each_selector
@pytest.mark.parametrize("size", [1, 7, N])
def test_size_picks_for_each_label_that_carry_it(name: str, size: int) -> None:
    selection, data = select(make(name), size), pool()
    assert selection.labels.tolist() == [0] * size + [1] * size
    assert selection.indices.min() >= 0
    assert data.labels[selection.indices, selection.labels].all()


@each_selector
def test_no_repeats_unless_declared(name: str) -> None:
    selector = make(name)
    selection = select(selector, N)
    if not selector.repeats:
        for label in (0, 1):
            assert len(np.unique(selection.indices[selection.labels == label])) == N


@each_selector
def test_more_than_there_are(name: str) -> None:
    selector = make(name)
    if selector.repeats:
        assert len(select(selector, 3 * N)) == 6 * N
    else:
        # Label a has N images and comes first; b has one more, which carries both.
        with pytest.raises(ContractError, match=rf"size must be at most {N}, .* got {3 * N}"):
            select(selector, 3 * N)


@each_selector
def test_size_0(name: str) -> None:
    with pytest.raises(ContractError, match="size must be at least 1, got 0"):
        select(make(name), 0)


@each_selector
def test_same_seed_same_selection(name: str) -> None:
    assert same(select(make(name), seed=3), select(make(name), seed=3))


@each_selector
def test_global_random_state_is_neither_used_nor_moved(name: str) -> None:
    np.random.seed(1)
    first, state = select(make(name)), np.random.get_state()[1].copy()
    np.random.seed(2)
    other = np.random.get_state()[1].copy()
    second = select(make(name))
    assert same(first, second)
    assert np.array_equal(np.random.get_state()[1], other)
    np.random.seed(1)
    assert np.array_equal(np.random.get_state()[1], state)


@each_selector
def test_smaller_is_a_prefix_if_declared(name: str) -> None:
    selector = make(name)
    large = select(selector, 30)
    for size in (1, 10, 17):
        small = select(selector, size)
        prefix = all(
            np.array_equal(
                small.indices[small.labels == label], large.indices[large.labels == label][:size]
            )
            for label in (0, 1)
        )
        assert prefix or not selector.nested


@each_selector
def test_a_label_does_not_depend_on_the_others_images(name: str) -> None:
    selector = make(name)
    data, vectors = pool(), vectors_for(selector)
    # Without label b's last 20 images, label a's picks stay what they were.
    kept = np.setdiff1d(np.arange(2 * N), np.arange(2 * N)[1::2][-20:])
    less = data.take(kept)
    fewer = None if vectors is None else vectors[kept]
    one = selector.select(data, vectors, 9, np.random.default_rng(0))
    two = selector.select(less, fewer, 9, np.random.default_rng(0))
    assert np.array_equal(one.indices[:9], kept[two.indices[:9]])


@each_selector
def test_pixels_are_not_looked_at(name: str) -> None:
    selector = make(name)
    data = pool()
    other = dataclasses.replace(data, images=np.full_like(data.images, 9))
    one, two = (
        selector.select(d, vectors_for(selector), 9, np.random.default_rng(0))
        for d in (data, other)
    )
    assert same(one, two)


@each_selector
@pytest.mark.parametrize("kind", ["constant", "zero", "copies"])
def test_degenerate_vectors_work_or_are_explained(name: str, kind: str) -> None:
    selector = make(name)
    vectors = vectors_for(selector)
    if vectors is not None:
        vectors = {
            "constant": np.ones_like(vectors),
            "zero": np.zeros_like(vectors),
            "copies": np.repeat(vectors[::4], 4, axis=0),
        }[kind]
    try:
        selection = selector.select(pool(), vectors, 12, np.random.default_rng(0))
    except TgapError as error:
        assert len(str(error)) > 40  # noqa: PT017
    else:
        assert len(selection) == 24


@each_selector
def test_one_image_per_label_works_or_is_explained(name: str) -> None:
    try:
        assert len(select(make(name), 1, n=1)) == 2
    except TgapError as error:
        assert len(str(error)) > 40  # noqa: PT017


@each_selector
def test_notes_are_json(name: str) -> None:
    import json

    selection = select(make(name))
    assert json.loads(json.dumps(dict(selection.notes))) == dict(selection.notes)
    assert list(selection.notes) == ["a", "b"]


@each_selector
def test_call_leaves_the_instance(name: str) -> None:
    selector = make(name)
    before = dataclasses.asdict(selector)
    select(selector)
    assert dataclasses.asdict(selector) == before


# Parts


def candidates(n: int = 40, seed: int = 0) -> Candidates:
    rng = np.random.default_rng(seed)
    made = Candidates(
        rng.standard_normal((n, D)).astype(np.float32),
        np.eye(3, dtype=bool)[rng.integers(0, 3, n)],
        np.arange(n) // 2,
    )
    for array in (made.vectors, made.findings, made.patients):
        array.setflags(write=False)
    return made


@each_clusterer
def test_clusters_are_numbered_without_gaps_and_repeat_with_the_seed(name: str) -> None:
    clusterer = make(name, "selector/cluster")
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    one, two = (clusterer.cluster(candidates(), np.random.default_rng(2)) for _ in range(2))
    assert np.array_equal(one.labels, two.labels)
    assert np.bincount(one.labels).min() >= 1
    assert np.array_equal(np.random.get_state()[1], state)


@each_clusterer
def test_clusterer_that_declares_no_vectors_works_without(name: str) -> None:
    clusterer = make(name, "selector/cluster")
    bare = dataclasses.replace(candidates(), vectors=None)
    if clusterer.uses_vectors:
        with pytest.raises(ContractError, match="give the selector an embedder"):
            clusterer.cluster(bare, np.random.default_rng(0))
    else:
        assert len(clusterer.cluster(bare, np.random.default_rng(0)).labels) == 40


@each_allocation
@pytest.mark.parametrize("sizes", [[5], [1, 1], [9, 2, 30], [4] * 10])
def test_turns_of_fewer_picks_are_a_prefix(name: str, sizes: list[int]) -> None:
    allocation, counts = make(name, "selector/allocate"), np.array(sizes)
    most = int(counts.sum())  # that many can be had of any allocation, without repeats
    turns = allocation.allocate(counts, most)
    for size in range(1, most):
        assert np.array_equal(allocation.allocate(counts, size), turns[:size])


@each_pick
@pytest.mark.parametrize("m", [1, 2, 13])
def test_picks_of_a_smaller_quota_are_a_prefix(name: str, m: int) -> None:
    pick = make(name, "selector/pick")
    most = pick.pick(candidates(m), 3 * m, np.random.default_rng(0))
    assert sorted(most[:m].tolist()) == list(range(m))
    for quota in range(1, 3 * m):
        fewer = pick.pick(candidates(m), quota, np.random.default_rng(0))
        assert np.array_equal(fewer, most[:quota])


@each_pick
def test_pick_leaves_global_random_state(name: str) -> None:
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    make(name, "selector/pick").pick(candidates(), 90, np.random.default_rng(0))
    assert np.array_equal(np.random.get_state()[1], state)
