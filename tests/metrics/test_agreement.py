import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tgap.core import ContractError
from tgap.metrics.agreement import kendall_tau, tau_of_chance

FEW = arrays(np.float64, (2, 6), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0]))


@given(FEW)
def test_tau_is_scipys_with_and_without_ties(rows):
    from scipy.stats import kendalltau

    x, y = rows
    expected = kendalltau(x, y).statistic
    assert kendall_tau(x[None], y[None])[0] == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_rows_are_apart():
    x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    found = kendall_tau(x, np.tile([1.0, 2.0, 3.0], (3, 1)))
    np.testing.assert_array_equal(found, [1, -1, np.nan])
    with pytest.raises(ContractError, match=r"got \(3, 3\) and \(1, 3\)"):
        kendall_tau(x, x[:1])


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("level", [0.05, 0.3])
def test_chance_by_all_orders(n, level):
    orders = np.array([*itertools.permutations(range(n))], np.float64)
    taus = np.abs(kendall_tau(orders, np.tile(np.arange(n), (len(orders), 1)).astype(np.float64)))
    least = tau_of_chance(n, level)
    assert (taus > least + 1e-9).mean() <= level
    lower = taus[taus < least - 1e-9]
    assert not len(lower) or (taus > lower.max() + 1e-9).mean() > level


def test_chance_of_many_is_normal():
    """Its variance is 2 (2 n + 5) / (9 n (n - 1))."""
    n = 40
    expected = 1.96 * math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))
    assert tau_of_chance(n) == pytest.approx(expected, abs=0.01)
    with pytest.raises(ContractError, match="at least 2 things, got 1"):
        tau_of_chance(1)
