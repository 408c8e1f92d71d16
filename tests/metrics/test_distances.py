"""Distances and neighbours against other implementations, closed forms and brute force."""

import contextlib
import io
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from tgap.core import ContractError
from tgap.metrics.distances import frechet, kid, vendi
from tgap.metrics.neighbours import Clipped, Prdc, clipped, prdc

NAN = float("nan")


def drawn(n, d, seed=0, shift=0.0, scale=1.0):
    x = shift + scale * np.random.default_rng(seed).standard_normal((n, d))
    x.setflags(write=False)
    return x


def rotation(d, seed=9):
    return np.linalg.qr(drawn(d, d, seed))[0]


class PassThrough(torch.nn.Module):
    """An embedder for torchmetrics whose images are the vectors."""

    def __init__(self, d):
        super().__init__()
        self.num_features = d

    def forward(self, x):
        return x.flatten(1)


def updated(metric, x, y):
    metric.set_dtype(torch.float64)
    for vectors, real in ((x, True), (y, False)):
        metric.update(torch.from_numpy(vectors.copy())[:, :, None, None], real=real)
    return metric.compute()


PAIRS = {
    "plain": (drawn(60, 7), drawn(50, 7, 1, shift=0.5, scale=2)),
    "fewer vectors than dimensions": (drawn(9, 20), drawn(12, 20, 1)),
    "a constant dimension": (drawn(40, 5) * [1, 1, 0, 1, 1], drawn(40, 5, 1) + 3),
    "float32": (drawn(30, 4).astype(np.float32), drawn(30, 4, 1).astype(np.float32)),
}
each_pair = pytest.mark.parametrize(("x", "y"), PAIRS.values(), ids=PAIRS.keys())
FUNCTIONS = {"frechet": frechet, "kid": kid, "prdc": prdc, "clipped": clipped}
each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())


# Frechet distance


@each_pair
def test_frechet_is_that_of_torchmetrics(x, y):
    theirs = updated(FrechetInceptionDistance(feature=PassThrough(x.shape[1])), x, y)
    # of rank-deficient covariances, torchmetrics sees eigenvalues only to about 1e-8
    assert frechet(x, y) == pytest.approx(float(theirs), rel=1e-5, abs=1e-4)


def test_frechet_of_gaussians_of_known_moments():
    """Vectors whose sample mean and covariance are what they should be, to the last digit."""

    def exact(mean, deviations, seed):
        x = drawn(50, 3, seed)
        whitened = np.linalg.qr(x - x.mean(0))[0] * math.sqrt(49)
        return whitened * deviations + mean

    x = exact(np.array([0.0, 0, 0]), np.array([1.0, 2, 3]), 0)
    y = exact(np.array([1.0, -2, 2]), np.array([4.0, 2, 1]), 1)
    assert frechet(x, y) == pytest.approx(9 + 3**2 + 0 + 2**2, rel=1e-9)


def test_frechet_of_a_set_and_itself_is_zero_at_any_rank_and_scale():
    for n, d, scale in ((50, 4, 1.0), (5, 40, 1.0), (30, 10, 1e4), (30, 10, 1e-4)):
        x = drawn(n, d, scale=scale)
        assert 0 <= frechet(x, x) <= 1e-12 * (x**2).sum()
    assert frechet(np.ones((4, 3)), np.ones((7, 3))) == 0


@each_function
def test_nothing_depends_on_the_order_of_vectors_or_writes_into_them(function):
    x, y = drawn(40, 6), drawn(45, 6, 1, shift=0.3)
    turned = function(x[::-1], y[np.random.default_rng(0).permutation(45)])
    assert turned == pytest.approx(function(x, y), rel=1e-9)


@each_function
def test_nothing_depends_on_the_orientation(function):
    x, y, q = drawn(40, 6), drawn(45, 6, 1, shift=0.3), rotation(6)
    assert function(x @ q, y @ q) == pytest.approx(function(x, y), rel=1e-9)


@pytest.mark.parametrize("function", [frechet, prdc, clipped])
def test_distances_do_not_depend_on_the_origin(function):
    x, y = drawn(40, 6), drawn(45, 6, 1, shift=0.3)
    assert function(x + 1e6, y + 1e6) == pytest.approx(function(x, y), rel=1e-6)


