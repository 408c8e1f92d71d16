from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selectors.conftest import candidates, pool
from tgap.core import ConfigError, ContractError, DataError, ImageSet
from tgap.embedders.base import Embedder
from tgap.selectors.allocations.base import Allocation
from tgap.selectors.allocations.equal import Equal
from tgap.selectors.allocations.water_filling import WaterFilling
from tgap.selectors.base import Candidates
from tgap.selectors.clustered import Clustered
from tgap.selectors.clusterers.base import Clusterer, Clusters
from tgap.selectors.clusterers.spectral import Spectral
from tgap.selectors.picks.base import Pick
from tgap.selectors.picks.random import Random


@dataclass(kw_only=True)
class Mean(Embedder):
    def _embed(self, images):
        return images.reshape(len(images), -1).mean(axis=1, keepdims=True).astype(np.float32)


@dataclass(kw_only=True)
class ByFinding(Clusterer):
    """The first finding that holds; a cluster whose answer is known beforehand."""

    uses_vectors: ClassVar[bool] = False

    def _cluster(self, candidates, rng):
        return Clusters(
            candidates.findings.argmax(axis=1).astype(np.int64), notes={"by": "finding"}
        )


def by_finding() -> Clustered:
    return Clustered(cluster=ByFinding())


def in_clusters(sizes: list[int]) -> Candidates:
    findings = np.eye(len(sizes), dtype=bool)[np.repeat(np.arange(len(sizes)), sizes)]
    return candidates(findings=np.random.default_rng(0).permutation(findings))


def pool_and_vectors(n: int = 60, d: int = 8) -> tuple[ImageSet, np.ndarray]:
    vectors = np.random.default_rng(1).standard_normal((n, d)).astype(np.float32)
    return pool(list(range(n))), vectors


cluster_sizes = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@settings(max_examples=80)
@given(sizes=cluster_sizes, size=st.integers(1, 80), seed=st.integers(0, 99))
def test_picks_against_a_count_by_hand(sizes: list[int], size: int, seed: int) -> None:
    group = in_clusters(sizes)
    picks = by_finding()._select(group, size, np.random.default_rng(seed))
    cluster = group.findings.argmax(axis=1)[picks.positions]
    quotas = np.bincount(cluster, minlength=len(sizes))
    # size // k or one more, the larger clusters first
    big_first = sorted(range(len(sizes)), key=lambda c: (-sizes[c], c))
    for place, c in enumerate(big_first):
        assert quotas[c] == size // len(sizes) + (place < size % len(sizes))
    # within a cluster, nothing is repeated before all of it is used
    for c, quota in enumerate(quotas):
        mine = picks.positions[cluster == c]
        assert len(set(mine[: sizes[c]].tolist())) == min(quota, sizes[c])
        assert np.array_equal(mine[sizes[c] :], mine[: -sizes[c]])  # then the same again
    # clusters take turns
    assert cluster.tolist() == [big_first[i % len(sizes)] for i in range(size)]
    assert picks.notes == {
        "by": "finding",
        "cluster_sizes": sizes,
        "quotas": quotas.tolist(),
        "repeats": sum(max(0, int(q) - s) for q, s in zip(quotas, sizes, strict=True)),
    }


@settings(max_examples=60)
@given(sizes=cluster_sizes, one=st.integers(1, 60), two=st.integers(1, 60))
def test_smaller_is_a_prefix_of_larger(sizes: list[int], one: int, two: int) -> None:
    small, large = sorted((one, two))
    first, second = (
        by_finding()._select(in_clusters(sizes), size, np.random.default_rng(4)).positions
        for size in (small, large)
    )
    assert np.array_equal(first, second[:small])


def test_a_clusters_picks_do_not_depend_on_other_clusters_sizes() -> None:
    def of_cluster_0(sizes: list[int], size: int) -> np.ndarray:
        findings = np.eye(2, dtype=bool)[np.repeat([0, 1], sizes)]
        group = candidates(findings=findings)
        positions = by_finding()._select(group, size, np.random.default_rng(0)).positions
        return positions[positions < sizes[0]]

    assert np.array_equal(of_cluster_0([9, 3], 8), of_cluster_0([9, 8], 8))


def test_the_default_is_the_thesis() -> None:
    selector = Clustered(embedder=Mean())
    assert (selector.cluster, selector.allocate, selector.pick) == (Spectral(), Equal(), Random())
    assert selector.cluster.n_clusters == 10
    assert selector.embedder_used() == Mean()


def test_selection_of_a_pool() -> None:
    images, vectors = pool_and_vectors()
    selector = Clustered(cluster=Spectral(n_clusters=4), embedder=Mean())
    vectors.setflags(write=False)
    selection = selector.select(images, vectors, [40, 40], np.random.default_rng(0))
    again = selector.select(images, vectors, [40, 40], np.random.default_rng(0))
    assert np.array_equal(selection.indices, again.indices)
    for label, name in enumerate(images.label_names):
        notes = selection.notes[name]
        assert images.labels[selection.indices[selection.labels == label], label].all()
        assert sum(notes["cluster_sizes"]) == notes["candidates"] == 30
        assert notes["quotas"] == [10] * 4
        assert notes["components"] >= 1
        assert notes["repeats"] == sum(max(0, 10 - s) for s in notes["cluster_sizes"]) >= 10


