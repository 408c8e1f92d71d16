"""What every selector and every part of one must keep, whichever it is."""

import dataclasses
import itertools
import json
import pickle
from typing import Any

import numpy as np
import pytest

from tgap.composition import registry
from tgap.core import Component, ContractError, Floats, ImageSet, Selection, TgapError
from tgap.embedders.base import Embedder
from tgap.selectors.allocations.base import Allocation
from tgap.selectors.base import Candidates, Picks, Selector
from tgap.selectors.clustered import Clustered
from tgap.selectors.clusterers.base import Clusterer
from tgap.selectors.picks.base import Pick

SELECTORS, CLUSTERERS, ALLOCATIONS, PICKS = (
    registry.names(group)
    for group in ("selector", "selector/cluster", "selector/allocate", "selector/pick")
)
N, D = 60, 8
"""Images per label, and dimensions."""

COMBINATIONS = ["+".join(parts) for parts in itertools.product(CLUSTERERS, ALLOCATIONS, PICKS)]
"""Clustered with each clusterer, allocation and pick, e.g. ``findings+equal+random``."""

each_selector = pytest.mark.parametrize("name", SELECTORS)
each_combination = pytest.mark.parametrize("name", COMBINATIONS)
each_of_both = pytest.mark.parametrize("name", SELECTORS + COMBINATIONS)
each_clusterer = pytest.mark.parametrize("name", CLUSTERERS)
each_allocation = pytest.mark.parametrize("name", ALLOCATIONS)
each_pick = pytest.mark.parametrize("name", PICKS)


@dataclasses.dataclass(kw_only=True)
class Given(Embedder):
    """Stands for the embedder of a selector that wants one: the vectors are given."""

    def _embed(self, images, features):
        raise NotImplementedError


def quick(clusterer: Clusterer) -> Clusterer:
    """With one start of k-means instead of ten."""
    if any(f.name == "n_init" for f in dataclasses.fields(clusterer)):
        return dataclasses.replace(clusterer, n_init=1)
    return clusterer


def make(name: str, group: str = "selector") -> Any:
    if "+" in name:
        cluster, allocate, pick = name.split("+")
        return Clustered(
            cluster=quick(make(cluster, "selector/cluster")),
            allocate=make(allocate, "selector/allocate"),
            pick=make(pick, "selector/pick"),
            embedder=Given(),
        )
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
        patients=np.arange(total) // 6,
        metadata={"age": np.linspace(20, 80, total)},
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
    rng = np.random.default_rng(seed)
    return selector.select(pool(n), vectors_for(selector, n), [size, size], rng)


def same(one: Selection, two: Selection) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("indices", "labels", "weights")
    )


def test_known_ones_are_found() -> None:
    assert set(SELECTORS) >= {"random", "clustered", "whole"}
    assert set(CLUSTERERS) >= {"spectral", "kmeans", "findings"}
    assert set(ALLOCATIONS) >= {"equal", "water_filling", "proportional", "temperature"}
    assert set(PICKS) >= {"random", "closest", "farthest_first"}
    assert len(COMBINATIONS) >= 3 * 4 * 3


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


def taken(selector: Selector, size: int, n: int = N) -> list[int]:
    """Picks of each label: label b has an image more, which carries both."""
    return [size, size] if selector.sized else [n, n + 1]


@each_selector
@pytest.mark.parametrize("size", [1, 7, N])
def test_size_picks_for_each_label_that_carry_it(name: str, size: int) -> None:
    selector, data = make(name), pool()
    selection = select(selector, size)
    assert np.bincount(selection.labels).tolist() == taken(selector, size)
    assert selection.indices.min() >= 0
    assert data.labels[selection.indices, selection.labels].all()


@each_selector
def test_a_label_with_size_0_moves_no_other(name: str) -> None:
    selector = make(name)
    rng = np.random.default_rng(0)
    one = selector.select(pool(), vectors_for(selector), [0, 9], rng)
    both = select(selector, 9)
    assert np.array_equal(one.indices[one.labels == 1], both.indices[both.labels == 1])
    assert (one.labels == 0).sum() == (0 if selector.sized else taken(selector, 9)[0])


