import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import KMeans as TheirKMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import normalize

from tests.selectors.conftest import candidates
from tgap.core import ContractError, DataError
from tgap.metrics.vectors import unit_length
from tgap.selectors.clusterers.base import Clusters, require_all
from tgap.selectors.clusterers.findings import Findings
from tgap.selectors.clusterers.kmeans import Kmeans
from tgap.selectors.clusterers.spectral import Spectral


def cloud(n: int, d: int = 8) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


def by_finding(findings: np.ndarray, names: tuple[str, ...] = (), seed: int = 0) -> Clusters:
    group = candidates(findings=findings, finding_names=names)
    return Findings().cluster(group, np.random.default_rng(seed))


def kmeans(vectors: np.ndarray, seed: int = 0, **fields) -> np.ndarray:
    return Kmeans(**fields).cluster(candidates(vectors), np.random.default_rng(seed)).labels


# k-means


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kmeans_equals_scikit_learns_on_unit_vectors(seed: int) -> None:
    vectors = cloud(60)
    state = int(np.random.default_rng(seed).integers(2**32))
    theirs = TheirKMeans(4, n_init=3, random_state=state).fit(normalize(vectors))
    assert np.array_equal(kmeans(vectors, seed, n_clusters=4, n_init=3), theirs.labels_)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kmeans_is_a_fixed_point_no_worse_than_the_truth(seed: int) -> None:
    truth = np.repeat([0, 1, 2], [25, 20, 15])
    spread = 0.6 * np.random.default_rng(seed).standard_normal((60, 8))
    vectors = (np.eye(3, 8)[truth] * 2 + spread).astype(np.float32)
    labels, x = kmeans(vectors, seed, n_clusters=3), unit_length(vectors)

    def means(of: np.ndarray) -> np.ndarray:
        return np.stack([x[of == c].mean(axis=0) for c in range(3)])

    def cost(of: np.ndarray) -> float:
        return float(((x - means(of)[of]) ** 2).sum())

    distances = ((x[:, None] - means(labels)) ** 2).sum(axis=2)
    assert np.array_equal(distances.argmin(axis=1), labels)
    assert cost(labels) <= cost(truth)


def test_kmeans_finds_separate_blobs_in_any_order_and_whatever_the_lengths() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(4), [30, 20, 15, 10])
    vectors = np.eye(4, 6)[truth] + 0.05 * rng.standard_normal((75, 6))
    vectors = (vectors * rng.uniform(1, 9, (75, 1))).astype(np.float32)
    order = rng.permutation(75)
    assert adjusted_rand_score(truth, kmeans(vectors, n_clusters=4)) == 1.0
    assert adjusted_rand_score(truth[order], kmeans(vectors[order], n_clusters=4)) == 1.0


@pytest.mark.parametrize(
    ("vectors", "distinct", "n"),
    [
        (cloud(7), 7, 7),
        (np.repeat(cloud(3), 20, axis=0), 3, 60),
        (np.ones((40, 3), np.float32), 1, 40),
        (np.zeros((40, 3), np.float32), 1, 40),
        (np.linspace(0.1, 1, 40, dtype=np.float32)[:, None] * cloud(1), 1, 40),
    ],
    ids=["few", "copies", "identical", "zero", "one direction"],
)
@pytest.mark.parametrize("clusterer", [Kmeans(), Spectral()])
def test_too_few_different_images(clusterer, vectors: np.ndarray, distinct: int, n: int) -> None:
    with pytest.raises(DataError) as caught:
        clusterer.cluster(candidates(vectors), np.random.default_rng(0))
    several = (
        f"n_clusters must be at most {distinct}, the number of images with different vectors "
        f"among the {n} of a label, got 10; lower n_clusters or take a larger pool"
    )
    one = f"all {n} images of a label have the same vector, so there is nothing to cluster"
    assert str(caught.value).startswith(several if distinct > 1 else one)


@pytest.mark.parametrize("clusterer", [Kmeans(), Spectral()])
def test_vectors_are_needed(clusterer) -> None:
    with pytest.raises(ContractError, match=r"\w+ works on vectors: give .* an embedder"):
        clusterer.cluster(candidates(), np.random.default_rng(0))


def test_fewer_clusters_than_asked_for_are_told() -> None:
    with pytest.raises(DataError, match=r"found 2 clusters instead of n_clusters=3 among 4 images"):
        require_all(np.array([0, 1, 1, 0]), 3)


# Findings


def test_findings_by_hand() -> None:
    findings = np.array(
        # effusion x 3, mass x 2, hernia x 1, nodule x 0
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]],
        bool,
    )
    names = ("effusion", "mass", "hernia", "nodule")
    clusters = by_finding(findings, names)
    assert clusters.labels.tolist() == [0, 1, 2, 3]
    assert clusters.notes == {"clusters": ["effusion", "mass", "hernia", "none"]}


def test_equally_rare_findings_go_to_the_first() -> None:
    clusters = Findings().cluster(
        candidates(findings=np.ones((3, 2), bool)), np.random.default_rng(0)
    )
    assert clusters.labels.tolist() == [0, 0, 0]
    assert clusters.notes == {"clusters": ["0"]}


def rarest(findings: np.ndarray) -> list[int]:
    counts = [sum(row[f] for row in findings.tolist()) for f in range(findings.shape[1])]
    return [
        min((f for f, holds in enumerate(row) if holds), key=lambda f: (counts[f], f), default=-1)
        for row in findings.tolist()
    ]


many_findings = hnp.arrays(bool, st.tuples(st.integers(1, 60), st.integers(1, 5)))


@given(findings=many_findings, seed=st.integers(0, 99))
def test_findings_against_a_search_by_hand(findings: np.ndarray, seed: int) -> None:
    names = tuple("vwxyz"[: findings.shape[1]])
    clusters = Findings().cluster(
        candidates(findings=findings, finding_names=names), np.random.default_rng(0)
    )
    expected = [(*names, "none")[f] for f in rarest(findings)]
    assert [clusters.notes["clusters"][c] for c in clusters.labels] == expected
    # The order of the images changes nothing, not even the numbers.
    order = np.random.default_rng(seed).permutation(len(findings))
    moved = Findings().cluster(
        candidates(findings=findings[order], finding_names=names), np.random.default_rng(1)
    )
    assert np.array_equal(moved.labels, clusters.labels[order])


def test_dataset_without_findings() -> None:
    with pytest.raises(DataError, match=r"findings needs a dataset that knows findings .* none"):
        Findings().cluster(candidates(n=5), np.random.default_rng(0))