def test_findings_and_patients_are_not_looked_at_by_the_default() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 5)).astype(np.float32)
    plain = candidates(vectors)
    other = Candidates(vectors, rng.random((40, 3)) < 0.5, np.zeros(40, np.int64))
    selector = Clustered(embedder=Mean())
    one, two = (selector._select(c, 25, np.random.default_rng(1)) for c in (plain, other))
    assert np.array_equal(one.positions, two.positions)


def test_order_of_the_pool_only_renames_when_clusters_are_clear() -> None:
    rng = np.random.default_rng(2)
    vectors = np.repeat(np.eye(3, 6), [9, 8, 7], axis=0) + 0.05 * rng.standard_normal((24, 6))
    group = candidates(vectors)
    order = rng.permutation(24)
    moved = Candidates(group.vectors[order], group.findings, group.patients)
    selector = Clustered(cluster=Spectral(n_clusters=3, n_neighbors=4), embedder=Mean())
    # As many picks as make every cluster complete: the sets must then be equal.
    one = selector._select(group, 27, np.random.default_rng(0))
    two = selector._select(moved, 27, np.random.default_rng(0))
    assert set(one.positions.tolist()) == set(range(24))
    assert set(order[two.positions].tolist()) == set(range(24))
    assert sorted(one.notes["cluster_sizes"]) == sorted(two.notes["cluster_sizes"]) == [7, 8, 9]


def test_identity_holds_the_parts() -> None:
    ten, twenty = (Clustered(cluster=Spectral(n_clusters=k), embedder=Mean()) for k in (10, 20))
    assert ten.identity()["cluster"]["n_clusters"] == 10
    assert ten.identity() != twenty.identity()
    assert ten.identity()["pick"]["class"] == "tgap.selectors.picks.random.Random"


def test_embedder_is_missed_when_a_part_wants_vectors() -> None:
    with pytest.raises(ConfigError) as caught:
        Clustered()
    assert str(caught.value) == "embedder must be set, because spectral works on vectors"
    assert by_finding().embedder_used() is None


def test_too_few_images_for_the_clusters() -> None:
    images, vectors = pool_and_vectors(n=12)
    with pytest.raises(DataError, match="n_clusters must be at most 6"):
        Clustered(embedder=Mean()).select(images, vectors, [4, 4], np.random.default_rng(0))


def test_embedder_is_not_used_when_no_part_works_on_vectors() -> None:
    assert Clustered(cluster=ByFinding(), embedder=Mean()).embedder_used() is None


@pytest.mark.parametrize(("allocate", "most"), [(Equal(), None), (WaterFilling(max_repeats=3), 36)])
def test_capacity_is_the_allocations(allocate: Allocation, most: int | None) -> None:
    assert Clustered(cluster=ByFinding(), allocate=allocate).capacity(12) == most


# A part that breaks its contract is named, and told what it should have done.


@dataclass(kw_only=True)
class Wrong(Clusterer, Allocation, Pick):
    answer: object = None
    uses_vectors: ClassVar[bool] = False

    def _cluster(self, candidates, rng):
        return Clusters(self.answer)

    def _allocate(self, cluster_sizes, size):
        return self.answer

    def _order(self, members, count, rng):
        return self.answer


def array(*values: int, dtype: type = np.int64) -> np.ndarray:
    return np.array(values, dtype=dtype)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (array(0, 1), r"must return \(3,\) int64 labels, got \(2,\) int64"),
        (array(0, 0, 1, dtype=np.int32), r"must return \(3,\) int64 labels, got \(3,\) int32"),
        (array(0, 0, 2), r"leave none empty, got the numbers \[0, 2\]"),
        (array(-1, 0, 1), r"must return labels in \[0, 3\), got -1..1"),
    ],
)
def test_wrong_clusters(answer: np.ndarray, text: str) -> None:
    with pytest.raises(ContractError, match=text):
        Wrong(answer=answer).cluster(candidates(n=3), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (array(0, 1), r"must return \(3,\) int64 turns, got \(2,\) int64"),
        (array(0, 1, 2), r"must return turns in \[0, 2\), got 0..2"),
        (array(0, -1, 1), r"must return turns in \[0, 2\), got -1..1"),
    ],
)
def test_wrong_turns(answer: np.ndarray, text: str) -> None:
    with pytest.raises(ContractError, match=text):
        Wrong(answer=answer).allocate(array(5, 5), 3)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (array(0, 1), r"must return \(3,\) int64 positions, got \(2,\) int64"),
        (array(0, 1, 4), r"must return positions in \[0, 4\), got 0..4"),
        (array(0, 1, 0), "repeated an image before all were used up"),
    ],
)
def test_wrong_picks(answer: np.ndarray, text: str) -> None:
    with pytest.raises(ContractError, match=text):
        Wrong(answer=answer).pick(candidates(n=4), 3, np.random.default_rng(0))


@dataclass(kw_only=True)
class WantsVectors(Pick):
    uses_vectors: ClassVar[bool] = True

    def _order(self, members, count, rng):
        return np.arange(count)


def test_pick_that_wants_vectors() -> None:
    with pytest.raises(ContractError, match="wants_vectors works on vectors"):
        WantsVectors().pick(candidates(n=4), 3, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="because spectral and wants_vectors work on vectors"):
        Clustered(pick=WantsVectors())
