import numpy as np
from scipy import stats

from tgap.selectors.base import Candidates
from tgap.selectors.random import Random


def candidates(n: int) -> Candidates:
    return Candidates(None, np.zeros((n, 0), bool), np.arange(n))


def test_picks_are_a_prefix_of_the_generators_permutation() -> None:
    picks = Random()._select(candidates(30), 12, np.random.default_rng(5))
    assert np.array_equal(picks.positions, np.random.default_rng(5).permutation(30)[:12])


def test_every_image_is_equally_likely() -> None:
    rng = np.random.default_rng(0)
    draws = [Random()._select(candidates(10), 3, rng).positions for _ in range(2000)]
    counts = np.bincount(np.concatenate(draws), minlength=10)
    assert stats.chisquare(counts).pvalue > 0.001


def test_needs_no_embedder() -> None:
    assert Random().embedder_used() is None


def test_only_the_number_of_images_counts() -> None:
    findings = np.random.default_rng(0).random((20, 4)) < 0.5
    other = Candidates(np.ones((20, 3), np.float32), findings, np.zeros(20, np.int64))
    one, two = (Random()._select(c, 9, np.random.default_rng(1)) for c in (candidates(20), other))
    assert np.array_equal(one.positions, two.positions)