# Kernel distance


@each_pair
@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save")
def test_kid_is_that_of_torchmetrics_over_one_subset_of_all(x, y):
    n = min(len(x), len(y))
    metric = KernelInceptionDistance(feature=PassThrough(x.shape[1]), subsets=1, subset_size=n)
    theirs, _ = updated(metric, x[:n], y[:n])
    assert kid(x[:n], y[:n]) == pytest.approx(float(theirs), rel=1e-5, abs=1e-9)


def test_kid_of_one_distribution_is_zero_on_average_and_of_two_is_not():
    values = [kid(drawn(30, 4, s), drawn(25, 4, s + 1000)) for s in range(300)]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0
    apart = [kid(drawn(30, 4, s), drawn(25, 4, s + 1000, shift=0.5)) for s in range(300)]
    assert np.mean(apart) > 20 * error


def test_kid_is_the_same_in_blocks(monkeypatch):
    x, y = drawn(40, 6), drawn(45, 6, 1)
    whole = kid(x, y)
    monkeypatch.setattr("tgap.metrics.distances._BLOCK", 7)
    assert kid(x, y) == pytest.approx(whole, rel=1e-9)


# Precision, recall, density, coverage


def brute_force(real, fake, k):
    """As the papers write it, with closed balls."""

    def distance(a, b):
        return math.dist(a, b) - 1e-9  # closed balls, whatever rounding says

    def radius(i, those):
        return sorted(math.dist(those[i], b) for j, b in enumerate(those) if j != i)[k - 1]

    real_r = [radius(i, real) for i in range(len(real))]
    fake_r = [radius(j, fake) for j in range(len(fake))]
    inside = [[distance(a, b) <= r for b in fake] for a, r in zip(real, real_r, strict=True)]
    recalled = [[distance(a, b) <= r for b, r in zip(fake, fake_r, strict=True)] for a in real]
    inside, recalled = np.array(inside), np.array(recalled)
    return (
        inside.any(0).mean(),
        recalled.any(1).mean(),
        inside.sum(0).mean() / k,
        inside.any(1).mean(),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 1.0, 100.0])
def test_prdc_is_that_of_its_authors_where_no_distances_are_equal(k, shift):
    import prdc as theirs

    x, y = drawn(60, 4), drawn(55, 4, 1, shift=shift)
    with contextlib.redirect_stdout(io.StringIO()):
        expected = theirs.compute_prdc(x, y, nearest_k=k)
    assert prdc(x, y, k)._asdict() == pytest.approx(expected)


@settings(max_examples=60)
@given(
    real=arrays(np.int8, (9, 2), elements=st.integers(-2, 2)),
    fake=arrays(np.int8, (7, 2), elements=st.integers(-2, 2)),
    k=st.integers(1, 5),
)
def test_prdc_is_what_the_papers_write_also_with_duplicates_and_ties(real, fake, k):
    assert prdc(real, fake, k) == pytest.approx(brute_force(real.tolist(), fake.tolist(), k))


@settings(max_examples=30)
@given(
    points=arrays(np.int8, (12, 2), elements=st.integers(-2, 2)),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    angle=st.floats(0, 6.3),
)
def test_ties_do_not_hang_on_rounding(points, scale, angle):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    real, fake = points[:7], points[7:]
    moved = [(part @ turn) * scale + scale / 3 for part in (real, fake)]
    assert prdc(*moved, k=2) == pytest.approx(prdc(real, fake, k=2))


def test_real_vectors_with_many_duplicates_are_covered_by_what_equals_them():
    real = np.repeat(drawn(10, 8), 6, axis=0) + 100
    covered = prdc(real, real[::6], k=5)
    assert (covered.precision, covered.coverage) == (1, 1)
    assert covered.density == pytest.approx(6 / 5)
    away = prdc(real, real[::6] + 1, k=5)
    assert (away.precision, away.density, away.coverage) == (0, 0, 0)


def test_a_collapsed_generator_is_precise_and_recalls_nothing():
    real = drawn(200, 5)
    collapsed = np.repeat(real[:1] * 0.1, 200, axis=0)
    found = prdc(real, collapsed)
    assert found.precision == 1
    assert found.recall == 0
    assert found.coverage < 0.5


