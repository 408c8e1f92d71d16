from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import tgap
from tests.selectors.conftest import candidates, of_label, pool, select
from tgap.core import ConfigError, ContractError, DataError, ImageSet
from tgap.selectors.allocations.equal import Equal
from tgap.selectors.allocations.proportional import Proportional
from tgap.selectors.allocations.temperature import Temperature
from tgap.selectors.allocations.water_filling import WaterFilling
from tgap.selectors.base import Candidates, Picks, Selector
from tgap.selectors.clustered import Clustered
from tgap.selectors.clusterers.findings import Findings
from tgap.selectors.clusterers.kmeans import Kmeans
from tgap.selectors.clusterers.spectral import Spectral
from tgap.selectors.random import Random
from tgap.selectors.whole import Whole

# Sizes


def test_each_label_has_its_own_size() -> None:
    selection = select(Random(), pool([0] * 20), [3, 7])
    assert selection.labels.tolist() == [0] * 3 + [1] * 7
    assert of_label(selection, 1) == of_label(select(Random(), pool([0] * 20), [9, 7]), 1)


def test_a_label_with_size_0_gets_none_and_moves_no_other() -> None:
    one, both = (select(Random(), pool([0] * 20), sizes) for sizes in ([0, 4], [5, 4]))
    assert one.labels.tolist() == [1] * 4
    assert of_label(one, 1) == of_label(both, 1)
    assert one.notes == {"a": {}, "b": {"candidates": 10}}


def test_a_label_without_images_may_have_size_0() -> None:
    data = pool([0] * 4, [[True, False]] * 4)
    assert select(Random(), data, [2, 0]).labels.tolist() == [0, 0]
    with pytest.raises(ContractError, match="the pool has no image of label 'b'; raise pool_size"):
        select(Random(), data, [2, 1])


@pytest.mark.parametrize("sizes", [[0, 0], [3, -1], [3], [1, 2, 3], []])
def test_sizes_that_do_not_fit(sizes: list[int]) -> None:
    with pytest.raises(ContractError) as caught:
        select(Random(), pool([0] * 9), sizes)
    assert str(caught.value) == (
        "sizes must be a number of images, at least 0, for each label (a, b), and not 0 for all, "
        f"got {sizes}"
    )


def test_too_large_a_size_says_what_there_is() -> None:
    with pytest.raises(ContractError) as caught:
        select(Random(max_per_patient=2), pool([0] * 10 + [1] * 10), [1, 5])
    assert str(caught.value) == (
        "size must be at most 4, got 5: that is what selector 'random' can pick from the pool's 4 "
        "candidates of label 'b'; choose a smaller size, a larger pool_size, or a selector that "
        "repeats"
    )


@pytest.mark.parametrize(
    "vectors", [np.zeros((9, 2), np.float32), np.zeros((10, 2)), np.zeros(10, np.float32)]
)
def test_vectors_that_do_not_fit(vectors: np.ndarray) -> None:
    with pytest.raises(ContractError, match=r"vectors must be \(10, d\) float32, a row for each"):
        Random().select(pool([0] * 10), vectors, [1, 1], np.random.default_rng(0))


# Patients

many_patients = st.lists(st.integers(0, 6), min_size=4, max_size=60)


@given(patients=many_patients, cap=st.integers(1, 5), seed=st.integers(0, 99))
def test_no_patient_has_more_different_images_than_the_cap(patients, cap, seed) -> None:
    data, selector = pool(patients), Whole(max_per_patient=cap)
    selection = select(selector, data, [1, 1], seed)
    for label in (0, 1):
        carriers = [
            p for p, carried in zip(patients, data.labels[:, label], strict=True) if carried
        ]
        chosen = of_label(selection, label)
        assert chosen == sorted(set(chosen))
        assert {p: [patients[i] for i in chosen].count(p) for p in carriers} == {
            p: min(cap, carriers.count(p)) for p in carriers
        }
        assert selector.candidate_counts(data.labels, data.patients)[label] == len(chosen)


