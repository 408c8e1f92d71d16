import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from tests.selectors.conftest import candidates, unit
from tgap.selectors.picks.closest import Closest
from tgap.selectors.picks.farthest_first import FarthestFirst
from tgap.selectors.picks.random import Random
from tgap.selectors.random import Random as RandomSelector


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def cloud(m: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, 5)) + 2 * rng.standard_normal(5)


# Two are equally far from their mean, but for rounding.
many = st.integers(1, 60).filter(lambda m: m != 2)


def picked(pick, vectors: np.ndarray, quota: int) -> list[int]:
    return pick.pick(candidates(vectors), quota, np.random.default_rng(0)).tolist()


@given(m=st.integers(1, 60), quota=st.integers(1, 150), seed=st.integers(0, 99))
def test_random_is_a_permutation_over_and_over(m: int, quota: int, seed: int) -> None:
    picks = Random().pick(candidates(n=m), quota, np.random.default_rng(seed))
    order = np.random.default_rng(seed).permutation(m)
    assert picks.tolist() == [order[i % m] for i in range(quota)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda group, rng: Random().pick(group, 3, rng),
        lambda group, rng: RandomSelector()._select(group, 3, rng).positions,
    ],
    ids=["pick", "selector"],
)
def test_random_is_uniform(draw) -> None:
    rng = np.random.default_rng(0)
    draws = [draw(candidates(n=10), rng) for _ in range(2000)]
    assert stats.chisquare(np.bincount(np.concatenate(draws))).pvalue > 0.001


@given(m=many, seed=st.integers(0, 99))
def test_closest_against_sorted_distances(m: int, seed: int) -> None:
    vectors = cloud(m, seed)
    x = unit(vectors)
    far = np.linalg.norm(x - x.mean(axis=0), axis=1)
    assert picked(Closest(), vectors, m) == sorted(range(m), key=lambda i: far[i])


def test_closest_by_hand_whatever_the_lengths() -> None:
    vectors = on_circle(0, 10, 15, 40, 90) * np.array([[1], [5], [2], [9], [3]])
    # Their mean points to 29 degrees.
    assert picked(Closest(), vectors, 7) == [3, 2, 1, 0, 4, 3, 2]


@pytest.mark.parametrize("pick", [Closest(), FarthestFirst()])
def test_ties_go_to_the_first(pick) -> None:
    assert picked(pick, np.ones((5, 3)), 7) == [0, 1, 2, 3, 4, 0, 1]


@given(m=many, seed=st.integers(0, 99))
def test_farthest_first_against_brute_force(m: int, seed: int) -> None:
    vectors = cloud(m, seed)
    x = unit(vectors)
    distances = cdist(x, x)
    order = [int(np.linalg.norm(x - x.mean(axis=0), axis=1).argmin())]
    while len(order) < m:
        left = [i for i in range(m) if i not in order]
        order.append(max(left, key=lambda i: min(distances[i, j] for j in order)))
    assert picked(FarthestFirst(), vectors, m) == order


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [2, 3])
def test_farthest_first_is_within_twice_the_best_radius(seed: int, count: int) -> None:
    vectors = cloud(12, seed)
    distances = cdist(unit(vectors), unit(vectors))

    def radius(centers) -> float:
        return distances[:, list(centers)].min(axis=1).max()

    best = min(radius(some) for some in itertools.combinations(range(12), count))
    assert radius(picked(FarthestFirst(), vectors, count)) <= 2 * best + 1e-6


def test_farthest_first_by_hand() -> None:
    # Starts in the middle, then the ends; copies come last, each once.
    assert picked(FarthestFirst(), on_circle(0, 40, 90, 90, 0), 6) == [1, 2, 0, 3, 4, 1]


@pytest.mark.parametrize("pick", [Closest(), FarthestFirst()])
def test_zero_vectors_are_no_trouble(pick) -> None:
    vectors = cloud(9, 0)
    vectors[:3] = 0
    assert sorted(picked(pick, vectors, 9)) == list(range(9))


def test_repeats_of_random_changed_its_version() -> None:
    assert Random().identity()["version"] == 2