def test_sets_of_one_distribution_have_density_and_coverage_as_the_paper_says():
    n, m, k = 400, 400, 5
    found = np.mean([prdc(drawn(n, 3, s), drawn(m, 3, s + 99), k) for s in range(20)], axis=0)
    # Naeem et al., lemma 2
    coverage = 1 - math.prod(range(n - k, n)) / math.prod(range(n + m - k, n + m))
    assert found[2] == pytest.approx(1, abs=0.03)
    assert found[3] == pytest.approx(coverage, abs=0.005)


def test_prdc_is_the_same_in_blocks(monkeypatch):
    x, y = drawn(40, 6), drawn(45, 6, 1)
    whole = prdc(x, y)
    monkeypatch.setattr("tgap.metrics.neighbours._BLOCK", 7)
    assert prdc(x, y) == whole


def test_too_few_vectors_for_a_ball_give_nan():
    five, six = drawn(5, 2), drawn(6, 2, 1)
    assert prdc(five, five) == pytest.approx(4 * [NAN], nan_ok=True)
    few_real, few_fake = prdc(five, six), prdc(six, five)
    assert [math.isnan(v) for v in few_real] == [True, False, True, True]
    assert [math.isnan(v) for v in few_fake] == [False, True, False, False]
    assert all(math.isnan(v) for v in prdc(six, five[:0]))
    assert isinstance(few_real, Prdc)


# Vendi score


def by_kernel(x):
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    p = np.linalg.eigvalsh(units @ units.T / len(x))
    p = p[p > 1e-14]
    return math.exp(-(p * np.log(p)).sum())


@pytest.mark.parametrize(("n", "d"), [(30, 5), (5, 30), (12, 12), (1, 3)])
def test_vendi_is_the_entropy_of_the_kernels_eigenvalues(n, d):
    assert vendi(drawn(n, d)) == pytest.approx(by_kernel(drawn(n, d)))


def test_vendi_counts_groups_of_different_sizes():
    """Orthogonal groups have their shares as eigenvalues, whatever the lengths."""
    x = np.repeat(np.eye(4)[:3], [5, 3, 2], axis=0) * np.linspace(1, 9, 10)[:, None]
    p = np.array([0.5, 0.3, 0.2])
    assert vendi(x) == pytest.approx(math.exp(-(p * np.log(p)).sum()))


def test_vectors_of_length_zero_are_one_group_of_their_own():
    x = np.concatenate([np.zeros((3, 2)), np.ones((3, 2))])
    assert vendi(x) == pytest.approx(2)
    assert vendi(np.zeros((4, 2))) == 1
    assert math.isnan(vendi(np.zeros((0, 2))))


@settings(max_examples=60)
@given(arrays(np.float64, (6, 3), elements=st.floats(-10, 10, width=16)), st.integers(0, 5))
def test_vendi_lies_between_one_and_n_and_knows_no_order_scale_or_rotation(x, roll):
    score = vendi(x)
    assert 1 - 1e-9 <= score <= 6 + 1e-9
    assert vendi(np.roll(x, roll, axis=0) @ rotation(3) * 7) == pytest.approx(score, rel=1e-6)


# All