@given(patients=many_patients, cap=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_smaller_cap_keeps_a_part_of_what_a_larger_one_keeps(patients, cap, seed) -> None:
    few, more = (
        set(select(Whole(max_per_patient=c), pool(patients), [1, 1], seed).indices.tolist())
        for c in (cap, cap + 1)
    )
    assert few <= more


@given(patients=many_patients, seed=st.integers(0, 99))
def test_a_cap_that_drops_nothing_changes_nothing(patients, seed) -> None:
    bound, free = (
        select(Random(max_per_patient=cap), pool(patients), [2, 2], seed) for cap in (60, None)
    )
    assert np.array_equal(bound.indices, free.indices)


def test_counts_without_a_cap_are_the_labels_images() -> None:
    data = pool([0] * 7, [[True, False]] * 3 + [[True, True]] * 4)
    assert Random().candidate_counts(data.labels, data.patients) == [7, 4]
    assert Random(max_per_patient=2).candidate_counts(data.labels, data.patients) == [2, 2]


def test_each_image_of_a_patient_is_equally_likely_to_stay() -> None:
    data = pool([0] * 6 + [1], [[True]] * 7)
    counts = np.zeros(7, np.int64)
    for seed in range(600):
        counts[select(Whole(max_per_patient=2), data, [1], seed).indices] += 1
    assert counts[6] == 600
    assert stats.chisquare(counts[:6]).pvalue > 0.001


def test_repeats_of_an_image_are_not_the_patient_caps_matter() -> None:
    findings = np.ones((10, 1), bool)
    repeating = Clustered(cluster=Findings(), max_per_patient=1)
    selection = select(repeating, pool([0] * 10, findings=findings), [4, 4])
    assert len(set(of_label(selection, 0))) == len(set(of_label(selection, 1))) == 1


def test_prefix_holds_under_a_cap() -> None:
    data = pool([i // 6 for i in range(60)])
    small, large = (select(Random(max_per_patient=2), data, [s, s]) for s in (5, 15))
    assert of_label(small, 1) == of_label(large, 1)[:5]


@pytest.mark.parametrize(
    ("part", "fields", "text"),
    [
        (Random, {"max_per_patient": 0}, "max_per_patient must be at least 1, got 0"),
        (WaterFilling, {"max_repeats": 0}, "max_repeats must be at least 1, got 0"),
        (Temperature, {"temperature": 0.0}, "temperature must be at least 0.1, got 0.0"),
        (Kmeans, {"n_clusters": 1}, "n_clusters must be at least 2, got 1"),
        (Kmeans, {"n_init": 0}, "n_init must be at least 1, got 0"),
        (Spectral, {"n_clusters": 1}, "n_clusters must be at least 2, got 1"),
        (Spectral, {"n_neighbors": 1}, "n_neighbors must be at least 2, got 1"),
        (Spectral, {"affinity": "cosine"}, "affinity must be one of knn, rbf, got 'cosine'"),
        (Spectral, {"gamma": 0.0}, "gamma must be above 0, got 0.0"),
    ],
)
def test_fields_out_of_range(part, fields: dict, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        part(**fields)
    assert str(caught.value) == text


# Random


def test_random_is_a_prefix_of_the_generators_permutation() -> None:
    picks = Random()._select(candidates(n=30), 12, np.random.default_rng(5))
    assert np.array_equal(picks.positions, np.random.default_rng(5).permutation(30)[:12])
    assert Random().embedder_used() is None


def test_only_the_number_of_images_counts_for_random() -> None:
    findings = np.random.default_rng(0).random((20, 4)) < 0.5
    other = Candidates(np.ones((20, 3), np.float32), findings, np.zeros(20, np.int64))
    one, two = (
        Random()._select(group, 9, np.random.default_rng(1)) for group in (candidates(n=20), other)
    )
    assert np.array_equal(one.positions, two.positions)


# Whole


@pytest.mark.parametrize("sizes", [[1, 1], [999, 0], []])
def test_whole_takes_all_in_order_whatever_size_is_asked_for(sizes: list[int]) -> None:
    selection = select(Whole(), pool([0] * 9), sizes)
    assert selection.indices.tolist() == [0, 2, 4, 6, 8, 1, 3, 5, 7]
    assert selection.labels.tolist() == [0] * 5 + [1] * 4
    assert not Whole().sized


# A subclass that breaks its contract is named, and told what it should have done.


@dataclass(kw_only=True)
class Given(Selector):
    answer: object = None

    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        return Picks(np.array(self.answer))


@dataclass(kw_only=True)
class Twice(Given):
    def capacity(self, images: int) -> int | None:
        return 2 * images - 1


@dataclass(kw_only=True)
class Unsized(Given):
    sized: ClassVar[bool] = False


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (Given(answer=[0, 1]), r"given must return \(3,\) int64 positions, got \(2,\) int64"),
        (Given(answer=[0.0, 1.0, 2.0]), r"must return \(3,\) int64 .* got \(3,\) float64"),
        (Given(answer=[0, 1, 5]), r"must return positions in \[0, 5\), got 0..5"),
        (Given(answer=[-1, 1, 2]), r"must return positions in \[0, 5\), got -1..2"),
        (Given(answer=[1, 0, 1]), r"picked an image 2 times, .* 5 picks from 5 images allows 1"),
        (Twice(answer=[1, 1, 1]), r"picked an image 3 times, .* 9 picks from 5 images allows 2"),
        (Unsized(answer=[]), r"unsized must return \(1,\) int64 positions, got \(0,\) float64"),
    ],
)
def test_wrong_answers(selector: Selector, text: str) -> None:
    with pytest.raises(ContractError, match=text):
        select(selector, pool([0] * 10), [3, 3])


def test_repeats_within_the_capacity_are_taken() -> None:
    assert of_label(select(Twice(answer=[1, 1, 2]), pool([0] * 10), [3, 3]), 0) == [2, 2, 4]


@dataclass(kw_only=True)
class Weighing(Selector):
    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        return Picks(np.arange(size), np.linspace(0.5, 1, size))


def test_weights_of_picks_are_kept() -> None:
    assert select(Weighing(), pool([0] * 10), [2, 3]).weights.tolist() == [0.5, 1, 0.5, 0.75, 1]
    assert select(Random(), pool([0] * 10), [2, 3]).weights.tolist() == [1] * 5


# Sub-classes


def with_findings(rng: np.random.Generator, n: int = 120) -> ImageSet:
    findings = rng.random((n, 3)) < [0.5, 0.2, 0.05]
    findings[:2, 2] = True
    return pool(list(range(n)), findings=findings)


@pytest.mark.parametrize("seed", range(4))
def test_stratified_keeps_the_shares_of_the_pool(seed: int) -> None:
    data = with_findings(np.random.default_rng(seed))
    selector = Clustered(cluster=Findings(), allocate=Proportional())
    selection = select(selector, data, [30, 30])
    assert len(np.unique(selection.indices)) == 60
    for notes in selection.notes.values():
        shares = [30 * size / 60 for size in notes["cluster_sizes"]]
        assert np.abs(np.subtract(notes["quotas"], shares)).max() < 1
        assert notes["repeats"] == 0


def test_rare_findings_are_repeated_up_to_the_cap() -> None:
    data = with_findings(np.random.default_rng(0))
    capped = Clustered(cluster=Findings(), allocate=WaterFilling(max_repeats=2))
    selection = select(capped, data, [40, 40])
    assert np.bincount(of_label(selection, 0)).max() == 2
    free = select(Clustered(cluster=Findings(), allocate=Equal()), data, [60, 60])
    assert np.bincount(of_label(free, 0)).max() > 2
    assert free.notes["a"]["quotas"] == [15, 15, 15, 15]
    with pytest.raises(ContractError, match=r"size must be at most 120, got 121: .* 60 candidates"):
        select(capped, data, [121, 121])


def test_findings_of_a_dataset_that_has_none() -> None:
    with pytest.raises(DataError, match="needs a dataset that knows findings"):
        select(Clustered(cluster=Findings()), pool([0] * 10), [1, 1])


# Presets

PARTS = {
    "pixel_spectral": ("spectral", "equal", "pixels"),
    "pixel_kmeans": ("kmeans", "equal", "pixels"),
    "clip_spectral": ("spectral", "equal", "clip"),
    "clip_kmeans": ("kmeans", "equal", "clip"),
    "subclass": ("findings", "equal", None),
    "stratified": ("findings", "proportional", None),
}


@pytest.mark.parametrize("preset", PARTS)
def test_presets_are_made_of_parts(preset: str) -> None:
    selector = tgap.compose(f"selector={preset}").selector
    assert isinstance(selector, Clustered)
    cluster, allocate, embedder = PARTS[preset]
    assert (selector.cluster.stem(), selector.allocate.stem()) == (cluster, allocate)
    assert selector.pick.stem() == "random"
    assert (selector.embedder and selector.embedder.stem()) == embedder
    assert selector.title() == preset


def test_parts_of_a_preset_are_exchanged_from_the_command_line() -> None:
    selector = tgap.compose(
        "selector=clip_kmeans",
        "selector/cluster=findings",
        "selector/allocate=water_filling",
        "selector/pick=farthest_first",
        "selector.allocate.max_repeats=3",
        "selector.max_per_patient=2",
    ).selector
    assert isinstance(selector, Clustered)
    assert selector.cluster == Findings()
    assert selector.allocate == WaterFilling(max_repeats=3)
    assert selector.pick.stem() == "farthest_first"
    assert selector.max_per_patient == 2


def test_a_pick_that_needs_vectors_asks_for_an_embedder() -> None:
    with pytest.raises(ConfigError, match="embedder must be set, because closest works on vectors"):
        tgap.compose("selector=subclass", "selector/pick=closest")
    with_one = tgap.compose("selector=subclass", "selector/pick=closest", "selector/embedder=clip")
    assert with_one.selector.embedder_used() is not None
