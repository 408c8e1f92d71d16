"""Labels by the votes of neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgap.core import ContractError
from tgap.metrics.votes import adaptive_votes, directions, votes


def cloud(count: int, seed: int, dimensions: int = 6, moved: float = 0.0):
    """Two labels apart in the first dimension; ``moved`` turns both of them."""
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < 0.5
    points = rng.normal(size=(count, dimensions))
    points[:, 0] += np.where(truth, 2.0, -2.0)
    points[:, 1] += moved
    return points.astype(np.float32), np.stack([~truth, truth], axis=1)


def by_hand(memory, labels, queries, k, temperature):
    """One pair after another."""
    shares = []
    for query in queries:
        cosines = [
            float(np.dot(query, each) / np.linalg.norm(query) / np.linalg.norm(each))
            for each in memory
        ]
        best = sorted(range(len(memory)), key=lambda i: -cosines[i])[:k]
        weights = [np.exp(cosines[i] / temperature) for i in best]
        shares.append(
            [
                sum(w for w, i in zip(weights, best, strict=True) if labels[i, label])
                / sum(weights)
                for label in range(labels.shape[1])
            ]
        )
    return np.array(shares)


@settings(max_examples=30, deadline=None)
@given(k=st.integers(1, 30), temperature=st.floats(0.05, 2), seed=st.integers(0, 50))
def test_votes_are_those_counted_by_hand(k: int, temperature: float, seed: int) -> None:
    memory, labels = cloud(20, seed)
    queries, _ = cloud(5, seed + 1)
    ours = votes(memory, labels, queries, k, temperature)
    expected = by_hand(memory.astype(float), labels, queries.astype(float), k, temperature)
    assert ours == pytest.approx(expected, abs=1e-6)


def test_adaptive_votes_are_votes_of_a_memory_that_grows() -> None:
    memory, labels = cloud(40, 0)
    queries, _ = cloud(30, 1)
    ours = adaptive_votes(memory, labels, queries, 10, 0.1, 0.99)
    joined = 0
    for query, shares in zip(queries, ours, strict=True):
        assert votes(memory, labels, query[None], 10, 0.1)[0] == pytest.approx(shares, abs=1e-9)
        if (np.maximum(shares, 1 - shares) >= 0.99).all():
            memory, labels = np.vstack([memory, query]), np.vstack([labels, shares > 0.5])
            joined += 1
    assert 5 < joined < 30


@pytest.mark.parametrize(("moved", "least", "most"), [(0.0, -0.02, 0.02), (3.0, 0.01, 0.05)])
def test_without_a_shift_little_changes_and_with_one_it_helps(
    moved: float, least: float, most: float
) -> None:
    """Over five orders of the queries, on which it depends."""
    memory, labels = cloud(200, 0)
    queries, truth = cloud(400, 1, moved=moved)
    plain = ((votes(memory, labels, queries, 20) > 0.5) == truth).mean()
    gains = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(queries))
        adapted = adaptive_votes(memory, labels, queries[order], 20) > 0.5
        gains.append((adapted == truth[order]).mean() - plain)
    assert least < min(gains)
    assert max(gains) < most


def test_nobody_joins_at_a_floor_that_nobody_reaches() -> None:
    memory, labels = cloud(50, 0)
    labels[:, 0] = np.arange(50) % 2 == 0  # a label that nothing tells
    queries, _ = cloud(20, 1)
    plain = votes(memory, labels, queries, 50, 5.0)
    assert (adaptive_votes(memory, labels, queries, 50, 5.0, 0.99) == plain).all()


def test_zeros_are_as_near_to_everything() -> None:
    memory, labels = cloud(10, 0)
    shares = votes(memory, labels, np.zeros((1, 6), np.float32), 10)
    assert shares[0] == pytest.approx(labels.mean(axis=0))
    assert (directions(np.zeros((1, 3), np.float32)) == 0).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"memory": np.empty((0, 6), np.float32)}, "the memory is empty"),
        ({"k": 0}, "k must be at least 1"),
        ({"temperature": 0.0}, "temperature above 0"),
        ({"sure": 0.5}, r"sure must be in \(.5, 1\], got 0.5"),
    ],
)
def test_what_cannot_be_is_told(change: dict, said: str) -> None:
    memory, labels = cloud(10, 0)
    with pytest.raises(ContractError, match=said):
        adaptive_votes(**{"memory": memory, "labels": labels, "queries": memory, **change})