@pytest.mark.parametrize("function", [kid, prdc])
def test_pairs_are_never_held_all_at_once(function):
    x, y = drawn(6000, 2), drawn(6000, 2, 1)
    tracemalloc.start()
    try:
        function(x, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6000 * 6000 * 8 / 1.5


@pytest.mark.parametrize("function", [frechet, kid])
def test_one_vector_has_no_spread(function):
    assert math.isnan(function(drawn(1, 3), drawn(5, 3)))
    assert math.isnan(function(drawn(5, 3), drawn(1, 3)))


@each_function
def test_refuses_what_is_no_pair_of_sets(function):
    with pytest.raises(ContractError, match="vectors of the same length, got 3 and 4"):
        function(drawn(9, 3), drawn(9, 4))
    with pytest.raises(ContractError, match=r"must be \(N, d\) real numbers, got \(9,\) float64"):
        function(drawn(9, 3)[:, 0], drawn(9, 3))
    with pytest.raises(ContractError, match=r"must be \(N, d\) real numbers, got \(9, 3\) bool"):
        function(drawn(9, 3), drawn(9, 3) > 0)
    with pytest.raises(ContractError, match="vectors must be finite"):
        function(drawn(9, 3), np.full((9, 3), np.nan))


def test_refuses_a_neighbour_below_the_first():
    with pytest.raises(ContractError, match="k must be at least 1, got 0"):
        prdc(drawn(9, 3), drawn(9, 3), k=0)


# Clipped density and coverage


def clipped_by_force(real, fake, k):
    """As the paper writes it, with closed balls and exact chances."""
    n, m = len(real), len(fake)

    def others(i):
        return [math.dist(real[i], b) for j, b in enumerate(real) if j != i]

    radii = [sorted(others(i))[k - 1] for i in range(n)]
    narrow = [min(r, float(np.median(radii))) + 1e-9 for r in radii]

    def balls(point, left_out=None):
        return sum(math.dist(a, point) <= narrow[i] for i, a in enumerate(real) if i != left_out)

    of_fake = np.mean([min(balls(b), k) / k for b in fake])
    of_real = np.mean([min(balls(a, i), k) / k for i, a in enumerate(real)])

    def held(i):
        return sum(math.dist(real[i], b) <= radii[i] + 1e-9 for b in fake)

    def chance(j, good):  # beta-binomial(good; k, n - k)
        ways = math.comb(k + j - 1, j) * math.comb(n - k - 1 + good - j, good - j)
        return Fraction(ways, math.comb(n - 1 + good, good))

    def expected(good):
        return sum(min(j, k) * chance(j, good) for j in range(good + 1)) / k if good >= k else 0

    reached = sum(Fraction(min(held(i), k), k) for i in range(n)) / n
    good = sum(expected(count) < reached for count in range(m + 1))
    return min(1.0, of_fake / of_real), good / (m + 1)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 1.0, 100.0])
@pytest.mark.parametrize(("n", "m"), [(30, 20), (21, 33)])
def test_clipped_is_what_the_paper_writes(k, shift, n, m):
    real, fake = drawn(n, 3), drawn(m, 3, 1, shift=shift)
    assert clipped(real, fake, k) == pytest.approx(clipped_by_force(real, fake, k))


@settings(max_examples=40)
@given(
    real=arrays(np.int8, (9, 2), elements=st.integers(-2, 2)),
    fake=arrays(np.int8, (7, 2), elements=st.integers(-2, 2)),
    k=st.integers(1, 5),
)
def test_clipped_density_is_what_the_paper_writes_also_with_duplicates_and_ties(real, fake, k):
    expected = clipped_by_force(real.tolist(), fake.tolist(), k)[0]
    assert clipped(real, fake, k).clipped_density == pytest.approx(expected)


def test_clipped_metrics_are_the_share_of_good_vectors():
    real, good = drawn(600, 4), drawn(600, 4, 1)
    for bad in (0.0, 0.25, 0.5, 0.75, 1.0):
        fake = good.copy()
        fake[: round(bad * 600)] += 1e3
        assert clipped(real, fake) == pytest.approx((1 - bad, 1 - bad), abs=0.07)


def test_outliers_among_real_vectors_do_not_make_others_good():
    real = drawn(300, 4).copy()
    real[:30] *= 1e3
    away = drawn(300, 4, 1, scale=300.0)
    assert prdc(real, away).density > 0.5
    assert clipped(real, away).clipped_density < 0.01


def test_clipped_of_too_few_vectors_is_nan():
    assert clipped(drawn(5, 2), drawn(9, 2), 5) == pytest.approx(Clipped(NAN, NAN), nan_ok=True)
    assert clipped(drawn(9, 2), drawn(4, 2), 5) == pytest.approx(Clipped(NAN, NAN), nan_ok=True)
    assert np.isfinite(clipped(drawn(6, 2), drawn(5, 2), 5)).all()
    with pytest.raises(ContractError, match="k must be at least 1"):
        clipped(drawn(6, 2), drawn(5, 2), 0)