@each_of_both
@pytest.mark.parametrize("size", [N, 3 * N])
def test_no_image_is_repeated_beyond_the_capacity(name: str, size: int) -> None:
    selector = make(name)
    most = [selector.capacity(n) for n in (N, N + 1)]
    if selector.sized and most[0] is not None and size > most[0]:
        with pytest.raises(ContractError, match=rf"size must be at most {most[0]}, got {size}"):
            select(selector, size)
        return
    selection = select(selector, size)
    assert np.bincount(selection.labels).tolist() == taken(selector, size)
    for label in (0, 1):
        often = np.bincount(selection.indices[selection.labels == label]).max()
        assert most[label] is None or often <= -(-most[label] // (N + label))


@each_of_both
def test_all_that_capacity_promises_can_be_had(name: str) -> None:
    selector = make(name)
    most = selector.capacity(N)
    assert most is None or len(select(selector, most)) == sum(taken(selector, most))
    assert selector.capacity(2 * N) is most is None or selector.capacity(2 * N) > most


@each_of_both
def test_no_patient_has_more_images_than_its_cap(name: str) -> None:
    selector = dataclasses.replace(make(name), max_per_patient=1)
    data = pool(240)
    counts = selector.candidate_counts(data.labels, data.patients)
    assert counts == [80, 80]  # six images of a patient, three of each label
    selection = select(selector, 40, n=240)
    for label in (0, 1):
        chosen = np.unique(selection.indices[selection.labels == label])
        assert np.bincount(data.patients[chosen]).max() == 1
        assert selection.notes["ab"[label]]["candidates"] == counts[label]


@each_selector
def test_a_cap_that_drops_nothing_changes_nothing(name: str) -> None:
    selector = make(name)
    assert same(select(selector), select(dataclasses.replace(selector, max_per_patient=4)))


@each_selector
def test_all_sizes_0(name: str) -> None:
    selector = make(name)
    if selector.sized:
        with pytest.raises(ContractError, match=r"sizes must be .* not 0 for all, got \[0, 0\]"):
            select(selector, 0)
    else:
        assert len(select(selector, 0)) == 2 * N + 1


@each_of_both
def test_same_seed_same_selection_whatever_the_global_random_state(name: str) -> None:
    np.random.seed(1)
    first, state = select(make(name)), np.random.get_state()[1].copy()
    np.random.seed(2)
    other = np.random.get_state()[1].copy()
    second = select(make(name))
    assert same(first, second)
    assert np.array_equal(np.random.get_state()[1], other)
    np.random.seed(1)
    assert np.array_equal(np.random.get_state()[1], state)


@each_of_both
def test_smaller_is_a_prefix_if_declared(name: str) -> None:
    selector = make(name)
    if not selector.sized:
        assert same(select(selector, 1), select(selector, 30))
        return
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
    one = selector.select(data, vectors, [9, 9], np.random.default_rng(0))
    two = selector.select(less, fewer, [9, 9], np.random.default_rng(0))
    assert np.array_equal(one.indices[one.labels == 0], kept[two.indices[two.labels == 0]])


@each_selector
def test_pixels_and_metadata_are_not_looked_at(name: str) -> None:
    selector = make(name)
    data = pool()
    other = dataclasses.replace(
        data,
        images=np.full_like(data.images, 9),
        metadata={"age": data.metadata["age"][::-1]},
        official_test=np.arange(2 * N) % 3 == 0,
    )
    one, two = (
        selector.select(d, vectors_for(selector), [9, 9], np.random.default_rng(0))
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
        selection = selector.select(pool(), vectors, [12, 12], np.random.default_rng(0))
    except TgapError as error:
        assert len(str(error)) > 40  # noqa: PT017
        assert vectors is not None
    else:
        assert len(selection) == sum(taken(selector, 12))


@each_selector
def test_one_image_per_label_works_or_is_explained(name: str) -> None:
    try:
        selector = make(name)
        assert len(select(selector, 1, n=1)) == sum(taken(selector, 1, n=1))
    except TgapError as error:
        assert len(str(error)) > 40  # noqa: PT017


@each_selector
def test_notes_are_json(name: str) -> None:
    selection = select(make(name))
    assert json.loads(json.dumps(dict(selection.notes))) == dict(selection.notes)
    assert list(selection.notes) == ["a", "b"]


@each_selector
def test_call_leaves_the_instance(name: str) -> None:
    selector = make(name)
    before = dataclasses.asdict(selector)
    select(selector)
    assert dataclasses.asdict(selector) == before


@each_of_both
def test_only_what_it_declares_is_looked_at(name: str) -> None:
    selector, data, rng = make(name), pool(), np.random.default_rng(5)
    others = rng.permutation(2 * N)
    # A clusterer works on the vectors or on something else; patients matter to the cap alone.
    on_findings = isinstance(selector, Clustered) and not selector.cluster.uses_vectors
    findings = data.findings if on_findings else data.findings[others]
    other = dataclasses.replace(data, findings=findings, patients=data.patients[others])
    one, two = (
        selector.select(d, vectors_for(selector), [30, 30], np.random.default_rng(0))
        for d in (data, other)
    )
    assert same(one, two)


# Combinations of parts


@each_combination
def test_vectors_do_not_move_what_works_without(name: str) -> None:
    selector = make(name)
    one, two = (
        selector.select(
            pool(),
            vectors_for(Clustered(embedder=Given()), seed=s),
            [30, 30],
            np.random.default_rng(0),
        )
        for s in (0, 1)
    )
    assert same(one, two) == (selector.embedder_used() is None)


@each_combination
def test_parts_are_reported(name: str) -> None:
    selection, data = select(make(name), 33), pool()
    for label, notes in enumerate(selection.notes.values()):
        picks = selection.indices[selection.labels == label]
        assert sum(notes["cluster_sizes"]) == notes["candidates"] == data.labels[:, label].sum()
        assert sum(notes["quotas"]) == 33
        assert notes["repeats"] == 33 - len(np.unique(picks))


@each_combination
def test_order_of_the_images_only_renames_them(name: str) -> None:
    selector = make(name)
    pick = name.split("+")[2]
    # Vectors of 10 clear clusters of different sizes, which every clusterer finds; a finding each.
    sizes = np.arange(3, 13)
    truth = np.repeat(np.arange(10), sizes)
    noise = 0.02 * np.random.default_rng(0).standard_normal((75, 12))
    group = Candidates(
        (np.eye(10, 12)[truth] + noise).astype(np.float32),
        np.eye(10, dtype=bool)[truth],
        np.arange(75),
    )
    order = np.random.default_rng(1).permutation(75)
    one, two = (
        selector._select(g, 40, np.random.default_rng(0)) for g in (group, group.take(order))
    )
    renamed = order[two.positions]
    # Whose turn it is depends on the sizes alone.
    assert truth[one.positions].tolist() == truth[renamed].tolist()
    assert one.notes["repeats"] == two.notes["repeats"]
    if pick != "random":
        assert one.positions.tolist() == renamed.tolist()


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


@each_clusterer
def test_clusterer_looks_only_at_what_it_declares(name: str) -> None:
    clusterer, group = make(name, "selector/cluster"), candidates()
    other = candidates(seed=1)
    changed = (
        dataclasses.replace(other, vectors=group.vectors)
        if clusterer.uses_vectors
        else dataclasses.replace(other, findings=group.findings)
    )
    one, two = (clusterer.cluster(c, np.random.default_rng(0)).labels for c in (group, changed))
    assert np.array_equal(one, two)


@each_allocation
def test_numbers_of_clusters_do_not_matter(name: str) -> None:
    allocation, sizes = make(name, "selector/allocate"), np.array([3, 11, 4, 26, 7])
    order = np.random.default_rng(0).permutation(5)
    turns = allocation.allocate(sizes[order], 51)
    assert np.array_equal(order[turns], allocation.allocate(sizes, 51))


@each_allocation
def test_a_larger_cluster_never_gets_less(name: str) -> None:
    allocation, sizes = make(name, "selector/allocate"), np.array([1, 3, 4, 11, 26])
    for size in range(1, 46):
        quotas = np.bincount(allocation.allocate(sizes, size), minlength=5)
        assert (np.diff(quotas) >= 0).all()


@each_pick
def test_pick_looks_only_at_what_it_declares(name: str) -> None:
    pick, group = make(name, "selector/pick"), candidates()
    other = candidates(seed=1)
    changed = dataclasses.replace(other, vectors=group.vectors) if pick.uses_vectors else other
    one, two = (pick.pick(c, 25, np.random.default_rng(0)) for c in (group, changed))
    assert np.array_equal(one, two)


@each_pick
def test_no_image_is_picked_again_before_all_others_are(name: str) -> None:
    pick = make(name, "selector/pick")
    for quota in range(1, 40):
        picks = pick.pick(candidates(13), quota, np.random.default_rng(0))
        often = np.bincount(picks, minlength=13)
        assert often.max() - often.min() <= 1


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


def test_a_selector_sees_what_else_is_known_of_its_candidates() -> None:
    class Oldest(Selector):
        def _select(self, candidates, size, rng):
            return Picks(np.argsort(-candidates.metadata["age"])[:size])

    data = pool()
    (old,) = {len(data) - 2, len(data) - 1} & set(np.flatnonzero(data.labels[:, 1]))
    selection = Oldest().select(data, None, [1, 1], np.random.default_rng(0))
    assert selection.indices.tolist() == [len(data) - 2, old]
