import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from tgap.core import ContractError
from tgap.metrics.memorization import (
    authenticity,
    blind_scores,
    c_t,
    chance_band,
    closer_than_held_out,
    nearest,
)


def normal(n, d=6, seed=0, scale=1.0):
    array = np.random.default_rng(seed).normal(0, scale, (n, d)).astype(np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("offset", [0, 1000])
def test_nearest_is_scikit_learns(offset):
    x, y = normal(1500, seed=1) + np.float32(offset), normal(700, seed=2) + np.float32(offset)
    distances, rows = nearest(x, y)
    oracle = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(y.astype(np.float64))
    expected, expected_rows = oracle.kneighbors(x.astype(np.float64))
    assert distances == pytest.approx(expected[:, 0], rel=1e-3, abs=1e-5)
    assert (rows == expected_rows[:, 0]).mean() > 0.99


def test_nearest_of_equal_vectors_is_at_distance_0():
    x = normal(50) + np.float32(1000)
    distances, rows = nearest(x[::-1], x)
    assert (distances == 0).all()
    assert rows.tolist() == list(range(50))[::-1]


def test_nearest_other_one():
    x = normal(1100)
    distances, rows = nearest(x, x, among_itself=True)
    expected, expected_rows = NearestNeighbors(n_neighbors=2).fit(x).kneighbors(x)
    assert rows.tolist() == expected_rows[:, 1].tolist()
    assert distances == pytest.approx(expected[:, 1], rel=1e-5)
    twice = np.concatenate([x[:5], x[:5]])
    assert (nearest(twice, twice, among_itself=True)[0] == 0).all()


def test_nearest_among_none_is_refused():
    with pytest.raises(ContractError, match="among 1 vectors; there is none"):
        nearest(normal(1), normal(1), among_itself=True)
    with pytest.raises(ContractError, match="among 0 vectors"):
        nearest(normal(1), normal(0))
    with pytest.raises(ContractError, match=r"got \(1, 6\) and \(1, 5\)"):
        nearest(normal(1), normal(1, d=5))


DISTANCES = st.lists(st.integers(0, 5), min_size=1, max_size=12).map(
    lambda values: np.array(values, np.float64)
)


@given(DISTANCES, DISTANCES)
def test_closer_than_held_out_counts_pairs(synthetic, held_out):
    pairs = [(s < h) + (s == h) / 2 for s in synthetic for h in held_out]
    assert closer_than_held_out(synthetic, held_out) == pytest.approx(np.mean(pairs))
    together = closer_than_held_out(synthetic, held_out) + closer_than_held_out(held_out, synthetic)
    assert together == pytest.approx(1)


def test_closer_than_held_out_of_nothing():
    assert math.isnan(closer_than_held_out(np.zeros(0), np.zeros(3)))


def test_c_t_of_one_cell_is_the_z_of_mann_whitney():
    synthetic, held_out, tuning = normal(60, seed=1), normal(80, seed=2), normal(40, seed=3)
    z, cells = c_t(synthetic, held_out, tuning, np.random.default_rng(0))
    tree = NearestNeighbors(n_neighbors=1).fit(tuning)
    near, usual = (tree.kneighbors(one)[0][:, 0] for one in (synthetic, held_out))
    p = mannwhitneyu(near, usual, method="asymptotic", use_continuity=False, alternative="less")
    from scipy.stats import norm

    assert cells == 1
    assert norm.cdf(z) == pytest.approx(p.pvalue, rel=1e-6)


def test_c_t_is_negative_for_copies_and_near_0_for_the_same_distribution():
    tuning, held_out = normal(400, seed=1), normal(500, seed=2)
    rng = np.random.default_rng(0)
    copies = tuning + normal(400, seed=3, scale=0.01)
    z, cells = c_t(copies, held_out, tuning, rng)
    assert z < -5
    assert cells > 1
    assert abs(c_t(normal(500, seed=4), held_out, tuning, rng)[0]) < 3
    assert c_t(normal(500, seed=4, scale=3), held_out, tuning, rng)[0] > 5


def test_c_t_finds_copying_in_cells_that_distances_on_the_whole_miss():
    """Meehan et al.'s reason for cells: copies on one side, too far off on the other."""
    left, right = np.float32([-50, 0, 0, 0, 0, 0]), np.float32([50, 0, 0, 0, 0, 0])
    tuning = np.concatenate([normal(100, seed=1) + left, normal(100, seed=2) + right])
    held_out = np.concatenate([normal(100, seed=3) + left, normal(100, seed=4) + right])
    synthetic = np.concatenate([tuning[:100] + 0.01, normal(100, seed=5, scale=3) + right])
    usual, near = nearest(held_out, tuning)[0], nearest(synthetic, tuning)[0]
    assert closer_than_held_out(near, usual) == pytest.approx(0.5, abs=0.05)
    sides = [
        c_t(synthetic[part], held_out[part], tuning[part], np.random.default_rng(0))[0]
        for part in (slice(100), slice(100, 200))
    ]
    assert sides[0] < -5
    assert sides[1] > 5


def test_c_t_of_ties_few_and_none():
    rng = np.random.default_rng(0)
    same = np.zeros((30, 2), np.float32)
    assert c_t(same, same, same, rng) == (0.0, 1)
    assert c_t(same, same + 1, same[:1], rng)[0] < -5  # all synthetic ones are copies
    z, cells = c_t(same[:19], same, same, rng)
    assert math.isnan(z)
    assert cells == 0


def test_cells_without_enough_images_are_left_out():
    left, right = np.float32([-50, 0]), np.float32([50, 0])
    tuning = np.concatenate([normal(100, 2, seed=1) + left, normal(100, 2, seed=2) + right])
    held_out = normal(100, 2, seed=3) + left
    z, cells = c_t(tuning, held_out, tuning, np.random.default_rng(0))
    assert z < -3
    assert cells in (1, 2)


def test_authenticity_by_hand():
    tuning = np.array([[0.0], [1.0], [10.0]], np.float32)  # nearest others at 1, 1 and 9
    images = np.array([[0.0], [-2.0], [12.0], [25.0]], np.float32)  # at 0, 2, 2 and 15
    among = nearest(tuning, tuning, among_itself=True)[0]
    assert among.tolist() == [1, 1, 9]
    assert authenticity(*nearest(images, tuning), among) == 0.5
    assert math.isnan(authenticity(np.zeros(0), np.zeros(0, np.int64), among))


def test_blind_attack_is_at_chance_unless_members_differ():
    vectors, patients = normal(600, 10), np.arange(600) // 2
    members = patients % 2 == 0
    scores = blind_scores(vectors, members, patients, np.random.default_rng(0))
    assert abs(roc_auc_score(members, scores) - 0.5) < chance_band(300, 300)
    shifted = vectors + members[:, None].astype(np.float32)
    scores = blind_scores(shifted, members, patients, np.random.default_rng(0))
    assert roc_auc_score(members, scores) > 0.9


def test_blind_attack_does_not_know_patients_again():
    """Images of a patient are alike; were they in several folds, members would be recognised."""
    patients = np.arange(400) // 10
    vectors = normal(40, 30)[patients] + normal(400, 30, seed=1, scale=0.05)
    members = patients < 20
    scores = blind_scores(vectors, members, patients, np.random.default_rng(0))
    assert roc_auc_score(members, scores) < 0.75


def test_blind_attack_needs_five_patients_on_each_side():
    patients = np.repeat(np.arange(9), 20)
    rng = np.random.default_rng(0)
    assert blind_scores(normal(180), patients < 4, patients, rng) is None
    patients = np.repeat(np.arange(10), 20)
    assert blind_scores(normal(200), patients < 5, patients, rng) is not None


def test_chance_band_is_three_standard_errors_of_an_auroc_by_chance():
    rng = np.random.default_rng(0)
    members = np.arange(150) < 50
    drawn = [roc_auc_score(members, rng.normal(size=150)) for _ in range(800)]
    assert chance_band(50, 100) == pytest.approx(3 * np.std(drawn), rel=0.1)
