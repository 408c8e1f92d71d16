import logging

import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

from tests.selectors.conftest import candidates, unit
from tgap.core import DataError
from tgap.selectors.clusterers.spectral import (
    Spectral,
    joined,
    knn_graph,
    rbf_graph,
    spectral_labels,
)


def cloud(n: int, d: int = 16, seed: int = 0) -> np.ndarray:
    """One cloud in a narrow cone, as image vectors of one domain are."""
    rng = np.random.default_rng(seed)
    return unit(rng.standard_normal((n, d)) + 2 * rng.standard_normal(d)).astype(np.float32)


def blobs(sizes: list[int], d: int = 16, spread: float = 0.05, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = np.eye(d)[: len(sizes)]
    means = np.repeat(centers, sizes, axis=0)
    return unit(means + spread * rng.standard_normal((sum(sizes), d))).astype(np.float32)


def connected_blobs() -> np.ndarray:
    return blobs([100, 80, 70, 50], d=6, spread=0.35)


@pytest.mark.parametrize("vectors", [cloud(300), connected_blobs()], ids=["cloud", "blobs"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_equal_scikit_learns_on_its_own_knn_graph(vectors: np.ndarray, seed: int) -> None:
    theirs = SpectralClustering(
        8, affinity="nearest_neighbors", n_neighbors=10, random_state=seed, n_init=10
    ).fit(vectors)
    ours = spectral_labels(knn_graph(vectors, 10), 8, seed)
    assert adjusted_rand_score(theirs.labels_, ours) == 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_equal_scikit_learns_on_an_rbf_affinity(seed: int) -> None:
    weights = rbf_graph(cloud(300))
    theirs = SpectralClustering(6, affinity="precomputed", random_state=seed).fit(weights)
    assert adjusted_rand_score(theirs.labels_, spectral_labels(weights, 6, seed)) == 1.0


def test_knn_graph_equals_scikit_learns_but_for_the_diagonal() -> None:
    vectors = cloud(60)
    theirs = kneighbors_graph(vectors, 7, include_self=True).toarray()
    theirs = (theirs + theirs.T) / 2
    np.fill_diagonal(theirs, 0)
    assert np.array_equal(knn_graph(vectors, 7).toarray(), theirs)


def test_knn_graph_takes_all_where_there_are_fewer() -> None:
    graph = knn_graph(cloud(5), 50).toarray()
    assert np.array_equal(graph, 1 - np.eye(5))


def test_rbf_graph_by_hand() -> None:
    vectors = np.array([[0], [1], [3]], np.float32)  # squared distances 1, 4, 9
    expected = np.exp(-np.array([[np.inf, 1, 9], [1, np.inf, 4], [9, 4, np.inf]]) / 4)
    assert np.allclose(rbf_graph(vectors), expected, atol=1e-12)
    assert np.allclose(rbf_graph(vectors, gamma=0.25), expected, atol=1e-12)


@pytest.mark.parametrize("affinity", ["knn", "rbf"])
def test_separate_blobs_are_found_in_any_order_of_the_images(affinity: str) -> None:
    sizes = [30, 20, 15, 10]
    vectors, truth = blobs(sizes), np.repeat(np.arange(4), sizes)
    spectral = Spectral(n_clusters=4, affinity=affinity)
    order = np.random.default_rng(1).permutation(75)
    one = spectral.cluster(candidates(vectors), np.random.default_rng(0)).labels
    two = spectral.cluster(candidates(vectors[order]), np.random.default_rng(0)).labels
    assert adjusted_rand_score(truth, one) == 1.0
    assert adjusted_rand_score(truth[order], two) == 1.0


def test_length_of_vectors_does_not_matter() -> None:
    vectors = cloud(80)
    longer = vectors * np.random.default_rng(0).uniform(1, 9, (80, 1)).astype(np.float32)
    one, two = (
        Spectral(n_clusters=3).cluster(candidates(v), np.random.default_rng(0)).labels
        for v in (vectors, longer)
    )
    assert adjusted_rand_score(one, two) == 1.0


def brute_force_joined(graph: np.ndarray, vectors: np.ndarray) -> tuple[set, int]:
    """Boruvka by hand: the edges added, and the number of parts at first."""
    from scipy.sparse.csgraph import connected_components

    graph, added = graph.copy(), set()
    first = count = connected_components(graph)[0]
    distances = ((vectors[:, None].astype(float) - vectors[None]) ** 2).sum(axis=2)
    while count > 1:
        part = connected_components(graph)[1]
        largest, new = np.bincount(part).argmax(), set()
        for p in set(range(count)) - {largest}:
            pairs = [(i, j) for i in np.flatnonzero(part == p) for j in np.flatnonzero(part != p)]
            new.add(tuple(sorted(min(pairs, key=lambda pair: distances[pair]))))
        for i, j in new:
            graph[i, j] = graph[j, i] = 0.5
        added |= new
        count = connected_components(graph)[0]
    return added, first


@pytest.mark.parametrize("seed", range(5))
def test_unconnected_parts_are_joined_by_their_closest_pairs(seed: int) -> None:
    vectors = blobs([12, 9, 8, 7, 5], seed=seed)
    graph = knn_graph(vectors, 4)
    whole, parts = joined(graph, vectors)
    bridges, expected = brute_force_joined(graph.toarray(), vectors)
    assert parts == expected >= 5
    rows, columns = (whole - graph).nonzero()
    assert {
        (i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if i < j
    } == bridges
    assert (whole - whole.T).nnz == 0


def test_connected_graph_is_left_as_it_is() -> None:
    graph = knn_graph(cloud(50), 10)
    whole, parts = joined(graph, cloud(50))
    assert parts == 1
    assert whole is graph


def test_unconnected_parts_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        clusters = Spectral(n_clusters=3).cluster(
            candidates(blobs([20, 20, 20])), np.random.default_rng(0)
        )
    assert clusters.notes == {"components": 3}
    assert "graph of 60 images has 3 unconnected parts" in caplog.text


def test_more_parts_than_clusters() -> None:
    vectors = blobs([12] * 9)
    one, two = (
        Spectral(n_clusters=4).cluster(candidates(vectors), np.random.default_rng(3))
        for _ in range(2)
    )
    assert one.notes["components"] == 9
    assert np.array_equal(one.labels, two.labels)
    # A part is never torn apart.
    assert all(len(np.unique(one.labels[i * 12 : i * 12 + 12])) == 1 for i in range(9))


def test_a_graph_in_very_many_parts() -> None:
    centers = np.random.default_rng(0).standard_normal((200, 32))
    truth = np.repeat(np.arange(200), 10)
    noise = 0.02 * np.random.default_rng(1).standard_normal((2000, 32))
    vectors = unit(centers[truth] + noise)
    clusters = Spectral().cluster(candidates(vectors), np.random.default_rng(0))
    assert clusters.notes == {"components": 200}
    # 200 clumps go to 10 clusters, none is torn apart.
    assert len(set(zip(truth.tolist(), clusters.labels.tolist(), strict=True))) == 200


def test_a_cluster_for_each_image() -> None:
    labels = Spectral().cluster(candidates(cloud(10)), np.random.default_rng(0)).labels
    assert sorted(labels.tolist()) == list(range(10))


@pytest.mark.parametrize("n", [11, 12, 20, 45])
@pytest.mark.parametrize("affinity", ["knn", "rbf"])
def test_small_pools(n: int, affinity: str) -> None:
    clusters = Spectral(affinity=affinity).cluster(candidates(cloud(n)), np.random.default_rng(0))
    assert len(np.unique(clusters.labels)) == 10


def test_many_copies_of_a_few_images() -> None:
    vectors = np.repeat(cloud(12), 25, axis=0)
    labels = Spectral().cluster(candidates(vectors), np.random.default_rng(0)).labels
    assert len(np.unique(labels)) == 10
    assert all(len(np.unique(labels[i * 25 : i * 25 + 25])) == 1 for i in range(12))


def test_black_images_are_no_trouble() -> None:
    vectors = cloud(60)
    vectors[:5] = 0
    for affinity in ("knn", "rbf"):
        labels = Spectral(n_clusters=4, affinity=affinity).cluster(
            candidates(vectors), np.random.default_rng(0)
        )
        assert len(np.unique(labels.labels)) == 4


def test_rbf_with_mostly_equal_images() -> None:
    vectors = np.concatenate([np.repeat(cloud(1), 90, axis=0), cloud(12, seed=1)])
    with pytest.raises(DataError, match=r"more than half of the pairs .* use affinity=knn"):
        Spectral(affinity="rbf").cluster(candidates(vectors), np.random.default_rng(0))


def test_rbf_with_a_gamma_that_isolates() -> None:
    with pytest.raises(DataError, match=r"with gamma=1e\+06 an image .* lower gamma"):
        Spectral(affinity="rbf", gamma=1e6).cluster(candidates(cloud(30)), np.random.default_rng(0))


def test_rbf_says_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tgap.selectors.clusterers.spectral.RBF_LIMIT", 20)
    with pytest.raises(DataError, match="at most 20 images per label, got 30; use affinity=knn"):
        Spectral(affinity="rbf").cluster(candidates(cloud(30)), np.random.default_rng(0))
